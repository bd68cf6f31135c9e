import { afterAll, describe } from 'vitest';
import { systemClock } from '../../src/lib/clock.js';
import type { KafkaGroup } from '../../src/kafka/port.js';
import { fromKafka, toKafka } from '../../src/kafka/record-codec.js';
import { EmbeddedEnvironment } from '../../src/log/embedded-environment.js';
import { MirroredLog } from '../../src/log/mirrored-log.js';
import type { LogEntry, RemoteLog } from '../../src/log/port.js';
import { connectTo, follow, makeTopic, sharedKafka } from '../support/kafka/shared-kafka.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { describeLogContract, type LogFixture } from './log-contract.js';

/** One for each log that the contract makes. */
const PARTITIONS = 80;
const shared = await sharedKafka();
const kafka = connectTo(shared.brokers.length === 0 ? ['127.0.0.1:1'] : shared.brokers);
/** The log that is fed from each partition at present. */
const fed = new Map<number, MirroredLog>();
let reading: Promise<{ topic: string; group: KafkaGroup }> | undefined;
let nextPartition = 0;

/** One consumer feeds all logs, as a worker's does. */
async function startReading(): Promise<{ topic: string; group: KafkaGroup }> {
  const topic = await makeTopic(kafka, PARTITIONS, { 'max.message.bytes': String(24 * 2 ** 20) });
  const { group } = follow(kafka, [topic], {
    handlers: {
      records: async (_topic, partition, { records }) => {
        const entries = records.map((received): LogEntry => {
          const decoded = fromKafka(received);
          if ('poison' in decoded) throw new Error(decoded.poison);
          return { ...decoded, position: received.offset + 1 };
        });
        // What comes for a log that is closed is asked for again when it is opened.
        await fed
          .get(partition)
          ?.accept(entries)
          .catch(() => {});
      },
      fatal: (error) => {
        throw error;
      },
    },
  });
  return { topic, group };
}

async function create(): Promise<LogFixture> {
  reading ??= startReading();
  const { topic, group } = await reading;
  const partition = nextPartition;
  nextPartition += 1;
  if (partition >= PARTITIONS) throw new Error('too few partitions for so many logs');
  const directory = temporaryDirectory();
  // The contract reads at once what it has appended: a log that is shared has it when it has come back.
  const remote: RemoteLog = {
    append: async (records) => {
      const first = 1 + (await kafka.produce(records.map((each) => ({ topic, partition, ...toKafka(each) }))));
      await log.waitBeyond(first + records.length - 2, new AbortController().signal);
      return first;
    },
  };
  let environment: EmbeddedEnvironment;
  const open = async (begin: number): Promise<MirroredLog> => {
    environment = EmbeddedEnvironment.open({
      directory: directory.path,
      clock: systemClock,
      maxBytes: 2 ** 30,
      reserveBytes: 0,
      isReplica: true,
    });
    const opened = await MirroredLog.open({ environment, remote, begin, gap: () => {} });
    fed.set(partition, opened);
    group.seek(topic, partition, opened.head);
    return opened;
  };
  let log = await open(1);
  const close = async (): Promise<void> => {
    fed.delete(partition);
    await log.close();
    await environment.close();
  };
  return {
    log,
    reopen: async () => {
      await close();
      log = await open(log.head + 1);
      return log;
    },
    dispose: async () => {
      await close();
      directory.remove();
    },
  };
}

afterAll(() => kafka.close());

describe.skipIf(shared.missing !== undefined)('over a broker', () => {
  describeLogContract('Kafka', create);
});
