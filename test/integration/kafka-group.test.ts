import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaConnection } from '../../src/kafka/client.js';
import { eventually } from '../support/eventually.js';
import { connectTo, follow, makeTopic, sharedKafka, Told, uniqueName } from '../support/kafka/shared-kafka.js';

const shared = await sharedKafka();

describe.skipIf(shared.missing !== undefined)('a Kafka consumer group', () => {
  let kafka: KafkaConnection;
  beforeAll(() => {
    kafka = connectTo(shared.brokers);
  });
  afterAll(() => kafka.close());

  const write = (topic: string, partition: number, ...values: string[]): Promise<number> =>
    kafka.produce(values.map((value) => ({ topic, partition, value: Buffer.from(value) })));

  it('begins where it is told, and seeks', async () => {
    const topic = await makeTopic(kafka);
    await write(topic, 0, 'a', 'b', 'c', 'd');
    const { told, group } = follow(kafka, [topic], { startOffset: async () => 2 });
    await eventually('two are read', () => told.records.length === 2);
    expect(told.values).toEqual(['c', 'd']);
    group.seek(topic, 0, 1);
    await eventually('it begins again', () => told.records.length === 5);
    expect(told.values.slice(2)).toEqual(['b', 'c', 'd']);
    expect(told.gaps).toEqual([]);
    await group.stop();
  });

  it('holds back one partition and not the other, beats on meanwhile, and goes on in order', async () => {
    const topic = await makeTopic(kafka, 2);
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const told = new Told();
    const group = kafka.openGroup({
      groupId: uniqueName('group'),
      topics: [topic],
      assigner: 'colocated',
      startOffset: () => 0,
      sessionTimeoutMs: 1_500,
      maxQueuedBytes: 20_000,
      handlers: told.handlers({
        records: async (_topic, partition, { records }) => {
          if (partition === 0) await held;
          told.records.push(...records.map((record) => ({ ...record, topic, partition })));
        },
      }),
    });
    const big = 'x'.repeat(5_000);
    for (let round = 0; round < 10; round += 1) await write(topic, 0, `${round}${big}`);
    const startedAt = performance.now();
    // Longer than the session timeout: without heartbeats the partitions would be gone.
    while (performance.now() - startedAt < 3_000) {
      await write(topic, 1, 'quick');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await eventually('the other partition is read', () => told.records.length > 20);
    expect(told.records.every(({ partition }) => partition === 1)).toBe(true);
    expect(group.owns(topic, 0)).toBe(true);
    expect(told.revoked).toEqual([]);
    release();
    await eventually('the held ones are read', () => told.records.filter((r) => r.partition === 0).length === 10);
    const order = told.records.filter(({ partition }) => partition === 0).map(({ value }) => String(value)[0]);
    expect(order.join('')).toBe('0123456789');
    expect(told.gaps).toEqual([]);
    await group.stop();
  });

  it('pauses and resumes a partition', async () => {
    const topic = await makeTopic(kafka);
    const { told, group } = follow(kafka, [topic]);
    await eventually('it has joined', () => group.owns(topic, 0));
    group.pause(topic, 0);
    await write(topic, 0, 'a');
    const other = await makeTopic(kafka);
    const control = follow(kafka, [other]);
    await write(other, 0, 'elsewhere');
    await eventually('another reader has read', () => control.told.records.length === 1);
    expect(told.values).toEqual([]);
    group.resume(topic, 0);
    await eventually('it is read', () => told.records.length === 1);
    await Promise.all([group.stop(), control.group.stop()]);
  });

  it('tells of records that retention took, commits nothing by itself, and goes on behind them', async () => {
    const topic = await makeTopic(kafka);
    await write(topic, 0, 'a', 'b', 'c', 'd', 'e');
    await kafka.admin.deleteRecords(topic, [{ partition: 0, offset: 3 }]);
    const groupId = uniqueName('group');
    const { told, group } = follow(kafka, [topic], { groupId, startOffset: () => 1 });
    await eventually('the rest is read', () => told.records.length === 2);
    expect(told.gaps).toEqual([{ topic, partition: 0, expected: 1, found: 3 }]);
    expect(told.values).toEqual(['d', 'e']);
    expect(await kafka.admin.committed(groupId, [topic])).toEqual([]);
    await group.stop();
  });

  it('stands still where the log ends before what was read from it, until told where to go on', async () => {
    const topic = await makeTopic(kafka);
    await write(topic, 0, 'a', 'b');
    const { told, group } = follow(kafka, [topic], { startOffset: () => 40 });
    await eventually('it is told', () => told.gaps.length === 1);
    expect(told.gaps).toEqual([{ topic, partition: 0, expected: 40, found: 0 }]);
    expect(told.values).toEqual([]);
    group.seek(topic, 0, 1);
    await eventually('it goes on', () => told.records.length === 1);
    expect(told.values).toEqual(['b']);
    await group.stop();
  });

  it('commits what it is told, with its metadata, for the generation it is in and no other', async () => {
    const topic = await makeTopic(kafka);
    await write(topic, 0, 'a', 'b');
    const groupId = uniqueName('group');
    const { told, group } = follow(kafka, [topic], { groupId });
    await eventually('both are read', () => told.records.length === 2);
    const commit = { topic, partition: 0, offset: 2, metadata: 'checkpoint 7' };
    await group.commit([commit], group.generation);
    expect(await kafka.admin.committed(groupId, [topic])).toEqual([commit]);
    await expect(group.commit([{ ...commit, offset: 1 }], group.generation - 1)).rejects.toMatchObject({
      code: 'KAFKA_FENCED',
    });
    await expect(group.commit([{ ...commit, partition: 1 }], group.generation)).rejects.toMatchObject({
      code: 'KAFKA_FENCED',
    });
    expect(group.lag()).toEqual([{ topic, partition: 0, position: 2, highWatermark: 2, lag: 0 }]);
    await group.stop();
    await expect(group.commit([commit], group.generation)).rejects.toMatchObject({ code: 'KAFKA_FENCED' });
  });

  it('begins at the committed offset when it is told nothing', async () => {
    const topic = await makeTopic(kafka);
    await write(topic, 0, 'a', 'b', 'c');
    const groupId = uniqueName('group');
    const first = follow(kafka, [topic], { groupId, startOffset: () => undefined });
    await eventually('from the beginning', () => first.told.records.length === 3);
    await first.group.commit([{ topic, partition: 0, offset: 2 }], first.group.generation);
    await first.group.stop();
    const second = follow(kafka, [topic], { groupId, startOffset: () => undefined });
    await eventually('from the commit', () => second.told.records.length === 1);
    expect(second.told.values).toEqual(['c']);
    await second.group.stop();
  });

  it('gives partition N of all topics to one member, and moves few when members come and go', async () => {
    const topics = await Promise.all([makeTopic(kafka, 12), makeTopic(kafka, 12), makeTopic(kafka, 5)]);
    const groupId = uniqueName('group');
    const open = () => follow(kafka, topics, { groupId, sessionTimeoutMs: 3_000 });
    const first = open();
    await eventually('one has all', () => first.group.owned.length === 29);
    const second = open();
    await eventually('two share', () => first.group.owned.length > 0 && second.group.owned.length > 0);
    const third = open();
    const members = [first, second, third];
    const shares = (): number[][] =>
      members.map(({ group }) => [...new Set(group.owned.map(({ partition }) => partition))].sort((a, b) => a - b));
    await eventually('three share evenly', () => shares().every(({ length }) => length === 4));
    for (const { group } of members) {
      for (const { topic, partition } of group.owned) {
        const mates = topics.filter((each) => each === topic || partition < (each === topics[2] ? 5 : 12));
        expect(mates.every((each) => group.owned.some((o) => o.topic === each && o.partition === partition))).toBe(
          true,
        );
      }
    }
    expect(
      shares()
        .flat()
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 12 }, (_, index) => index));
    const before = shares();
    const lostBefore = second.told.revoked.length;
    await third.group.stop();
    await eventually('two share again', () => shares()[0]?.length === 6 && shares()[1]?.length === 6);
    expect(shares()[0]).toEqual(expect.arrayContaining(before[0] ?? []));
    expect(shares()[1]).toEqual(expect.arrayContaining(before[1] ?? []));
    expect(second.told.revoked).toHaveLength(lostBefore);
    const generations = members.map(({ told }) => told.assigned.map(({ generation }) => generation));
    for (const each of generations) expect(each).toEqual([...each].sort((a, b) => a - b));
    await Promise.all([first.group.stop(), second.group.stop()]);
  });

  it('gives everything to every member where that is asked for', async () => {
    const topic = await makeTopic(kafka, 3);
    const groupId = uniqueName('group');
    const members = [1, 2].map(() => follow(kafka, [topic], { groupId, assigner: 'everything' }));
    await eventually('both have all', () => members.every(({ group }) => group.owned.length === 3));
    await write(topic, 1, 'for all');
    await eventually('both read it', () => members.every(({ told }) => told.records.length > 0));
    expect(members.map(({ told }) => told.values)).toEqual([['for all'], ['for all']]);
    await Promise.all(members.map(({ group }) => group.stop()));
  });

  it('says that a topic is missing, and ends', async () => {
    const { told, group } = follow(kafka, [uniqueName('nowhere')]);
    await eventually('it is told', () => told.fatal.length > 0);
    expect(told.fatal[0]).toMatchObject({ code: 'KAFKA_REFUSED', message: expect.stringContaining('does not exist') });
    expect(group.isFenced()).toBe(true);
    await group.stop();
  });

  it('ends where a handler throws', async () => {
    const topic = await makeTopic(kafka);
    await write(topic, 0, 'a');
    const { told, group } = follow(kafka, [topic], {
      handlers: {
        records: () => {
          throw new Error('the store is full');
        },
      },
    });
    await eventually('it is told', () => told.fatal.length > 0);
    expect(told.fatal.map(({ message }) => message)).toEqual(['the store is full']);
    await group.stop();
  });
});
