import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaConnection } from '../../src/kafka/client.js';
import { eventually } from '../support/eventually.js';
import { startKafka, type KafkaCluster } from '../support/kafka/broker.js';
import { whyNoBroker } from '../support/kafka/jars.js';
import { connectTo, follow, makeTopic } from '../support/kafka/shared-kafka.js';

const PARTITIONS = 6;

describe.skipIf(whyNoBroker() !== undefined)('three brokers', () => {
  let cluster: KafkaCluster;
  let kafka: KafkaConnection;
  beforeAll(async () => {
    cluster = await startKafka({ brokers: 3 });
    kafka = connectTo(cluster.addresses);
  }, 120_000);
  afterAll(async () => {
    await kafka.close();
    await cluster.stop();
  });

  it('lose nothing that was acknowledged while one is killed and comes back', async () => {
    const topic = await makeTopic(kafka, PARTITIONS, { 'min.insync.replicas': '2' }, 3);
    const acknowledged: { partition: number; offset: number; value: string }[] = [];
    const failures: unknown[] = [];
    const over = new AbortController();
    const write = async (partition: number): Promise<void> => {
      for (let count = 0; !over.signal.aborted; count += 1) {
        const value = `${partition}:${count}`;
        try {
          const offset = await kafka.produce([{ topic, partition, value: Buffer.from(value) }]);
          acknowledged.push({ partition, offset, value });
        } catch (error) {
          failures.push(error);
        }
      }
    };
    const writers = Array.from({ length: PARTITIONS }, (_, partition) => write(partition));
    const { told, group } = follow(kafka, [topic], { sessionTimeoutMs: 10_000 });
    const countBeyond = (count: number) =>
      eventually('more is acknowledged', () => acknowledged.length > count, 60_000);
    await countBeyond(200);
    const [victim] = cluster.brokers;
    await victim?.kill();
    const lastOf = (): Map<number, number> => new Map(acknowledged.map(({ partition, offset }) => [partition, offset]));
    const atKill = lastOf();
    await eventually(
      'every partition goes on without it',
      () => [...lastOf()].every(([partition, offset]) => offset > (atKill.get(partition) ?? 0) + 20),
      60_000,
    );
    await victim?.start();
    await victim?.waitUntilUp();
    await countBeyond(acknowledged.length + 200);
    over.abort();
    await Promise.all(writers);
    expect(failures).toEqual([]);
    await eventually(
      'all are read',
      () => new Set(told.values).size >= acknowledged.length && group.lag().every(({ lag }) => lag === 0),
      60_000,
    );
    const read = new Map(told.records.map((record) => [`${record.partition}/${record.offset}`, String(record.value)]));
    const lost = acknowledged.filter(({ partition, offset, value }) => read.get(`${partition}/${offset}`) !== value);
    expect(lost).toEqual([]);
    expect(told.gaps).toEqual([]);
    expect(told.fatal).toEqual([]);
    await group.stop();
  }, 180_000);
});
