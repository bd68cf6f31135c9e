import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openClusterObserver, type ClusterObserver } from '../../src/cluster/cluster-observer.js';
import { loadConfig, type Config } from '../../src/config.js';
import type { KafkaConnection } from '../../src/kafka/client.js';
import { initTopics } from '../../src/kafka/init-topics.js';
import { partitionOfKey } from '../../src/kafka/partitioner.js';
import { toKafka } from '../../src/kafka/record-codec.js';
import { topicsOf } from '../../src/kafka/topics.js';
import { ManualClock, systemClock } from '../../src/lib/clock.js';
import type { RawRecord } from '../../src/log/port.js';
import { decodeRecord } from '../../src/log/record-codec.js';
import { agentKey } from '../../src/model/record-key.js';
import type { ClusterConfig } from '../../src/model/kafka-settings.js';
import type { LogRecord } from '../../src/model/log-record.js';
import { CONFIG, liveBusily, SEED, type Life } from '../support/busy-life.js';
import { eventually } from '../support/eventually.js';
import { connectTo, sharedKafka, uniqueName } from '../support/kafka/shared-kafka.js';
import { firstDifference } from '../support/same-effects.js';
import { scoreRecords } from '../support/scored-log.js';
import { syntheticSession } from '../support/synthetic-sessions.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const kafka = await sharedKafka();

describe.skipIf(kafka.missing !== undefined)('a log scored over Kafka', () => {
  let life: Life;
  let client: KafkaConnection;
  const directories: ReturnType<typeof temporaryDirectory>[] = [];
  const nodes: ClusterObserver[] = [];

  beforeAll(async () => {
    const sessions = (from: number, hijackEvery: number) =>
      Array.from({ length: 90 }, (_, n) =>
        syntheticSession(from + n, { agentId: `agent-${n % 3}`, startMs: 0, hijacked: n % hijackEvery === 4 }),
      );
    life = await liveBusily(sessions(0, 1_000), sessions(500, 5));
    client = connectTo(kafka.brokers);
  }, 120_000);

  afterAll(async () => {
    for (const node of nodes) await node.close();
    await client?.close();
    for (const directory of directories) directory.remove();
  });

  it.each([1, 3])(
    'gives what the embedded one gives, effect by effect, in %i partitions',
    async (partitions) => {
      const shares = split(life.records, partitions);
      const expected = await Promise.all(
        shares.map((records, partition) =>
          scoreRecords(records, { seed: SEED, config: CONFIG, place: { partition, partitions } }),
        ),
      );
      // Where there are several, more than one of them has something to do.
      const busy = expected.filter(({ outbox }) => outbox.length > 0).length;
      expect(busy).toBeGreaterThanOrEqual(Math.min(partitions, 2));
      const prefix = uniqueName('identical');
      await prepare(prefix, partitions, shares);
      const node = await open(prefix, partitions);
      await eventually('all is scored', () => isScored(node, shares), 60_000);
      for (const { partition, store } of node.hosted()) {
        const wanted = expected[partition]?.outbox ?? [];
        // Behind what was recorded come the leases of the coordinator, which the embedded log does not have.
        const outbox = store.outbox(0, wanted.length);
        expect(firstDifference(outbox, wanted)).toBeUndefined();
        expect(store.outbox(wanted.length, 1_000).every(({ effect }) => effect.type === 'allowance')).toBe(true);
      }
      // What all nodes are told is the same, whoever asks.
      const ids = (types: string[]) =>
        expected.flatMap(({ outbox }) =>
          outbox.flatMap(({ effect }) =>
            types.includes(effect.type) && 'id' in effect.value ? [effect.value.id] : [],
          ),
        );
      await eventually('all is published', () => {
        const shown = node.incidents.list({ tenant: 'default', limit: 1_000_000 }).map(({ id }) => id);
        return new Set(ids(['incident'])).size === shown.length;
      });
      const commands = node.commands.list({ tenant: 'default', limit: 1_000_000 }).map(({ id }) => id);
      expect(new Set(commands)).toEqual(new Set(ids(['command'])));
      expect(commands.length).toBeGreaterThan(0);
    },
    120_000,
  );

  it('says what to do where the topics are missing', async () => {
    await expect(open(uniqueName('missing'), 1)).rejects.toThrow(/observations, .* are not there.*parallax kafka init/);
  });

  async function prepare(prefix: string, partitions: number, shares: readonly RawRecord[][]): Promise<void> {
    const topics = topicsOf(prefix);
    await initTopics(client.admin, clusterOf(prefix, partitions));
    const value = Buffer.from(JSON.stringify({ seed: SEED, createdAt: 1 }));
    await client.produce([{ topic: topics.nodes, partition: 0, key: Buffer.from('install/test'), value }]);
    for (const [partition, records] of shares.entries()) {
      for (let from = 0; from < records.length; from += 500) {
        const slice = records.slice(from, from + 500);
        await client.produce(slice.map((record) => ({ topic: topics.observations, partition, ...toKafka(record) })));
      }
    }
  }

  async function open(prefix: string, partitions: number): Promise<ClusterObserver> {
    const directory = temporaryDirectory();
    directories.push(directory);
    const defaults = loadConfig(undefined, {});
    const config: Config = {
      ...defaults,
      ...CONFIG,
      dataDir: directory.path,
      keys: [{ id: 'admin', role: 'admin', tenant: 'default', secretEnv: 'KEY' }] as unknown as Config['keys'],
      cluster: clusterOf(prefix, partitions),
    };
    const node = await openClusterObserver({
      config,
      env: {},
      clock: new ManualClock(systemClock.now()),
      notice: () => {},
      failed: (error) => console.error('FAILED', error),
    });
    nodes.push(node);
    return node;
  }
});

/** Settings of the only node of a cluster. */
function clusterOf(prefix: string, partitions: number): ClusterConfig {
  return {
    kafka: { brokers: kafka.brokers, clientId: 'test' },
    topicPrefix: prefix,
    partitions,
    replicationFactor: 1,
    compression: 'none',
    retentionHours: 1,
    groupId: uniqueName('workers'),
    roles: ['worker', 'api'],
    standby: false,
    node: { id: 'node-1', url: 'http://127.0.0.1:1' },
    profiles: { sessions: 100, restMs: 900_000 },
    sessionTimeoutMs: 10_000,
  };
}

/** Each partition's share of a log: what is about an agent goes to the agent's, and all else to all. */
function split(records: readonly RawRecord[], partitions: number): RawRecord[][] {
  const shares: RawRecord[][] = Array.from({ length: partitions }, () => []);
  for (const raw of records) {
    const record = decodeRecord({ ...raw, position: 1 });
    const key = agentOf(record);
    const to = key === undefined ? shares : [shares[partitionOfKey(Buffer.from(key), partitions)] ?? []];
    for (const share of to) share.push(raw);
  }
  return shares;
}

function agentOf({ value }: LogRecord): string | undefined {
  return 'agentId' in value && value.agentId !== undefined ? agentKey(value.tenant, value.agentId) : undefined;
}

function isScored(node: ClusterObserver, shares: readonly RawRecord[][]): boolean {
  const hosted = node.hosted();
  return (
    hosted.length === shares.length &&
    hosted.every(({ partition, scoring }) => scoring.effectsPosition > (shares[partition]?.length ?? 0))
  );
}
