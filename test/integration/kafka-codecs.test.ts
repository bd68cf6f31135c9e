import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaConnection } from '../../src/kafka/client.js';
import { partitionOfKey } from '../../src/kafka/partitioner.js';
import { eventually } from '../support/eventually.js';
import { javaConsume, javaProduce } from '../support/kafka/console.js';
import { whyNoBroker } from '../support/kafka/jars.js';
import { connectTo, follow, makeTopic, sharedKafka, uniqueName } from '../support/kafka/shared-kafka.js';

const shared = await sharedKafka();
const missing = shared.missing ?? whyNoBroker();
const CODECS = ['gzip', 'snappy', 'lz4', 'zstd'] as const;
const PARTITIONS = 12;

/** Records that compress well, badly and not at all, one of them larger than a block of any codec. */
const RECORDS = Array.from({ length: 200 }, (_, index) => ({
  key: index % 2 === 0 ? `tenant-${index % 7}\0agent-${index}` : `ü€😀${'k'.repeat(index)}`,
  value:
    index === 100
      ? Array.from({ length: 30_000 }, (_, at) => `${at * index}`).join(',')
      : `${index} ${'abc'.repeat(index)} ${Math.sin(index)}`,
}));

describe.skipIf(missing !== undefined)('compression, against Kafka’s own clients', () => {
  let kafka: KafkaConnection;
  beforeAll(() => {
    kafka = connectTo(shared.brokers);
  });
  afterAll(() => kafka.close());
  const [broker = ''] = shared.brokers;
  const line = ({ key, value }: { key: string; value: string }): string => `${key}\t${value}`;

  it('reads what Java compressed, from the partitions that Java chose', async () => {
    await Promise.all(
      CODECS.map(async (codec) => {
        const topic = await makeTopic(kafka, PARTITIONS);
        await javaProduce(broker, topic, codec, RECORDS);
        const { told, group } = follow(kafka, [topic]);
        await eventually('all are read', () => told.records.length + told.poison.length >= RECORDS.length, 40_000);
        expect(told.poison).toEqual([]);
        const read = told.records.map(({ key, value }) => ({ key: String(key), value: String(value) }));
        expect(read.map(line).sort()).toEqual(RECORDS.map(line).sort());
        expect(told.records.map(({ key }) => partitionOfKey(key ?? Buffer.alloc(0), PARTITIONS))).toEqual(
          told.records.map(({ partition }) => partition),
        );
        await group.stop();
      }),
    );
  });

  it('writes what Java reads', async () => {
    const prefix = uniqueName('java');
    await Promise.all(
      CODECS.map(async (codec) => {
        const own = connectTo(shared.brokers, { compression: codec });
        const topic = `${prefix}-${codec}`;
        await own.admin.createTopics([{ topic, partitions: 1, replicationFactor: 1, config: {} }]);
        await own.produce(
          RECORDS.map(({ key, value }) => ({
            topic,
            partition: 0,
            key: Buffer.from(`${codec}${key}`),
            value: Buffer.from(value),
          })),
        );
        await own.close();
      }),
    );
    const read = await javaConsume(broker, `${prefix}-.*`, RECORDS.length * CODECS.length);
    expect(read.sort()).toEqual(CODECS.flatMap((codec) => RECORDS.map((record) => `${codec}${line(record)}`)).sort());
  });
});
