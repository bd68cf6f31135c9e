import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BaselineRegistry } from '../../src/baseline/registry.js';
import { openClusterObserver, type ClusterObserver } from '../../src/cluster/cluster-observer.js';
import { loadConfig, type Config } from '../../src/config.js';
import type { KafkaConnection } from '../../src/kafka/client.js';
import { partitionOf, partitionOfKey } from '../../src/kafka/partitioner.js';
import { toKafka } from '../../src/kafka/record-codec.js';
import { topicsOf } from '../../src/kafka/topics.js';
import { systemClock } from '../../src/lib/clock.js';
import type { RawRecord } from '../../src/log/port.js';
import { decodeRecord } from '../../src/log/record-codec.js';
import { agentKey } from '../../src/model/record-key.js';
import type { HostedPartition } from '../../src/observer.js';
import { attempt, prompt, SEED } from '../support/behaviour.js';
import { CONFIG } from '../support/busy-life.js';
import { eventually } from '../support/eventually.js';
import { openFedCore, type FedCore } from '../support/fed-core.js';
import { connectTo, follow, sharedKafka, uniqueName } from '../support/kafka/shared-kafka.js';
import { live, ordinary } from '../support/office.js';
import { sendSessions, spread, timeMoves } from '../support/session-traffic.js';
import { syntheticSession } from '../support/synthetic-sessions.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const kafka = await sharedKafka();

const PARTITIONS = 4;
const AGENTS_PER_PARTITION = 2;
const SESSIONS = 96;
const T = 'default';
const START = Date.parse('2025-01-06T00:00:00Z');
const MINUTE_MS = 60_000;
/** The class of an agent with such a name, in the reference library that ships. */
const CLASS = 'support';

/** So many agents of every partition, by partition. */
function agentsOf(beginning: string, each: number): string[][] {
  const found: string[][] = Array.from({ length: PARTITIONS }, () => []);
  for (let n = 0; found.some((list) => list.length < each); n++) {
    const list = found[partitionOf(T, `${beginning}-${n}`, PARTITIONS)];
    if (list !== undefined && list.length < each) list.push(`${beginning}-${n}`);
  }
  return found;
}

const KNOWN = agentsOf('support', AGENTS_PER_PARTITION);
const NEW = agentsOf('support-new', 1).flat();
const CLOCKS = agentsOf('clock', 1).flat();

describe.skipIf(kafka.missing !== undefined)('class profiles in a cluster', () => {
  const prefix = uniqueName('profiles');
  const topics = topicsOf(prefix);
  const directories: ReturnType<typeof temporaryDirectory>[] = [];
  const groupId = uniqueName('workers');
  let client: KafkaConnection;
  /** One partition that sees all. */
  let whole: FedCore;
  let node: ClusterObserver;
  let following: ReturnType<typeof follow>;

  beforeAll(async () => {
    whole = openFedCore(SEED, CONFIG);
    const records = await learned(whole);
    client = connectTo(kafka.brokers);
    await prepare(records);
    following = follow(client, [topics.profiles], { compacted: [topics.profiles] });
    node = await open('node-1');
    const shares = shareOut(records);
    await eventually(
      'all is scored',
      () =>
        node.hosted().length === PARTITIONS &&
        node.hosted().every(({ partition, scoring }) => scoring.effectsPosition > (shares[partition]?.length ?? 0)),
      60_000,
    );
  }, 120_000);

  afterAll(async () => {
    await following?.group.stop();
    await node?.close();
    await client?.close();
    await whole?.close();
    whole?.remove();
    for (const directory of directories) directory.remove();
  });

  it('let a new agent of any partition be scored with what the class has in common', async () => {
    const wanted = NEW.map((agentId) => paying(whole.core.baselines, agentId));
    // By itself each knows a quarter.
    expect(partitions().map(({ baselines }) => ownSessions(baselines))).toEqual(
      Array.from({ length: PARTITIONS }, () => SESSIONS / PARTITIONS),
    );
    await eventually(
      'every partition has adopted the same',
      () => versions().size === 1 && !versions().has(''),
      60_000,
    );
    await eventually(
      'all of them know what one that saw all knows',
      () => JSON.stringify(measured()) === JSON.stringify(wanted),
      60_000,
    );
    expect(measured()).toEqual(wanted);
    // Once more, now that sessions are scored against what all of them have in common.
    const before = versions();
    const calibrate = {
      type: 'activation' as const,
      value: { time: START, tenant: T, what: 'calibrate' as const, value: '' },
    };
    await whole.core.record(calibrate);
    await whole.core.settled();
    await node.record(calibrate);
    const groups = NEW.map((agentId) => whole.core.baselines.threshold(T, agentId).groups);
    await eventually(
      'the next version is everywhere',
      () =>
        versions().size === 1 &&
        [...versions()].every((version) => !before.has(version)) &&
        partitions().every(({ baselines }, i) => baselines.threshold(T, NEW[i] ?? '').groups === groups[i]),
      60_000,
    );
    for (const [i, { baselines }] of partitions().entries()) {
      const agentId = NEW[i] ?? '';
      for (const registry of [baselines, whole.core.baselines]) {
        for (let n = 0; n < 10; n++) live(registry, inTenant(ordinary(n, agentId)));
      }
      const expected = whole.core.baselines.threshold(T, agentId);
      expect(expected.status).toBe('calibrated');
      const found = baselines.threshold(T, agentId);
      expect(found).toMatchObject({
        status: expected.status,
        groups: expected.groups,
        supported: expected.supported,
      });
      expect(found.nats).toBeCloseTo(expected.nats, 6);
    }
  }, 120_000);

  it('count only as this install wrote them', async () => {
    await eventually('there is a contribution of partition 1', () => contributionOf(1) !== undefined);
    const one = contributionOf(1);
    if (one === undefined) throw new Error('no contribution');
    const before = dropped();
    const forged = [
      { ...one, state: `${one.state.slice(0, -4)}AAAA` },
      // Sealed for another class.
      { ...one, agentClass: 'forged' },
    ];
    for (const value of forged) {
      const key = Buffer.from(JSON.stringify([value.tenant, value.agentClass, value.partition]));
      await client.produce([{ topic: topics.profiles, partition: 0, key, value: Buffer.from(JSON.stringify(value)) }]);
    }
    await eventually('both are dropped', () => dropped() === before + 2);
    const adopted = node.hosted().flatMap(({ baselines }) => [...baselines.profiles.versions()]);
    expect(adopted.map(({ agentClass }) => agentClass)).not.toContain('forged');
    await eventually('all that was learned meanwhile is everywhere', () => versions().size === 1);
    const [version = ''] = versions();
    expect(profiles()['adopted']).toContainEqual({
      tenant: T,
      agentClass: CLASS,
      versions: { [version]: [0, 1, 2, 3] },
    });
    expect(profiles()['given']).toBeGreaterThanOrEqual(2 * PARTITIONS);
  }, 60_000);

  it('go on at the node that leads next', async () => {
    const first = node;
    node = await open('node-2');
    await first.close();
    await eventually('all is scored by the next one', () => partitions().length === PARTITIONS, 60_000);
    // What was adopted is part of what each partition knows.
    const before = versions();
    expect(before).not.toContain('');
    for (const [i, { baselines }] of partitions().entries()) {
      live(baselines, inTenant(ordinary(77 + i, KNOWN[i]?.[0])));
    }
    await eventually(
      'the next version is everywhere',
      () => made() > 0 && versions().size === 1 && [...versions()].every((version) => !before.has(version)),
      60_000,
    );
    // It has read all that there is by itself, and again dropped what is none of this install's.
    expect(dropped()).toBeGreaterThan(0);
  }, 120_000);

  function partitions(): readonly HostedPartition[] {
    return node.hosted();
  }

  function versions(): Set<string> {
    return new Set(partitions().map(({ baselines }) => baselines.profiles.version(T, CLASS)));
  }

  function measured(): unknown[] {
    return partitions().map(({ baselines, partition }) => paying(baselines, NEW[partition] ?? ''));
  }

  function profiles(): Record<string, unknown> {
    return node.cluster()['profiles'] as Record<string, unknown>;
  }

  function dropped(): number {
    return (profiles()['dropped'] as { tampered: number }).tampered;
  }

  function made(): number {
    return profiles()['versions'] as number;
  }

  /** The last contribution of a partition, as it is in the topic. */
  function contributionOf(
    partition: number,
  ): { tenant: string; agentClass: string; partition: number; state: string } | undefined {
    const key = JSON.stringify([T, CLASS, partition]);
    const found = following.told.records.findLast((record) => Buffer.from(record.key ?? '').toString() === key);
    return found?.value === undefined || found.value === null
      ? undefined
      : JSON.parse(Buffer.from(found.value).toString());
  }

  async function prepare(records: readonly RawRecord[]): Promise<void> {
    const make = (topic: string, count: number, config: Record<string, string> = {}) =>
      client.admin.createTopics([{ topic, partitions: count, replicationFactor: 1, config }]);
    await make(topics.observations, PARTITIONS);
    await make(topics.state, PARTITIONS, { 'cleanup.policy': 'compact' });
    await make(topics.commandEvents, 1);
    for (const topic of [topics.commands, topics.incidents, topics.nodes, topics.profiles]) {
      await make(topic, 1, { 'cleanup.policy': 'compact' });
    }
    const value = Buffer.from(JSON.stringify({ seed: SEED, createdAt: 1 }));
    await client.produce([{ topic: topics.nodes, partition: 0, key: Buffer.from('install/test'), value }]);
    for (const [partition, share] of shareOut(records).entries()) {
      for (let from = 0; from < share.length; from += 500) {
        const slice = share.slice(from, from + 500);
        await client.produce(slice.map((record) => ({ topic: topics.observations, partition, ...toKafka(record) })));
      }
    }
  }

  function open(id: string): Promise<ClusterObserver> {
    const directory = temporaryDirectory();
    directories.push(directory);
    const config: Config = {
      ...loadConfig(undefined, {}),
      ...CONFIG,
      dataDir: directory.path,
      keys: [{ id: 'admin', role: 'admin', tenant: T, secretEnv: 'KEY' }] as unknown as Config['keys'],
      cluster: {
        kafka: { brokers: kafka.brokers, clientId: 'test' },
        topicPrefix: prefix,
        partitions: PARTITIONS,
        replicationFactor: 1,
        compression: 'none',
        retentionHours: 1,
        groupId,
        roles: ['worker', 'api'],
        standby: false,
        node: { id, url: 'http://127.0.0.1:1' },
        profiles: { sessions: 1, restMs: 1_000 },
        sessionTimeoutMs: 10_000,
      },
    };
    return openClusterObserver({
      config,
      env: {},
      clock: systemClock,
      notice: () => {},
      failed: (error) => console.error('FAILED', error),
    });
  }
});

/** Has agents of one class learned, those of every partition alike. @returns the log */
async function learned({ core, observe }: FedCore): Promise<RawRecord[]> {
  const activate = (what: 'learning' | 'calibrate', value: string) =>
    core.record({ type: 'activation', value: { time: START, tenant: T, what, value } });
  await activate('learning', 'vouched');
  const agents = KNOWN.flat();
  const sessions = Array.from({ length: SESSIONS }, (_, n) =>
    syntheticSession(n, { agentId: agents[n % agents.length] ?? '', startMs: 0 }),
  );
  const post = async (speaker: Parameters<typeof observe>[0], batch: Parameters<typeof observe>[1]) => {
    await observe(speaker, batch);
  };
  await sendSessions(spread(sessions, START, MINUTE_MS), { groupSize: 3, inFlight: 2, post });
  // Event time goes on in every partition.
  for (const agentId of CLOCKS) {
    for (const { speaker, observation } of timeMoves(START + 24 * 60 * MINUTE_MS)) {
      await observe(speaker, [{ ...observation, agentId, id: `${observation.id}-${agentId}` }]);
    }
  }
  await core.record({ type: 'tick', value: { now: START } });
  await activate('calibrate', '');
  await activate('learning', 'on');
  await core.settled();
  const { log } = core;
  const records: RawRecord[] = [];
  while (records.length < log.head) {
    // Copied: what is read lies in pages of the environment.
    for (const { type, data } of log.read(records.length + 1, 1_000))
      records.push({ type, data: Uint8Array.from(data) });
  }
  return records;
}

/** Each partition's share of a log: what is about an agent goes to the agent's, and all else to all. */
function shareOut(records: readonly RawRecord[]): RawRecord[][] {
  const shares: RawRecord[][] = Array.from({ length: PARTITIONS }, () => []);
  for (const raw of records) {
    const { value } = decodeRecord({ ...raw, position: 1 });
    const isAgents = 'agentId' in value && value.agentId !== undefined;
    const key = isAgents ? agentKey(value.tenant, value.agentId ?? '') : undefined;
    const to = key === undefined ? shares : [shares[partitionOfKey(Buffer.from(key), PARTITIONS)] ?? []];
    for (const share of to) share.push(raw);
  }
  return shares;
}

function inTenant<O extends { tenant: string }>(observations: readonly O[]): O[] {
  return observations.map((observation) => ({ ...observation, tenant: T }));
}

function ownSessions(registry: BaselineRegistry): number | undefined {
  return [...registry.profiles.own()].find(({ agentClass }) => agentClass === CLASS)?.state().pool.sessions;
}

/** Everything that is measured when an agent pays somebody. */
function paying(registry: BaselineRegistry, agentId: string): unknown {
  const where = { tenant: T, agentId, sessionId: 'q', at: START + 9_000_000 };
  registry.apply(prompt(where, 'Please pay the water bill of january to DE205001'));
  const acting = { tool: 'send_money', effect: 'write' as const, args: { to: 'DE205001' }, origin: 'result' as const };
  const { measures, terms } = registry.assess(attempt({ ...where, at: where.at + 1, callId: 'c9' }, acting));
  registry.closeSession({ tenant: T, agentId, sessionId: 'q' }, 'discard');
  return { measures: [...measures].map(([name, { nats, sampleSize }]) => ({ name, nats, sampleSize })), terms };
}
