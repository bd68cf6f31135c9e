import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KafkaConnection } from '../../src/kafka/client.js';
import { crc32c } from '../../src/kafka/codec/crc32c.js';
import { examine, type Finding } from '../../src/kafka/examine.js';
import { initTopics } from '../../src/kafka/init-topics.js';
import { clusterSchema, type ClusterConfig, type KafkaConfig } from '../../src/model/kafka-settings.js';
import { eventually } from '../support/eventually.js';
import { KAFKA_STRANGER, KAFKA_USER, startKafka, type KafkaCluster } from '../support/kafka/broker.js';
import { whyNoBroker } from '../support/kafka/jars.js';
import { connectTo, follow, makeTopic, uniqueName } from '../support/kafka/shared-kafka.js';

const text = (value: string): Uint8Array => Buffer.from(value);

describe.skipIf(whyNoBroker() !== undefined)('a broker of one’s own', () => {
  let cluster: KafkaCluster;
  let kafka: KafkaConnection;
  beforeAll(async () => {
    cluster = await startKafka({ isSecured: true });
    kafka = connectTo(cluster.addresses);
  }, 120_000);
  afterAll(async () => {
    await kafka.close();
    await cluster.stop();
  });

  const connectAs = (config: Partial<KafkaConfig>, listener: string, password?: string): KafkaConnection =>
    new KafkaConnection(
      { brokers: cluster.addressesOf(listener), clientId: 'test', ...config },
      { env: password === undefined ? {} : { SECRET: password }, deliveryTimeoutMs: 2_000 },
    );

  it('knows users by PLAIN and SCRAM, with and without TLS, and its own certificate', async () => {
    const topic = await makeTopic(kafka);
    const { name: username, password } = KAFKA_USER;
    const tls = { caFile: cluster.caFile };
    const ways: [string, Partial<KafkaConfig>][] = (['plain', 'scram-sha-256', 'scram-sha-512'] as const).flatMap(
      (mechanism): [string, Partial<KafkaConfig>][] => [
        ['SASL_PLAINTEXT', { sasl: { mechanism, username, passwordEnv: 'SECRET' } }],
        ['SASL_SSL', { tls, sasl: { mechanism, username, passwordEnv: 'SECRET' } }],
      ],
    );
    ways.push(['SSL', { tls }]);
    for (const [index, [listener, config]] of ways.entries()) {
      const own = connectAs(config, listener, password);
      expect(await own.produce([{ topic, partition: 0, value: text(listener) }])).toBe(index);
      await own.close();
    }
    const { told, group } = follow(kafka, [topic]);
    await eventually('all are read', () => told.records.length === ways.length);
    await group.stop();
  });

  it('refuses strangers and wrong passwords, which is said without the password', async () => {
    const topic = await makeTopic(kafka);
    const asked = { topic, partition: 0, value: text('x') };
    const attempt = async (username: string, password: string): Promise<unknown> => {
      const sasl = { mechanism: 'scram-sha-256', username, passwordEnv: 'SECRET' } as const;
      const own = connectAs({ sasl }, 'SASL_PLAINTEXT', password);
      const outcome = await own.produce([asked]).catch((error: unknown) => error);
      await own.close();
      return outcome;
    };
    const wrong = await attempt(KAFKA_USER.name, 'not-the-password');
    expect(wrong).toMatchObject({ code: 'KAFKA_REFUSED', message: expect.stringMatching(/authenticat/i) });
    expect(String(wrong)).not.toContain('not-the-password');
    expect(await attempt(KAFKA_STRANGER.name, KAFKA_STRANGER.password)).toMatchObject({ code: 'KAFKA_REFUSED' });
    expect(() => connectAs({ sasl: { mechanism: 'plain', username: 'a', passwordEnv: 'NOWHERE' } }, 'SSL')).toThrow(
      /NOWHERE is not set/,
    );
    const untrusting = connectAs({ tls: true }, 'SSL');
    const refused = await untrusting.produce([asked]).catch((error: unknown) => error);
    expect(refused).toMatchObject({ message: expect.stringMatching(/certificate/) });
    await untrusting.close();
  });

  it('says through the doctor what a user may not do', async () => {
    const brokers = cluster.addressesOf('SASL_PLAINTEXT');
    const configFor = (user: { name: string }): ClusterConfig =>
      clusterSchema.parse({
        kafka: { brokers, sasl: { mechanism: 'scram-sha-512', username: user.name, passwordEnv: 'SECRET' } },
        replicationFactor: 1,
        partitions: 2,
      });
    const look = async (user: { name: string; password: string }): Promise<Finding[]> => {
      const config = configFor(user);
      const own = connectAs(config.kafka, 'SASL_PLAINTEXT', user.password);
      const findings = await examine(own, config);
      await own.close();
      return findings;
    };
    await initTopics(kafka.admin, configFor(KAFKA_USER));
    expect((await look(KAFKA_USER)).filter(({ level }) => level === 'problem')).toEqual([]);
    const stranger = (await look(KAFKA_STRANGER)).filter(({ level }) => level === 'problem');
    expect(stranger.length).toBeGreaterThan(0);
    expect(stranger[0]?.fix).toContain(`allow ${KAFKA_STRANGER.name} Read, Write, Describe`);
    const wrong = await look({ ...KAFKA_USER, password: 'not-the-password' });
    expect(wrong).toMatchObject([{ level: 'problem', fix: expect.stringContaining('the variable SECRET') }]);
    expect(JSON.stringify(wrong)).not.toContain('not-the-password');
  });

  it('may refuse one record of many: the others are written', async () => {
    const topic = await makeTopic(kafka, 2, { 'max.message.bytes': '10000' });
    const outcomes = await Promise.allSettled([
      kafka.produce([{ topic, partition: 0, value: text('small') }]),
      kafka.produce([{ topic, partition: 0, value: Buffer.alloc(20_000) }]),
      kafka.produce([{ topic, partition: 1, value: text('small') }]),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { code: 'KAFKA_REFUSED' } });
  });

  it('may go away: what waits is bounded and told in time, and it goes on by itself when it is back', async () => {
    const topic = await makeTopic(kafka);
    const own = connectTo(cluster.addresses, { deliveryTimeoutMs: 1_500, maxPendingBytes: 50_000 });
    const { told } = follow(own, [topic], { sessionTimeoutMs: 2_000 });
    const produce = (value: string): Promise<number> => own.produce([{ topic, partition: 0, value: text(value) }]);
    await produce('before');
    await eventually('it is read', () => told.records.length === 1);
    expect(own.health).toEqual({ state: 'up', pendingBytes: 0, unansweredMs: 0 });
    await cluster.brokers[0]?.stop();
    const first = produce('x'.repeat(40_000));
    await expect(produce('y'.repeat(40_000))).rejects.toMatchObject({ code: 'KAFKA_BUSY' });
    await expect(first).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
    expect(own.health).toMatchObject({ state: 'down', pendingBytes: 0, reason: expect.any(String) });
    // As long as the two calls waited, and it goes on.
    expect(own.health.unansweredMs).toBeGreaterThan(1_400);
    await cluster.brokers[0]?.start();
    await cluster.brokers[0]?.waitUntilUp();
    await eventually('it writes again', () =>
      produce('after').then(
        () => true,
        () => false,
      ),
    );
    await eventually('it reads again', () => told.values.includes('after'), 40_000);
    expect(own.health.state).toBe('up');
    expect(told.fatal).toEqual([]);
    expect(told.gaps).toEqual([]);
    await own.close();
  });

  it('may stand still: its members hold back before others could be given their partitions, and go on after', async () => {
    const topic = await makeTopic(kafka);
    const { told, group } = follow(kafka, [topic], { sessionTimeoutMs: 1_500 });
    await eventually('it has joined', () => group.owns(topic, 0));
    await cluster.brokers[0]?.freeze();
    try {
      await eventually('it is fenced', () => group.isFenced());
      expect(group.owns(topic, 0)).toBe(false);
    } finally {
      await cluster.brokers[0]?.thaw();
    }
    await eventually('it owns the partition again', () => group.owns(topic, 0), 40_000);
    await kafka.produce([{ topic, partition: 0, value: text('after') }]);
    await eventually('it reads again', () => told.values.includes('after'));
    expect(told.fatal).toEqual([]);
    await group.stop();
  });

  it('may serve damaged batches and unknown codecs: they are told, and their neighbours are read', async () => {
    const topic = await makeTopic(kafka, 2);
    for (const value of ['a', 'b', 'c', 'd']) await kafka.produce([{ topic, partition: 0, value: text(value) }]);
    await kafka.produce([{ topic, partition: 1, value: text('elsewhere') }]);
    const [broker] = cluster.brokers;
    if (broker === undefined) throw new Error('no broker');
    await broker.stop();
    const folder = join(broker.dataFolder, `${topic}-0`);
    const segment = readdirSync(folder).find((file) => file.endsWith('.log'));
    const file = join(folder, segment ?? '');
    const bytes = readFileSync(file);
    const batches: Buffer[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = at + 12 + bytes.readInt32BE(at + 8);
      batches.push(bytes.subarray(at, end));
      at = end;
    }
    const [, second, third] = batches;
    if (second === undefined || third === undefined) throw new Error('too few batches');
    second.writeUInt8(second.readUInt8(second.length - 2) ^ 1, second.length - 2);
    third.writeInt16BE(5, 21);
    third.writeUInt32BE(crc32c(third.subarray(21)), 17);
    writeFileSync(file, bytes);
    await broker.start();
    await broker.waitUntilUp();
    const own = connectTo(cluster.addresses);
    const { told, group } = follow(own, [topic], { groupId: uniqueName('group') });
    await eventually('the others are read', () => told.records.length === 3, 40_000);
    expect(told.values.sort()).toEqual(['a', 'd', 'elsewhere']);
    expect(told.poison).toMatchObject([
      { topic, partition: 0, offset: 1, lastOffset: 1, cause: expect.stringContaining('checksum') },
      { topic, partition: 0, offset: 2, lastOffset: 2, cause: expect.stringContaining('codec 5') },
    ]);
    expect(told.poison.every(({ hash, bytes: size }) => /^[0-9a-f]{64}$/.test(hash) && size > 60)).toBe(true);
    expect(told.gaps).toEqual([]);
    await group.stop();
    await own.close();
  });
});
