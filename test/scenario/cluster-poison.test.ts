import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crc32c } from '../../src/kafka/codec/crc32c.js';
import { StoreClient } from '../../src/store/client.js';
import { readJournal } from '../support/cluster-ledger.js';
import { idsOfTraffic, makeTraffic, Sender } from '../support/cluster-traffic.js';
import { TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { startKafka, type Broker, type KafkaCluster } from '../support/kafka/broker.js';
import { whyNoBroker } from '../support/kafka/jars.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const PARTITIONS = 2;
const LOST = 40;

describe.skipIf(whyNoBroker() !== undefined)('a log that was damaged while nobody read it', () => {
  const directory = temporaryDirectory();
  const [before = [], after = []] = makeTraffic({ partitions: PARTITIONS, agentsPerPartition: 1, sessions: [8, 8] });
  let kafka: KafkaCluster;
  let cluster: TestCluster;
  let store: StoreClient;
  /** First offset that each partition's damage has. */
  let ends: number[] = [];

  beforeAll(async () => {
    kafka = await startKafka();
    cluster = await TestCluster.open({ directory: directory.path, brokers: kafka.addresses, partitions: PARTITIONS });
    const { url = '', database = '', writer } = cluster.store ?? {};
    store = new StoreClient({ url, database, username: '', password: '', ...writer });
    const node = await cluster.add();
    await cluster.assigned();
    await new Sender(cluster, before).run();
    await cluster.settled();
    await node.service.stop();

    const topic = `${cluster.prefix}.observations`;
    ends = (await cluster.kafka.topicOffsets(topic)).map(({ high }) => high);
    // Each stands in a batch of its own.
    const foreign = (partition: number, value: Buffer | null) => cluster.kafka.produce([{ topic, partition, value }]);
    await foreign(0, Buffer.from('not ours \u0000\u001b[31m'));
    await foreign(0, null);
    await foreign(0, Buffer.from('to be damaged'));
    await foreign(0, Buffer.from('to be in an unknown codec'));
    for (let n = 0; n < LOST; n++) await foreign(1, Buffer.from(`lost ${n}`));
    await cluster.kafka.admin.deleteRecords(topic, [{ partition: 1, offset: (ends[1] ?? 0) + LOST }]);
    const [broker] = kafka.brokers;
    if (broker === undefined) throw new Error('no broker');
    await broker.stop();
    damage(broker, `${topic}-0`, ends[0] ?? 0);
    await broker.start();
    await broker.waitUntilUp();
    await cluster.restart(node);
    await cluster.assigned();
    await new Sender(cluster, after).run();
    await cluster.settled();
  }, 180_000);

  afterAll(async () => {
    await store?.close();
    await cluster?.close();
    await kafka?.stop();
    directory.remove();
  }, 60_000);

  it('has a dead letter for each thing that is no record, with its cause, and everything else is stored', async () => {
    const [end = 0] = ends;
    const letters = async () =>
      store.select<{ reason: string; hash: string }>(
        `SELECT reason, hash FROM dead_letters WHERE principalId = 'parallax-log' ORDER BY reason`,
      );
    await eventually('all letters are stored', async () => (await letters()).length >= 4);
    const found = await letters();
    expect(found.map(({ reason }) => reason)).toEqual([
      expect.stringContaining(`offset ${end}: `),
      expect.stringContaining(`offset ${end + 1}: `),
      expect.stringMatching(new RegExp(`^offset ${end + 2}: .*checksum`)),
      expect.stringMatching(new RegExp(`^offset ${end + 3}: .*codec 5`)),
    ]);
    expect(found.every(({ hash }) => /^[0-9a-f]{64}$/.test(hash))).toBe(true);
    const stored = await store.select<{ id: string }>('SELECT id FROM observations_v ORDER BY id');
    expect(stored.map(({ id }) => id).sort()).toEqual(idsOfTraffic([before, after]));
  });

  it('raises an incident for what retention took before it was scored', async () => {
    const told = (await readJournal(cluster)).told.flat();
    const about = told.flatMap(({ effect }) => (effect.type === 'incident' ? [JSON.stringify(effect.value)] : []));
    expect(about.some((text) => text.includes(`${LOST} records from offset ${ends[1]}`))).toBe(true);
    const [node] = cluster.nodes;
    expect((await fetch(`${node?.service.url}/readyz`)).status).toBe(200);
  });
});

/** Breaks the last two batches of a partition on the disk of a broker that is down: bytes, and the codec. */
function damage({ dataFolder }: Broker, partition: string, from: number): void {
  const folder = join(dataFolder, partition);
  const segment = readdirSync(folder)
    .filter((file) => file.endsWith('.log'))
    .sort()
    .at(-1);
  const file = join(folder, segment ?? '');
  const bytes = readFileSync(file);
  for (let at = 0; at < bytes.length;) {
    const end = at + 12 + bytes.readInt32BE(at + 8);
    const batch = bytes.subarray(at, end);
    const offset = Number(batch.readBigInt64BE(0));
    if (offset === from + 2) batch.writeUInt8(batch.readUInt8(batch.length - 2) ^ 1, batch.length - 2);
    if (offset === from + 3) {
      batch.writeInt16BE(5, 21);
      batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
    }
    at = end;
  }
  writeFileSync(file, bytes);
}
