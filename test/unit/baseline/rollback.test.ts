import { describe, expect, it } from 'vitest';
import { KeptVersions, type StoredVersions } from '../../../src/baseline/kept-versions.js';
import { AGENT_CAPS, AgentBaseline } from '../../../src/baseline/agent-baseline.js';
import { BaselineRegistry } from '../../../src/baseline/registry.js';
import { decodeState } from '../../../src/lib/state-table.js';
import { attempt, call, prompt } from '../../support/behaviour.js';
import { memoryStore } from '../../support/memory-store.js';
import { live, office, ordinary } from '../../support/office.js';

const T = 't';
const A = 'agent-a';
const rollback = { toVersion: 1, by: 'ann', reason: 'it was taught by an intruder' };

/** What a call that was never seen before weighs, in a session that is not learned. */
function scores(registry: BaselineRegistry, sessionId: string): unknown {
  registry.apply(prompt({ at: 1, sessionId }, 'Please look at the rent bill and pay anna'));
  registry.apply(call({ at: 2, sessionId, callId: 'c1' }, { tool: 'read_bill', args: { name: 'rent' } }));
  const acting = { tool: 'send_money', effect: 'write' as const, args: { to: 'mallory' }, origin: 'result' as const };
  const { measures, terms } = registry.assess(attempt({ at: 3, sessionId, callId: 'c2' }, acting));
  registry.closeSession({ tenant: T, agentId: A, sessionId }, 'discard');
  return { measures: [...measures], terms };
}

/** Sessions that make the theft look usual. */
function poison(registry: BaselineRegistry, count: number): void {
  for (let n = 100; n < 100 + count; n++) {
    const sessionId = `s${n}`;
    live(registry, [
      prompt({ at: n, sessionId }, 'Please look at the rent bill and pay anna'),
      call(
        { at: n, sessionId, callId: 'c2' },
        { tool: 'send_money', effect: 'write', args: { to: 'mallory' }, origin: 'result' },
      ),
    ]);
  }
}

function taught() {
  const made = office();
  for (let n = 0; n < 30; n++) live(made.registry, ordinary(n));
  return made;
}

describe('a rollback', () => {
  it('gives exactly the scores of the version, under a new number, and says who asked for it and why', () => {
    const { registry } = taught();
    registry.published.publish(T, A, 1);
    const before = scores(registry, 'q1');
    const features = registry.published.rows(T, A, 1).map(({ feature, state }) => [feature, state]);
    poison(registry, 25);
    registry.published.publish(T, A, 2);
    expect(scores(registry, 'q2')).not.toEqual(before);

    const rows = registry.published.rollBack(T, A, { rollback, time: 3 });
    expect(scores(registry, 'q3')).toEqual(before);
    expect(rows.map(({ version, time }) => [version, time])).toEqual(rows.map(() => [3, 3]));
    expect(rows.filter(({ feature }) => feature !== 'rollback').map((r) => [r.feature, r.state])).toEqual(features);
    expect(JSON.parse(rows.find(({ feature }) => feature === 'rollback')?.state ?? '')).toEqual(rollback);
    expect(registry.published.kept(T, A).map(({ version, sessionCount }) => [version, sessionCount])).toEqual([
      [1, 30],
      [2, 55],
      [3, 30],
    ]);
    expect(registry.published.kept(T, A)[2]).toMatchObject({ time: 3, rollback });
  });

  it('leaves nothing of what was learned since in the thresholds', () => {
    const [clean, turned] = [taught(), taught()];
    for (const { registry } of [clean, turned]) registry.published.publish(T, A, 1);
    poison(turned.registry, 25);
    turned.registry.published.rollBack(T, A, { rollback, time: 3 });
    for (const { registry } of [clean, turned]) registry.calibrate(T);
    expect(turned.registry.threshold(T, A)).toEqual(clean.registry.threshold(T, A));
  });

  it('goes there and back again, and learns on', () => {
    const { registry } = taught();
    registry.published.publish(T, A, 1);
    poison(registry, 25);
    registry.published.publish(T, A, 2);
    const poisoned = registry.published.rows(T, A, 0).map(({ state }) => state);
    registry.published.rollBack(T, A, { rollback, time: 3 });
    for (let n = 200; n < 230; n++) live(registry, ordinary(n));
    registry.published.rollBack(T, A, { rollback: { ...rollback, toVersion: 2 }, time: 4 });
    expect(registry.published.rows(T, A, 0).map(({ state }) => state)).toEqual(poisoned);
    const last = registry.published.rollBack(T, A, { rollback, time: 5 });
    expect(last[0]).toMatchObject({ version: 5, sessionCount: 30 });
  });

  it('is the same wherever the program restarts', () => {
    const run = (restarts: ReadonlySet<number>): unknown[] => {
      const made = office();
      let { registry } = made;
      const steps: (() => unknown)[] = [
        ...Array.from({ length: 30 }, (_, n) => () => live(registry, ordinary(n))),
        () => registry.published.publish(T, A, 1),
        () => poison(registry, 25),
        () => registry.published.publish(T, A, 2),
        () => registry.published.rollBack(T, A, { rollback, time: 3 }),
        () => scores(registry, 'q'),
        ...Array.from({ length: 15 }, (_, n) => () => live(registry, ordinary(60 + n))),
        () => registry.published.rollBack(T, A, { rollback: { ...rollback, toVersion: 2 }, time: 4 }),
        () => scores(registry, 'r'),
        () => [registry.threshold(T, A), registry.published.kept(T, A), registry.knownAgents(T)],
      ];
      return steps.map((step, i) => {
        if (restarts.has(i)) {
          made.store.commit(registry);
          registry = new BaselineRegistry(made.options);
          registry.restore();
        }
        return step();
      });
    };
    const expected = run(new Set());
    for (const places of [[31], [33], [34], [35, 51], Array.from({ length: 60 }, (_, i) => i)]) {
      expect(run(new Set(places))).toEqual(expected);
    }
  });

  it('changes nothing where the version is not kept', () => {
    const { registry } = taught();
    registry.published.publish(T, A, 1);
    for (const [agentId, toVersion] of [
      [A, 2],
      [A, Number.NaN],
      ['nobody', 1],
    ] as const) {
      expect(registry.published.rollBack(T, agentId, { rollback: { ...rollback, toVersion }, time: 1 })).toEqual([]);
    }
    expect(registry.published.rows(T, A, 1)[0]?.version).toBe(1);
    expect(registry.agents(T)).toEqual([A]);
  });
});

describe('a baseline made anew from few sessions', () => {
  /** What an agent's last sessions make of it, and how the tenant stands then. */
  const run = (restarts: ReadonlySet<number>): unknown[] => {
    const elsewhere = office();
    for (let n = 0; n < 4; n++) live(elsewhere.registry, ordinary(300 + n));
    const state = elsewhere.registry.published.snapshot(T, A);
    if (state === undefined) throw new Error('nothing was learned');
    const made = office();
    let { registry } = made;
    const facts = () => {
      const { status, groups } = registry.threshold(T, A);
      const usage = registry.usage(T, A)?.sessions;
      return [status, groups, usage, registry.knownAgents(T), registry.agents(T), registry.stats().agents];
    };
    const origin = { rebuild: { observations: 12, sessions: 4, leftOut: 0, by: 'ann', reason: 'to see' } };
    const steps: (() => unknown)[] = [
      () => Array.from({ length: 30 }, (_, n) => live(registry, ordinary(n))),
      () => Array.from({ length: 12 }, (_, n) => live(registry, ordinary(n, 'agent-b'))),
      () => [registry.calibrate(T), facts()],
      () => registry.published.adopt(T, A, { state, origin, time: 3 }),
      facts,
      () => live(registry, ordinary(400)),
      () => [registry.calibrate(T), facts()],
      () => Array.from({ length: 12 }, (_, n) => live(registry, ordinary(500 + n))),
      () => [registry.calibrate(T), facts(), scores(registry, 'q')],
      () => [...registry.published.kept(T, A)],
    ];
    return steps.map((step, i) => {
      if (restarts.has(i)) {
        made.store.commit(registry);
        registry = new BaselineRegistry(made.options);
        registry.restore();
      }
      return step();
    });
  };

  it('is one of an agent that is not known yet, wherever the program restarts', () => {
    const expected = run(new Set());
    expect(expected[4]).toEqual(['warming', 0, 4, 1, [A, 'agent-b'], 2]);
    for (const places of [[4], [5], [7], [4, 6, 8], Array.from({ length: 10 }, (_, i) => i)]) {
      expect(run(new Set(places))).toEqual(expected);
    }
  });
});

describe('kept versions', () => {
  it('are the last eight of an agent that is known', () => {
    const { registry } = office();
    live(registry, ordinary(0));
    registry.published.publish(T, A, 1);
    expect(registry.published.kept(T, A)).toEqual([]);
    for (let n = 1; n < 12; n++) live(registry, ordinary(n));
    for (let time = 2; time < 14; time++) registry.published.publish(T, A, time);
    expect(registry.published.kept(T, A).map(({ version }) => version)).toEqual([6, 7, 8, 9, 10, 11, 12, 13]);
    expect(registry.stats()).toMatchObject({ versionsKept: 8, versionsDropped: 4 });
  });

  it('are bounded in bytes over all agents, oldest first, over a restart too', () => {
    const baseline = new AgentBaseline(AGENT_CAPS);
    const keep = (kept: KeptVersions, agentId: string) =>
      kept.keep({ tenant: T, agentId }, { baseline: baseline.toPlain() }, { version: 0, sessionCount: 0, time: 1 });
    const store = memoryStore();
    const one = new KeptVersions(store.load);
    keep(one, 'a');
    const roomForThree = new KeptVersions(store.load, 3.5 * one.bytes);
    for (const agentId of ['a', 'b', 'c']) keep(roomForThree, agentId);
    store.commit(roomForThree);
    const again = new KeptVersions(store.load, 3.5 * one.bytes);
    // As the table stored them.
    again.restore([...store.entries('kept-versions/')].map(({ value }) => decodeState(value) as StoredVersions));
    keep(again, 'd');
    expect(['a', 'b', 'c', 'd'].map((agentId) => again.of(T, agentId).length)).toEqual([0, 1, 1, 1]);
    expect(again.find({ tenant: T, agentId: 'a', version: 0 })).toBeUndefined();
    expect(again.find({ tenant: T, agentId: 'b', version: 0 })).toMatchObject({ baseline: { sessions: 0 } });
    again.forgetAgent(T, 'b');
    expect([again.size, again.dropped, again.find({ tenant: T, agentId: 'b', version: 0 })]).toEqual([2, 2, undefined]);
  });
});
