import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgentBaseline, POOL_CAPS } from '../../../src/baseline/agent-baseline.js';
import {
  isOwnContribution,
  MAX_PROFILE_CHARS,
  profileFor,
  profileVersion,
  sealedContribution,
} from '../../../src/baseline/class-profile.js';
import { NO_SAMPLES } from '../../../src/baseline/class-samples.js';
import { unpackState } from '../../../src/baseline/packed-state.js';
import { mergedCounts, poolCountsOf, withAdopted } from '../../../src/baseline/pool-counts.js';
import { isGivingDue } from '../../../src/baseline/profile-cadence.js';
import type { BaselineRegistry } from '../../../src/baseline/registry.js';
import { StateSeal } from '../../../src/baseline/state-seal.js';
import { attempt, prompt, SEED } from '../../support/behaviour.js';
import {
  classPartitions,
  contributionsOf,
  exchange,
  profileRecords,
  type ClassPartition,
} from '../../support/class-partitions.js';
import { live, ordinary } from '../../support/office.js';

const T = 't';
const AGENTS = 12;
const SESSIONS = 12;
const PARTITIONS = 4;

/** All of a class's agents in one partition, and a quarter of them in each of four, learned in the same order. */
function quartered(): { whole: BaselineRegistry; parts: ClassPartition[] } {
  const [one] = classPartitions(1);
  if (one === undefined) throw new Error('no partition');
  const parts = classPartitions(PARTITIONS);
  for (let n = 0; n < SESSIONS; n++) {
    for (let agent = 0; agent < AGENTS; agent++) {
      const session = ordinary(n * AGENTS + agent, `office-${agent}`);
      live(one.registry, session);
      const part = parts[agent % PARTITIONS];
      if (part !== undefined) live(part.registry, session);
    }
  }
  return { whole: one.registry, parts };
}

/** Everything that is measured when an agent pays somebody. */
function paying(registry: BaselineRegistry, agentId: string, text = 'Please look at the water bill and pay greta') {
  const where = { agentId, sessionId: 'q', at: 9_000_000 };
  registry.apply(prompt(where, text));
  const acting = { tool: 'send_money', effect: 'write' as const, args: { to: 'greta' }, origin: 'result' as const };
  const { measures, terms } = registry.assess(attempt({ ...where, at: where.at + 1, callId: 'c9' }, acting));
  registry.closeSession({ tenant: T, agentId, sessionId: 'q' }, 'discard');
  return { measures: [...measures].map(([name, { nats, sampleSize }]) => ({ name, nats, sampleSize })), terms };
}

function toolNats(registry: BaselineRegistry, agentId: string): number {
  return paying(registry, agentId).measures.find(({ name }) => name === 'requestTool')?.nats ?? 0;
}

describe('what agents of a class have in common', () => {
  it('is for a new agent of any partition what it is where one partition saw all of them', async () => {
    const { whole, parts } = quartered();
    const wanted = paying(whole, 'office-new');
    for (const { registry } of parts)
      expect(toolNats(registry, 'office-new')).toBeGreaterThan(toolNats(whole, 'office-new'));
    await exchange(parts);
    for (const { registry } of parts) expect(paying(registry, 'office-new')).toEqual(wanted);
    // An agent that is known has its own counts beside it.
    parts.forEach(({ registry }, part) => {
      expect(paying(registry, `office-${part}`)).toEqual(paying(whole, `office-${part}`));
    });
  });

  it('makes the same thresholds, once all were calibrated with it', async () => {
    const { whole, parts } = quartered();
    whole.calibrate(T);
    for (const { registry } of parts) registry.calibrate(T);
    const before = parts.map(({ registry }, part) => registry.threshold(T, `office-${part}`).groups);
    await exchange(parts);
    // Once more, now that sessions were scored against what all of them have in common.
    for (const { registry } of parts) registry.calibrate(T);
    await exchange(parts);
    for (let n = 0; n < 10; n++) live(whole, ordinary(n, 'office-new'));
    const wanted = whole.threshold(T, 'office-new');
    parts.forEach(({ registry }, part) => {
      expect(before[part]).toBeLessThan(wanted.groups);
      for (let n = 0; n < 10; n++) live(registry, ordinary(n, 'office-new'));
      const threshold = registry.threshold(T, 'office-new');
      expect(threshold).toMatchObject({ groups: wanted.groups, status: 'calibrated', supported: wanted.supported });
      expect(threshold.nats).toBeCloseTo(wanted.nats, 9);
      const known = `office-${part}`;
      expect(registry.threshold(T, known).nats).toBeCloseTo(whole.threshold(T, known).nats, 9);
    });
  });

  it('gives thresholds to a partition that has seen nobody yet, and goes on with what it learns', async () => {
    const parts = classPartitions(2);
    const [first, empty] = parts;
    if (first === undefined || empty === undefined) throw new Error('no partition');
    for (let n = 0; n < 60; n++) live(first.registry, ordinary(n, `office-${n % 4}`));
    first.registry.calibrate(T);
    await exchange(parts);
    for (let n = 0; n < 9; n++) live(empty.registry, ordinary(n, 'office-new'));
    expect(empty.registry.threshold(T, 'office-new').status).toBe('warming');
    live(empty.registry, ordinary(9, 'office-new'));
    const { nats, groups, status } = empty.registry.threshold(T, 'office-new');
    expect({ status, isFinite: Number.isFinite(nats) }).toEqual({ status: 'calibrated', isFinite: true });
    expect(groups).toBeGreaterThan(first.registry.threshold(T, 'office-0').groups);
  });

  it('never comes back to where it was learned', async () => {
    const { parts } = quartered();
    const before = await contributionsOf(parts);
    const records = await exchange(parts);
    expect((await contributionsOf(parts)).map(({ state }) => state)).toEqual(before.map(({ state }) => state));
    // Again, and in whatever order: the same version changes nothing.
    const again = profileRecords([...before].reverse(), PARTITIONS);
    expect(again).toEqual(records);
    const taken = again.flatMap((record) => parts.map(({ registry }) => registry.adoptProfile(record)));
    expect(new Set(taken)).toEqual(new Set([false]));
  });

  it('is replaced by the next version, and what is learned meanwhile counts once', async () => {
    const { whole, parts } = quartered();
    await exchange(parts);
    for (let n = 200; n < 260; n++) {
      const agent = n % AGENTS;
      live(whole, ordinary(n, `office-${agent}`));
      const part = parts[agent % PARTITIONS];
      if (part !== undefined) live(part.registry, ordinary(n, `office-${agent}`));
    }
    await exchange(parts);
    for (const { registry } of parts) expect(paying(registry, 'office-new')).toEqual(paying(whole, 'office-new'));
  });

  it('is kept to its class, its tenant and its partition', async () => {
    const { parts } = quartered();
    const [first] = parts;
    if (first === undefined) throw new Error('no partition');
    const nothing = paying(first.registry, 'support-new');
    const records = await exchange(parts);
    expect(paying(first.registry, 'support-new')).toEqual(nothing);
    const [record] = records.filter(({ partition }) => partition === 1);
    if (record === undefined) throw new Error('no record');
    expect(first.registry.adoptProfile({ ...record, value: 'other' })).toBe(false);
    first.registry.setLearning(T, 'frozen');
    expect(first.registry.adoptProfile({ ...record, partition: 0, value: 'other' })).toBe(false);
    first.registry.setLearning(T, 'on');
    expect(() => first.registry.adoptProfile({ ...record, partition: 0, value: 'x', state: 'AAAA' })).toThrow(
      RangeError,
    );
  });

  it('is the same after a restart, and the same log twice gives the same', async () => {
    const runs = await Promise.all([0, 1].map(() => scored()));
    expect(runs[0]).toEqual(runs[1]);
  });

  it('costs nothing where there is one partition', () => {
    const [one] = classPartitions(1);
    for (let n = 0; n < 40; n++) if (one !== undefined) live(one.registry, ordinary(n, 'office-1'));
    one?.registry.calibrate(T);
    const puts: { key: string; value: Uint8Array }[] = [];
    one?.registry.drain(puts, []);
    expect(puts.filter(({ key }) => /^(own-samples|adopted-profile|shared-pool)/.test(key))).toEqual([]);
    expect([...(one?.registry.profiles.own() ?? [])]).toEqual([]);
  });
});

/** Learning, exchanges, restarts in between; all that is to be seen of it in the end. */
async function scored(): Promise<unknown> {
  const { parts } = quartered();
  await exchange(parts);
  for (const part of parts) {
    part.store.commit(part.registry);
    const before = paying(part.registry, 'office-new');
    part.registry = part.again();
    expect(paying(part.registry, 'office-new')).toEqual(before);
  }
  for (let n = 300; n < 400; n++) {
    const agent = n % AGENTS;
    const part = parts[agent % PARTITIONS];
    if (part !== undefined) live(part.registry, ordinary(n, `office-${agent}`));
  }
  for (const part of parts) {
    const live = [paying(part.registry, 'office-new'), part.registry.threshold(T, 'office-1')];
    part.store.commit(part.registry);
    part.registry = part.again();
    expect([paying(part.registry, 'office-new'), part.registry.threshold(T, 'office-1')]).toEqual(live);
  }
  await exchange(parts);
  return parts.map(({ registry, store }) => {
    store.commit(registry);
    return [...store.entries('')]
      .map(({ key, value }) => [key, Buffer.from(value).toString('base64')])
      .sort(([a = ''], [b = '']) => (a < b ? -1 : 1));
  });
}

describe('a contribution', () => {
  it('is taken from this install alone, whole, for the class and partition it says', async () => {
    const { parts } = quartered();
    const [seal, foreign] = await Promise.all([StateSeal.of(SEED), StateSeal.of(SEED + 1)]);
    const [one] = await contributionsOf(parts);
    if (one === undefined) throw new Error('nothing was contributed');
    expect(isOwnContribution(one, seal)).toBe(true);
    for (const forged of [
      { partition: 3 },
      { changes: one.changes + 1 },
      { tenant: 'other' },
      { agentClass: 'admin' },
      { format: 99 },
      { state: `${one.state.slice(0, -4)}AAAA` },
    ])
      expect(isOwnContribution({ ...one, ...forged }, seal)).toBe(false);
    expect(isOwnContribution(one, foreign)).toBe(false);
  });

  it('has a version that is the hash of all of them, in any order, the latest of each partition alone', async () => {
    const { parts } = quartered();
    const older = await contributionsOf(parts);
    for (let n = 500; n < 510; n++) if (parts[1] !== undefined) live(parts[1].registry, ordinary(n, 'office-1'));
    const newer = await contributionsOf(parts);
    const place = { tenant: T, agentClass: 'office' };
    const version = profileVersion(place, newer);
    expect(version.partitions).toEqual([0, 1, 2, 3]);
    expect(profileVersion(place, [...newer, ...older].reverse())).toEqual(version);
    expect(profileVersion(place, older).version).not.toBe(version.version);
    const limits = { entries: 1_000, requests: 100 };
    expect(profileFor(2, [...newer, ...older].reverse(), limits)).toBe(profileFor(2, newer, limits));
  });

  it('is cut to what one record can hold, the rarest first', async () => {
    const seal = await StateSeal.of(SEED);
    const many = Uint32Array.from({ length: 40_000 }, (_, i) => i * 7_919);
    const counts = { keys: many, counts: many.map((_, i) => (i % 1_000 === 0 ? 9 : 1)) };
    const pool = {
      sessions: 9,
      counts: { tools: counts, transitions: counts, leaving: counts, origins: counts, sources: counts },
      requests: [],
    };
    const state = { pool, samples: NO_SAMPLES };
    const place = { tenant: T, agentClass: 'x', changes: 1, state };
    const limits = { entries: 65_536, requests: 1_024 };
    const all = [0, 1, 2].map((partition) => sealedContribution({ ...place, partition }, limits, seal));
    expect(all.every((one) => isOwnContribution(one, seal))).toBe(true);
    const packed = profileFor(0, all, limits);
    expect(packed.length).toBeLessThanOrEqual(MAX_PROFILE_CHARS);
    const { pool: merged } = unpackState(packed) as { pool: typeof pool };
    expect(merged.counts.tools.counts.filter((count) => count === 18)).toHaveLength(40);
  });
});

const counted = fc.uniqueArray(fc.nat(40), { maxLength: 12 }).map((keys) => ({
  keys: Uint32Array.from(keys).sort(),
  counts: Uint32Array.from(keys, (_, i) => i + 1),
}));
const pools = fc.array(
  fc.record({
    sessions: fc.nat(9),
    counts: fc.record({ tools: counted, transitions: counted, leaving: counted, origins: counted, sources: counted }),
    requests: fc.uniqueArray(fc.nat(20), { maxLength: 8 }).chain((keys) =>
      fc.record({ sessions: fc.integer({ min: 1, max: 5 }), counts: counted }).map((request) =>
        keys.map((key) => ({
          ...request,
          key,
          words: Uint32Array.of(key),
          writeTargets: 1,
          readTargets: 0,
          learnedAt: 0,
        })),
      ),
    ),
  }),
  { maxLength: 6 },
);

describe('merged counts', () => {
  it('do not depend on the order of the pools, and add up where nothing is cut', () => {
    fc.assert(
      fc.property(pools, fc.integer({ min: 1, max: 20 }), (all, most) => {
        const limits = { entries: most, requests: most };
        expect(mergedCounts([...all].reverse(), limits)).toEqual(mergedCounts(all, limits));
        const whole = mergedCounts(all, { entries: 1_000, requests: 1_000 });
        const sum = (counts: Uint32Array) => counts.reduce((a, b) => a + b, 0);
        expect(sum(whole.counts.tools.counts)).toBe(all.reduce((a, one) => a + sum(one.counts.tools.counts), 0));
      }),
    );
  });

  it('make a pool that can be learned from and unlearned like any other', () => {
    fc.assert(
      fc.property(pools, (all) => {
        const adopted = mergedCounts(all, { entries: 1_000, requests: 1_000 });
        const pool = new AgentBaseline(POOL_CAPS, withAdopted(undefined, adopted));
        expect(poolCountsOf(pool.toPlain())).toEqual(adopted);
      }),
    );
  });
});

describe('the cadence of giving', () => {
  const cadence = { sessions: 50, restMs: 60_000 };
  it.each([
    ['nothing was learned yet', undefined, { changes: 0, at: 5 }, false],
    ['something was, for the first time', undefined, { changes: 1, at: 5 }, true],
    ['too little is new', { changes: 10, at: 0 }, { changes: 59, at: 90_000 }, false],
    ['enough is new', { changes: 10, at: 0 }, { changes: 60, at: 60_000 }, true],
    ['it was given out just now', { changes: 10, at: 0 }, { changes: 990, at: 59_999 }, false],
    ['the state was lost', { changes: 900, at: 0 }, { changes: 3, at: 60_000 }, true],
    ['the clock was set back', { changes: 10, at: 90_000 }, { changes: 60, at: 5 }, true],
  ])('where %s', (_, last, now, isDue) => {
    expect(isGivingDue(last, now, cadence)).toBe(isDue);
  });
});
