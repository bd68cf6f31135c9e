import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaConnection } from '../../src/kafka/client.js';
import type { KafkaGroup } from '../../src/kafka/port.js';
import type { Input } from './cluster-input.js';
import { until } from './cluster-side.js';
import { startLoad } from './paced-load.js';

export interface BareTripsOptions {
  /** Produces probes and load. */
  client: KafkaConnection;
  /** Reads and passes on, over connections of its own, as other processes would. */
  reader: KafkaConnection;
  partitions: number;
  /** Topics that a probe passes through. */
  hops: number;
  count: number;
  everyMs: number;
  load: Input;
  /** Observations a second. */
  perSecond: number;
}

const PROBE = 'probe';
/** Probes that connect what has to be connected, and do not count. */
const WARM_UP = 12;
const LONGEST_MS = 10_000;

/**
 * What Kafka alone takes: a record is produced with acks=all, consumed, produced again into the next topic, and so on,
 * without anything being done with it. Through the same client as everything else.
 *
 * @returns ms from the first call of produce until the last topic's consumer has it; Infinity where it did not come
 */
export async function bareTrips(options: BareTripsOptions): Promise<number[]> {
  const { client, reader, partitions, hops, count, everyMs } = options;
  const run = randomUUID().slice(0, 8);
  const topics = Array.from({ length: hops }, (_, hop) => `bare-${run}-${hop}`);
  await client.admin.createTopics(
    topics.map((topic) => ({ topic, partitions, replicationFactor: 1, config: { 'max.message.bytes': '16000000' } })),
  );
  const arrivals = new Map<string, (at: number) => void>();
  const groups = topics.map((topic, hop) => passOn(reader, { topic, next: topics[hop + 1], arrivals }));
  await until(async () => groups.every(({ owned }) => owned.length === partitions), 50);
  const [first = ''] = topics;
  const load = startLoad(client, { topic: first, input: options.load, perSecond: options.perSecond });
  const trips: Promise<number>[] = [];
  for (let n = -WARM_UP; n < count; n++) {
    const id = `${n}`;
    const arrived = new Promise<number>((resolve) => arrivals.set(id, resolve));
    const sent = performance.now();
    await client.produce([
      { topic: first, partition: (n + WARM_UP) % partitions, key: Buffer.from(PROBE), value: Buffer.from(id) },
    ]);
    if (n < 0) await Promise.race([arrived, sleep(LONGEST_MS)]);
    else trips.push(Promise.race([arrived, sleep(LONGEST_MS, Infinity)]).then((at) => at - sent));
    await sleep(everyMs);
  }
  const latencies = await Promise.all(trips);
  await load.stop();
  await Promise.all(groups.map((group) => group.stop()));
  return latencies;
}

function passOn(
  reader: KafkaConnection,
  { topic, next, arrivals }: { topic: string; next: string | undefined; arrivals: Map<string, (at: number) => void> },
): KafkaGroup {
  return reader.openGroup({
    groupId: `${topic}-reader`,
    topics: [topic],
    assigner: 'everything',
    startOffset: () => 0,
    handlers: {
      assigned: () => {},
      revoked: () => {},
      gap: () => {},
      records: async (_topic, partition, { records }) => {
        for (const { key, value } of records) {
          if (key === null || value === null || Buffer.from(key).toString() !== PROBE) continue;
          if (next === undefined) arrivals.get(Buffer.from(value).toString())?.(performance.now());
          else await reader.produce([{ topic: next, partition, key, value }]);
        }
      },
      fatal: (error) => {
        throw error;
      },
    },
  });
}
