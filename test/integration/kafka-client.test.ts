import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaConnection } from '../../src/kafka/client.js';
import { eventually } from '../support/eventually.js';
import { connectTo, follow, makeTopic, sharedKafka } from '../support/kafka/shared-kafka.js';

const shared = await sharedKafka();

describe.skipIf(shared.missing !== undefined)('the Kafka client', () => {
  let kafka: KafkaConnection;
  beforeAll(() => {
    kafka = connectTo(shared.brokers);
  });
  afterAll(() => kafka.close());

  const text = (value: string): Uint8Array => Buffer.from(value);

  it('appends the records of each call together, in the order of the calls, and says where', async () => {
    const topic = await makeTopic(kafka, 2);
    const calls = Array.from({ length: 300 }, (_, call) => ({
      partition: call % 2,
      records: Array.from({ length: (call % 5) + 1 }, (_, index) => `${call}.${index}`),
    }));
    const offsets = await Promise.all(
      calls.map(({ partition, records }) =>
        kafka.produce(records.map((value) => ({ topic, partition, value: text(value) }))),
      ),
    );
    const { told, group } = follow(kafka, [topic]);
    const total = calls.reduce((sum, { records }) => sum + records.length, 0);
    await eventually('all are read', () => told.records.length === total);
    for (const partition of [0, 1]) {
      const read = told.records.filter((record) => record.partition === partition);
      const own = calls.filter((call) => call.partition === partition);
      expect(read.map(({ value }) => value?.toString())).toEqual(own.flatMap(({ records }) => records));
      expect(read.map(({ offset }) => offset)).toEqual(read.map((_, index) => index));
      for (const [index, call] of calls.entries()) {
        if (call.partition !== partition) continue;
        expect(read[offsets[index] ?? -1]?.value?.toString()).toBe(`${index}.0`);
      }
    }
    expect(await kafka.topicOffsets(topic)).toEqual([
      { partition: 0, low: 0, high: offsets.length === 0 ? 0 : told.records.filter((r) => r.partition === 0).length },
      { partition: 1, low: 0, high: told.records.filter((r) => r.partition === 1).length },
    ]);
    await group.stop();
  });

  it('carries keys, headers, deletions and bytes as they are', async () => {
    const topic = await makeTopic(kafka);
    const bytes = Buffer.from([0, 255, 128, 10, 13]);
    await kafka.produce([
      { topic, partition: 0, key: bytes, value: bytes, headers: { t: bytes, empty: Buffer.alloc(0) } },
      { topic, partition: 0, key: text('gone'), value: null },
      { topic, partition: 0, value: Buffer.alloc(0) },
    ]);
    const { told, group } = follow(kafka, [topic]);
    await eventually('all are read', () => told.records.length === 3);
    expect(told.records.map(({ key, value }) => [key, value])).toEqual([
      [bytes, bytes],
      [text('gone'), null],
      [null, Buffer.alloc(0)],
    ]);
    expect({ ...told.records[0]?.headers }).toEqual({ t: bytes, empty: Buffer.alloc(0) });
    await group.stop();
  });
});
