import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { HABIT_MEASURES } from '../../../src/baseline/habits.js';
import { MEASURES } from '../../../src/baseline/measures.js';
import { BaselineRegistry } from '../../../src/baseline/registry.js';
import type { Observation } from '../../../src/model/observation.js';
import type { Window } from '../../../src/model/window.js';
import { attempt, call, control, prompt, result } from '../../support/behaviour.js';
import { live, office, ordinary, type Office } from '../../support/office.js';

const T = 't';
const steal = { tool: 'send_money', effect: 'write' as const, args: { to: 'mallory' }, origin: 'result' as const };
const from = { originCall: 'c1', originTool: 'read_bill' };

function taught(count = 60): Office {
  const made = office();
  for (let n = 0; n < count; n++) live(made.registry, ordinary(n));
  return made;
}

function window(calls: number, agentId = 'agent-a'): Window {
  const counts = { prompts: 0, messages: 0, declared: 0, writes: 0, denied: 0, errors: 0, governance: 0, metrics: 0 };
  return {
    id: `w${calls}`,
    tenant: T,
    agentId,
    start: 0,
    end: 60_000,
    revision: 0,
    streams: { reasoning: 'present', action: 'present', governance: 'absent', metric: 'absent' },
    counts: { ...counts, calls, tokens: 0, late: 0 },
    declaredNotAttempted: [],
    attemptedNotDeclared: [],
    emitters: [],
    evidenceIds: [],
  };
}

/** Assesses and applies; the nats of every measure and term. */
function follow(registry: BaselineRegistry, observations: readonly Observation[]): object[] {
  return observations.map((observation) => {
    const { measures, terms, session, emitters, evidenceIds, baselineVersion } = registry.assess(observation);
    registry.apply(observation);
    return { measures: [...measures], terms, session, emitters, evidenceIds, baselineVersion };
  });
}

describe('assess', () => {
  let registry: BaselineRegistry;
  beforeAll(() => {
    ({ registry } = taught());
    registry.setLearning(T, 'frozen');
  });

  const begin = (sessionId: string) => {
    registry.apply(prompt({ at: 1, sessionId }, 'Please look at the rent bill and pay anna'));
    registry.apply(call({ at: 2, sessionId, callId: 'c1' }, { tool: 'read_bill', args: { name: 'rent' } }));
  };

  it('measures a call, with terms that add up to its risk', () => {
    begin('m1');
    const { measures, terms } = registry.assess(
      attempt({ at: 3, sessionId: 'm1', callId: 'c2' }, { ...steal, ...from }),
    );
    const ofCalls = [...MEASURES].filter(
      (name) => name !== 'callRate' && name !== 'metricAnomaly' && !HABIT_MEASURES.includes(name),
    );
    expect([...measures.keys()]).toEqual(expect.arrayContaining(ofCalls));
    expect(terms.reduce((sum, { nats }) => sum + nats, 0)).toBe(measures.get('combined')?.nats);
  });

  it('finds what was asked for harmless and what was read in a bill alarming', () => {
    begin('m2');
    const risk = (acting: typeof steal) =>
      registry.assess(call({ at: 3, sessionId: 'm2', callId: 'c2' }, acting)).measures.get('combined')?.nats ??
      Number.NaN;
    const asked = risk({ ...steal, args: { to: 'anna' }, origin: 'prompt' as never });
    const stolen = risk({ ...steal, ...from });
    expect(asked).toBeLessThan(registry.threshold(T, 'agent-a').nats);
    expect(stolen).toBeGreaterThan(registry.threshold(T, 'agent-a').nats);
  });

  it('names tool and field, never the value', () => {
    begin('m3');
    const { measures } = registry.assess(attempt({ at: 3, sessionId: 'm3' }, { ...steal, ...from }));
    const texts = [...measures.values()].map(({ observed, expected }) => `${observed} ${expected}`).join('\n');
    expect(measures.get('newTarget')?.observed).toContain('to of send_money');
    expect(measures.get('argumentOrigin')?.observed).toContain('the result of read_bill');
    expect(texts).not.toContain('mallory');
  });

  it('names the emitters and observations it rests on, the call’s own first', () => {
    begin('m4');
    const { emitters, evidenceIds } = registry.assess(attempt({ at: 3, sessionId: 'm4' }, { ...steal, ...from }));
    expect(emitters).toEqual(['gateway', 'runtime']);
    expect(evidenceIds).toEqual(['agent-a/m4/3', 'agent-a/m4/1', 'agent-a/m4/2']);
  });

  it('scores a call once, whichever of its observations comes first', () => {
    begin('m5');
    const asked = attempt({ at: 3, sessionId: 'm5', callId: 'c2' }, { ...steal, ...from });
    expect(registry.assess(asked).measures.size).toBeGreaterThan(0);
    registry.apply(asked);
    const audit = registry.assess(call({ at: 4, sessionId: 'm5', callId: 'c2' }, { ...steal, ...from }));
    expect(audit.measures.has('combined')).toBe(false);
    expect(audit.terms).toEqual([]);
    const changed = call({ at: 4, sessionId: 'm5', callId: 'c2' }, { ...steal, args: { to: 'oscar' } });
    expect(registry.assess(changed).measures.size).toBeGreaterThan(0);
  });

  it('does not read what came of the call', () => {
    begin('m6');
    const outcome = fc.record({
      decision: fc.constantFrom('allow' as const, 'deny' as const, 'error' as const),
      error: fc.string(),
      resultClass: fc.nat(2),
      reason: fc.string(),
      ruleId: fc.string(),
    });
    const at = { at: 3, sessionId: 'm6', callId: 'c2' };
    const expected = registry.assess(attempt(at, { ...steal, ...from }));
    fc.assert(
      fc.property(outcome, (more) => {
        const { measures, terms } = registry.assess(call(at, { ...steal, ...from }, more));
        expect(measures).toEqual(expected.measures);
        expect(terms).toEqual(expected.terms);
      }),
    );
  });

  it('has neither measures nor terms for anything but a call', () => {
    for (const observation of [
      prompt({ at: 1 }, 'hi'),
      result({ at: 2 }, 'x', 'y'),
      control({ at: 3 }, 'policy_deny'),
    ]) {
      const { measures, terms } = registry.assess(observation);
      expect([measures.size, terms.length]).toEqual([0, 0]);
    }
  });

  it('changes nothing', () => {
    const before = registry.stats();
    const first = registry.assess(attempt({ at: 1, agentId: 'nobody' }, steal));
    expect(registry.assess(attempt({ at: 1, agentId: 'nobody' }, steal))).toEqual(first);
    expect(registry.stats()).toEqual(before);
  });
});

describe('independence', () => {
  it('gives every agent the scores it would have without the order of the others', () => {
    const { registry, store, options } = taught(30);
    store.commit(registry);
    registry.setLearning(T, 'frozen');
    const streams = ['x', 'y', 'z'].map((agentId, i) => ordinary(i + 3, agentId));
    const run = (order: readonly number[]): Map<string, object[]> => {
      const fresh = new BaselineRegistry(options);
      fresh.restore();
      const at = streams.map(() => 0);
      const seen = new Map<string, object[]>(streams.map((_, i) => [String(i), []]));
      for (const pick of order) {
        const i = pick % streams.length;
        const observation = streams[i]?.[at[i] ?? 0];
        if (observation === undefined) continue;
        at[i] = (at[i] ?? 0) + 1;
        seen.get(String(i))?.push(...follow(fresh, [observation]));
      }
      streams.forEach((stream, i) => seen.get(String(i))?.push(...follow(fresh, stream.slice(at[i]))));
      return seen;
    };
    const expected = run([]);
    fc.assert(
      fc.property(fc.array(fc.nat(2), { maxLength: 9 }), (order) => {
        expect(run(order)).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });
});

describe('restart', () => {
  it('gives identical assessments, thresholds and versions, wherever it happens', () => {
    const stream: (Observation | 'close')[] = [];
    for (let n = 0; n < 45; n++) {
      const [first, ...rest] = ordinary(n, n % 4 === 0 ? 'agent-b' : 'agent-a');
      if (first !== undefined) stream.push(first, ...rest, 'close');
    }
    const run = (restarts: ReadonlySet<number>): unknown[] => {
      const made = office({ maxAgents: 5, maxSessions: 3, perAgent: 20 });
      let { registry } = made;
      const out: unknown[] = [];
      stream.forEach((step, i) => {
        if (restarts.has(i)) {
          made.store.commit(registry);
          registry = new BaselineRegistry(made.options);
          registry.restore();
        }
        const last = stream[i - 1];
        if (step !== 'close') out.push(...follow(registry, [step]));
        else if (last !== undefined && last !== 'close') {
          const outcome = i % 7 === 0 ? { quarantine: `inc${i}` } : ('learn' as const);
          out.push(registry.closeSession(last, outcome, { extraNats: i % 3, nowMs: i }));
          out.push(
            registry.threshold(T, 'agent-a'),
            registry.published.publish(T, last.agentId, i),
            registry.learnWindow(window(i)),
          );
        }
        if (i === 100) out.push(registry.release('inc35', true), registry.expireQuarantine(1e9));
      });
      return [...out, registry.promise(T), registry.published.rows(T, 'agent-b', 0), registry.callRate(window(90))];
    };
    const expected = run(new Set());
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(stream.length - 1), { maxLength: 6 }), (places) => {
        expect(run(new Set(places))).toEqual(expected);
      }),
      { numRuns: 15 },
    );
  });

  it('takes an agent that gave way to others and begins anew for another one, in the midst of a session', () => {
    const run = (isRestarted: boolean): unknown => {
      const made = office({ maxAgents: 4 });
      let { registry } = made;
      const running = { agentId: 'agent-a', sessionId: 'running' };
      const write = (at: number) => call({ ...running, at, callId: `c${at}` }, { tool: 'send_money', effect: 'write' });
      live(registry, ordinary(1));
      follow(registry, [prompt({ ...running, at: 2 }, 'Please pay anna'), write(3)]);
      // There is room for one agent that is not known yet.
      live(registry, ordinary(4, 'agent-b'));
      live(registry, [
        prompt({ at: 5, sessionId: 's5' }, 'What is new?'),
        call({ at: 5, sessionId: 's5', callId: 'c' }, { tool: 'read_news' }),
      ]);
      if (isRestarted) {
        made.store.commit(registry);
        registry = new BaselineRegistry(made.options);
        registry.restore();
      }
      return follow(registry, [write(6)]);
    };
    expect(run(false)).toEqual(run(true));
  });

  it('keeps the learning mode', () => {
    const { registry, store, options } = office();
    registry.setLearning(T, 'frozen');
    store.commit(registry);
    expect(new BaselineRegistry(options).learning(T)).toBe('frozen');
    expect(new BaselineRegistry(options).learning('another')).toBe('on');
  });
});

describe('learning', () => {
  it('learns clean sessions, not discarded, quarantined or empty ones', () => {
    const { registry } = office();
    live(registry, ordinary(1));
    live(registry, ordinary(2), false);
    const [first, ...rest] = ordinary(3);
    for (const observation of first === undefined ? [] : [first, ...rest]) registry.apply(observation);
    expect(registry.closeSession({ tenant: T, agentId: 'agent-a', sessionId: 's3' }, { quarantine: 'inc1' })).toEqual({
      learned: false,
      calibrated: false,
      publicationDue: false,
      finished: undefined,
    });
    registry.apply(control({ at: 1, sessionId: 'idle' }, 'policy_deny'));
    expect(registry.closeSession({ tenant: T, agentId: 'agent-a', sessionId: 'idle' }, 'learn').learned).toBe(false);
    expect(registry.closeSession({ tenant: T, agentId: 'agent-a', sessionId: 'none' }, 'learn').learned).toBe(false);
    expect(registry.stats()).toMatchObject({
      agents: 1,
      openSessions: 0,
      sessionsDiscarded: 1,
      incidentsInQuarantine: 1,
    });
    expect(registry.release('inc1', true)).toBe(1);
    expect(registry.release('inc1', true)).toBe(0);
    expect(registry.published.rows(T, 'agent-a', 0)[0]?.sessionCount).toBe(2);
  });

  it('learns nothing while frozen, and everything that is vouched for', () => {
    const { registry } = office();
    registry.setLearning(T, 'frozen');
    live(registry, ordinary(1));
    registry.learnWindow(window(5));
    expect(registry.agents(T)).toEqual([]);
    registry.setLearning(T, 'vouched');
    for (const observation of ordinary(2)) registry.apply(observation);
    const closed = registry.closeSession({ tenant: T, agentId: 'agent-a', sessionId: 's2' }, { quarantine: 'inc1' });
    expect(closed).toMatchObject({ learned: true });
    expect(registry.agents(T)).toEqual(['agent-a']);
  });

  it('learns windows of an incident when a person calls it harmless, and never otherwise', () => {
    const { registry } = office();
    live(registry, ordinary(1));
    const learned = () => registry.callRate(window(500)).measures.get('callRate')?.sampleSize;
    registry.learnWindow(window(5));
    registry.learnWindow(window(6), { quarantine: 'inc1' }, 1_000);
    registry.learnWindow(window(7), { quarantine: 'inc2' }, 1_000);
    registry.learnWindow(window(8), { quarantine: 'inc3' }, 1_000);
    registry.learnWindow(window(9), 'discard', 1_000);
    expect(learned()).toBe(1);
    registry.release('inc1', true);
    expect(learned()).toBe(2);
    registry.release('inc2', false);
    registry.expireQuarantine(60_000);
    registry.release('inc3', true);
    expect(learned()).toBe(2);
  });

  it('discards what nobody judged in time', () => {
    const { registry } = office();
    for (const n of [1, 50]) {
      for (const observation of ordinary(n)) registry.apply(observation);
      registry.closeSession(
        { tenant: T, agentId: 'agent-a', sessionId: `s${n}` },
        { quarantine: `inc${n}` },
        { extraNats: 0, nowMs: n * 1_000 },
      );
    }
    expect(registry.expireQuarantine(60_000)).toBe(1);
    expect(registry.stats()).toMatchObject({ sessionsDiscarded: 1, sessionsUnreviewed: 1 });
    expect([registry.release('inc1', true), registry.release('inc50', true)]).toEqual([0, 1]);
  });

  it('raises an agent’s version with each publication and shows its features', () => {
    const { registry } = taught(40);
    for (const calls of [5, 6, 5]) registry.learnWindow(window(calls));
    registry.published.publish(T, 'agent-a', 7);
    const published = registry.published.publish(T, 'agent-a', 8);
    expect(published.map(({ feature, version }) => [feature, version])).toEqual(
      ['tools', 'transitions', 'targets', 'argument-origins', 'request-words', 'call-rate'].map((name) => [name, 2]),
    );
    const state = (feature: string) =>
      JSON.parse(published.find((row) => row.feature === feature)?.state ?? '') as object;
    expect(state('tools')).toEqual({ read_bill: 40, send_money: 40 });
    expect(state('transitions')).toMatchObject({ 'request > read_bill': 40, 'read_bill > send_money': 40 });
    expect(state('argument-origins')).toMatchObject({ 'send_money.to asked': 40 });
    expect(state('targets')).toMatchObject({ party: { targets: 40, distinct: 7 } });
    expect(state('call-rate')).toMatchObject({ windows: 3, callsPerMinute: { median: 5 } });
    expect(registry.published.publish(T, 'nobody', 9)).toEqual([]);
  });

  it('measures the call rate of a window', () => {
    const { registry } = office();
    for (let i = 0; i < 50; i++) registry.learnWindow(window(4 + (i % 3)));
    expect(registry.callRate(window(5)).measures.get('callRate')?.nats).toBe(0);
    const burst = registry.callRate(window(60)).measures.get('callRate');
    expect(burst).toMatchObject({ sampleSize: 50, observed: '60.0 calls a minute' });
    expect(burst?.nats).toBeGreaterThan(10);
  });
});

describe('calibration', () => {
  it('warms up first, then says which budget the history supports', () => {
    const { registry } = office();
    expect(registry.threshold(T, 'agent-a')).toMatchObject({ nats: Number.POSITIVE_INFINITY, status: 'warming' });
    expect(registry.promise(T)).toMatch(/^Warming up/);
    const calibrated: number[] = [];
    for (let n = 0; n < 60; n++) {
      for (const observation of ordinary(n)) registry.apply(observation);
      if (registry.closeSession({ tenant: T, agentId: 'agent-a', sessionId: `s${n}` }, 'learn').calibrated) {
        calibrated.push(n + 1);
      }
    }
    // A quarter more each time. From 40 sessions on they are scored again in steps of eight, one with each session.
    expect(calibrated).toEqual([20, 25, 32, 44, 56]);
    const { status, groups, supported, strongestBudget } = registry.threshold(T, 'agent-a');
    expect([status, supported]).toEqual(['calibrated', false]);
    expect(strongestBudget).toBeCloseTo(1 / (groups + 1));
    expect(registry.promise(T)).toContain(`${groups} independent kinds of request`);
    expect(registry.threshold(T, 'never seen')).toMatchObject({ nats: Number.POSITIVE_INFINITY, status: 'warming' });
  });

  it('calibrates a tenant that is known well less often, and goes on to the end of each calibration', () => {
    const { registry } = office();
    const calibrated: number[] = [];
    for (let n = 0; n < 720; n++) {
      for (const observation of ordinary(n)) registry.apply(observation);
      const closed = registry.closeSession({ tenant: T, agentId: 'agent-a', sessionId: `s${n}` }, 'learn');
      if (closed.calibrated) calibrated.push(n + 1);
    }
    const late = calibrated.filter((sessions) => sessions > 256);
    expect(late.length).toBeGreaterThanOrEqual(2);
    expect(calibrated.length).toBeLessThan(20);
    const steps = late.slice(1).map((sessions, i) => sessions / (late[i] ?? sessions));
    for (const step of steps) expect(step).toBeGreaterThan(1.35);
  });

  it('goes on in the middle of a calibration after a restart, to the same thresholds', () => {
    const limits = { perTenant: 90 };
    const plain = office(limits);
    for (let n = 0; n < 140; n++) live(plain.registry, ordinary(n));
    let { registry, store, options } = office(limits);
    for (let n = 0; n < 140; n++) {
      live(registry, ordinary(n));
      if (n % 3 !== 0) continue;
      store.commit(registry);
      registry = new BaselineRegistry(options);
      registry.restore();
    }
    expect(registry.threshold(T, 'agent-a')).toEqual(plain.registry.threshold(T, 'agent-a'));
    expect(registry.promise(T)).toBe(plain.registry.promise(T));
  });

  it('scores a request that came hundreds of times in bounded steps', () => {
    const { registry } = office({ perAgent: 600 });
    for (let n = 0; n < 400; n++) {
      const same = ordinary(n).map((one) => (one.kind === 'prompt' ? { ...one, words: [1, 2, 3] } : one));
      live(registry, n % 10 === 0 ? ordinary(n) : same);
    }
    expect(registry.calibrate(T)).toBe(true);
    expect(registry.threshold(T, 'agent-a')).toMatchObject({ status: 'calibrated', supported: false });
  });

  it('leaves the baselines as they were', () => {
    const { registry } = taught(40);
    const asked = prompt({ at: 1, sessionId: 'q' }, 'Please look at the rent bill and pay anna');
    registry.apply(asked);
    const risky = attempt({ at: 2, sessionId: 'q' }, steal);
    const before = registry.assess(risky);
    expect(registry.calibrate(T)).toBe(true);
    expect(registry.calibrate(T)).toBe(true);
    expect(registry.assess(risky)).toEqual(before);
  });

  it('gives a class the budget of its profile, and says where the history is too short for it', () => {
    const { options } = office();
    const registry = new BaselineRegistry({
      ...options,
      budgets: {
        standard: 0.2,
        classes: new Map([['careful', 0.001]]),
        of: (agentId) => (agentId === 'agent-a' ? 0.001 : 0.2),
      },
    });
    for (const agentId of ['agent-a', 'agent-b']) {
      for (let n = 0; n < 36; n++) {
        for (const observation of ordinary(n, agentId)) registry.apply(observation);
        registry.closeSession({ tenant: T, agentId, sessionId: `s${n}` }, 'learn');
      }
    }
    registry.calibrate(T);
    const [strict, standard] = [registry.threshold(T, 'agent-a'), registry.threshold(T, 'agent-b')];
    expect(strict).toMatchObject({ budget: 0.001, supported: false, status: 'calibrated' });
    expect(standard).toMatchObject({ budget: 0.2, supported: true });
    expect(strict.nats).toBeGreaterThan(standard.nats);
    expect(registry.promise(T)).toMatch(
      /^Calibrated for 20 %.*not supported yet: 0\.10 % for careful; .* can be promised/,
    );
  });

  it('never sets a threshold below the surprise of the budget itself', () => {
    const { nats } = taught().registry.threshold(T, 'agent-a');
    expect(nats).toBeGreaterThanOrEqual(-Math.log(0.01));
  });

  it('counts risk from other signals', () => {
    const plain = office().registry;
    const noisy = office().registry;
    for (let n = 0; n < 30; n++) {
      for (const registry of [plain, noisy]) {
        for (const observation of ordinary(n)) registry.apply(observation);
        registry.closeSession({ tenant: T, agentId: 'agent-a', sessionId: `s${n}` }, 'learn', {
          extraNats: registry === noisy ? 12 : 10,
          nowMs: 0,
        });
      }
    }
    plain.calibrate(T);
    noisy.calibrate(T);
    expect(noisy.threshold(T, 'agent-a').nats - plain.threshold(T, 'agent-a').nats).toBeCloseTo(2);
  });

  it('has nothing to go by without history', () => {
    expect(office().registry.calibrate(T)).toBe(false);
  });
});

describe('unknown agents', () => {
  it('open no incident, and teach nobody until they are known', () => {
    const { registry } = taught(44);
    const before = registry.assess(attempt({ at: 1, agentId: 'newcomer' }, steal));
    const limit = registry.threshold(T, 'agent-a');
    for (let i = 0; i < 300; i++) live(registry, ordinary(100 + i, `stranger-${i}`));
    expect(registry.threshold(T, 'stranger-7').status).toBe('warming');
    expect(registry.threshold(T, 'agent-a')).toEqual(limit);
    expect(registry.assess(attempt({ at: 1, agentId: 'newcomer' }, steal))).toEqual(before);
  });

  it('are known after ten sessions, and then count with all they did', () => {
    const { registry } = taught(40);
    const alone = registry.promise(T);
    for (let i = 0; i < 12; i++) {
      expect(registry.threshold(T, 'apprentice').status).toBe(i < 10 ? 'warming' : 'calibrated');
      live(registry, ordinary(200 + i, 'apprentice'));
    }
    registry.calibrate(T);
    expect(registry.promise(T)).not.toBe(alone);
  });
});

describe('bounds', () => {
  it('stays bounded under a hundred thousand agents, and says what it forgot', () => {
    const { registry, store } = office({ maxAgents: 50, maxSessions: 100, perTenant: 60 });
    registry.setLearning(T, 'on');
    for (let i = 0; i < 100_000; i++) {
      const agentId = `agent-${i}`;
      const asked = prompt({ at: i, agentId }, `do thing${i}`);
      registry.assess(asked);
      registry.apply(asked);
      if (i % 250 === 0) registry.closeSession(asked, 'learn');
      if (i % 1_000 === 0) store.commit(registry);
    }
    store.commit(registry);
    expect(registry.stats()).toMatchObject({ agents: 12, openSessions: 100, agentsDropped: 388 });
    // Agents and their habits, sessions, history, and the learning mode: nobody was known well enough for the pool.
    expect(store.size()).toBeLessThanOrEqual(12 + 12 + 100 + 12 + 1);
  }, 120_000);

  it('keeps the same agents after a restart, the least recently learned going first', () => {
    const { registry, store, options } = office({ maxAgents: 12 });
    for (const [i, agentId] of ['a', 'b', 'c', 'a', 'd'].entries()) live(registry, ordinary(i, agentId));
    store.commit(registry);
    const again = new BaselineRegistry(options);
    again.restore();
    for (const each of [registry, again]) {
      expect(each.agents(T)).toEqual(['a', 'c', 'd']);
      live(each, ordinary(9, 'e'));
      expect(each.agents(T)).toEqual(['a', 'd', 'e']);
    }
  });
});
