/**
 * A member of a consumer group in a process of its own, to be stopped and continued from outside:
 * `node member-process.js BROKERS TOPIC GROUP SESSION_MS`. It acts for partition 0, as often as it may, and says so.
 */
import { connectTo } from './connect.js';

const [brokers = '', topic = '', groupId = '', sessionMs = '10000'] = process.argv.slice(2);
const say = (line: object): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

const kafka = connectTo(brokers.split(','));
const group = kafka.openGroup({
  groupId,
  topics: [topic],
  assigner: 'colocated',
  startOffset: () => 0,
  sessionTimeoutMs: Number(sessionMs),
  handlers: {
    assigned: (generation, partitions) => say({ assigned: generation, partitions: partitions.length }),
    revoked: (partitions) => say({ revoked: partitions.length }),
    records: () => {},
    gap: (gap) => say({ gap }),
    fatal: (error) => {
      say({ fatal: error.message });
      process.exitCode = 1;
    },
  },
});

setInterval(() => {
  if (!group.owns(topic, 0)) return;
  const { generation } = group;
  say({ act: generation });
  group.commit([{ topic, partition: 0, offset: 0, metadata: String(process.pid) }], generation).then(
    () => say({ committed: generation }),
    (error: unknown) =>
      say({ refused: generation, why: error instanceof Error && 'code' in error ? error.code : 'other' }),
  );
}, 5);

process.stdin.on('end', () => process.exit());
process.stdin.resume();
