import { describe, expect, it } from 'vitest';
import { CallRates } from '../../../src/baseline/call-rates.js';
import { DEFAULT_LEARNING } from '../../../src/baseline/learning.js';
import type { Observation } from '../../../src/model/observation.js';
import { call } from '../../support/behaviour.js';
import { office, ordinary } from '../../support/office.js';
import { random } from '../../support/random.js';
import { DAY_MS, trace, type Change } from '../../support/session-traces.js';

const SESSIONS_A_DAY = 20;
/** What the detectors of single sessions ask for, nats. */
const ODD_NATS = 6.9;
const { falseAlarmEvery } = DEFAULT_LEARNING.drift;

/** The change of a day; before day 0 nothing has changed. */
const from =
  (change: (day: number) => Change) =>
  (day: number): Change =>
    day < 0 ? {} : change(day);

const dripped = (start: number) => (day: number) => Math.min(1, start * 1.01 ** day);

describe('a drip of 1 % a day', () => {
  it.each<[what: string, change: (day: number) => Change, seen: RegExp, byDay: number]>([
    ['tokens', (day) => ({ tokens: 1.01 ** day }), /tokens|US dollars/, 75],
    ['calls a minute', (day) => ({ pace: 1.01 ** day }), /calls a minute/, 55],
    ['share of a tool, by the hundredth', (day) => ({ secondTool: Math.min(1, 0.1 + 0.01 * day) }), /tools/, 60],
    ['share of a tool, by one part in a hundred', (day) => ({ secondTool: dripped(0.1)(day) }), /tools/, 170],
  ])('in %s is caught, while no session is odd and every one is learned', (_, change, seen, byDay) => {
    for (const seed of [1, 2]) {
      const traced = trace(random(seed), {
        days: byDay,
        sessionsADay: SESSIONS_A_DAY,
        change: from(change),
        untilFirst: true,
      });
      expect(traced).toMatchObject({ observed: expect.stringMatching(seen) as string });
      expect(traced.day).toBeGreaterThan(10);
      expect(traced.oddestNats).toBeLessThan(ODD_NATS);
    }
  });

  it('in the call rate of windows moves what is usual by a quarter and no further, so that the rate is odd in the end', () => {
    const rates = new CallRates();
    const chance = random(3);
    const rateOn = (day: number) => Math.round(20 * Math.exp(0.2 * chance.normal()) * 1.01 ** Math.max(0, day));
    let oddOn: number | undefined;
    for (let day = -14; day <= 365 && oddOn === undefined; day++) {
      let odd = 0;
      for (let window = 0; window < 40; window++) {
        const at = (day + 14) * DAY_MS + window * 60_000;
        const rate = rateOn(day);
        // The detector of call rates asks for 3 nats.
        if (rates.surprise(rate, at) > 3) odd++;
        rates.learn(rate, at);
      }
      if (day > 0 && odd > 20) oddOn = day;
    }
    expect(oddOn).toBeGreaterThan(30);
    expect(oddOn).toBeLessThan(110);
  });
});

describe('many small steps, each harmless', () => {
  it.each<[what: string, change: Change, seen: RegExp, byDay: number]>([
    ['another tool in place of the usual ones', { secondTool: 0.45 }, /tools/, 8],
    ['a new target in every third session', { newTarget: 0.33 }, /targets new/, 20],
    ['one call in ten denied', { denied: 0.1 }, /denied/, 8],
    ['retries', { retries: 6 }, /retries/, 8],
    ['twice as many tokens for each request', { tokens: 2 }, /tokens|US dollars/, 8],
    ['half as many calls a minute again', { pace: 1.6 }, /calls a minute/, 8],
    ['a dependency in every second session', { dependency: 0.08 }, /dependencies/, 15],
    ['approvals asked for in every second session', { approval: 0.08 }, /approvals/, 15],
  ])('%s', (_, change, seen, byDay) => {
    for (const seed of [11, 12]) {
      const traced = trace(random(seed), {
        days: byDay,
        sessionsADay: SESSIONS_A_DAY,
        change: from(() => change),
        untilFirst: true,
      });
      expect(traced.observed).toMatch(seen);
      expect(traced.oddestNats).toBeLessThan(ODD_NATS);
    }
  });
});

describe('poisoning', () => {
  it('of the known targets, a new one in every third session, is caught although each is learned', () => {
    const { registry } = office({ maxSessions: 10 });
    registry.setLearning('t', 'vouched');
    const close = (observations: readonly Observation[]) => {
      for (const observation of observations) registry.apply(observation);
      const [first] = observations;
      if (first === undefined) throw new Error('a session without observations');
      return registry.closeSession(first, 'learn');
    };
    for (let n = 0; n < 150; n++) close(ordinary(n));
    registry.setLearning('t', 'on');
    let foundAfter: number | undefined;
    for (let n = 150; n < 550 && foundAfter === undefined; n++) {
      const session = ordinary(n);
      if (n % 3 === 0) {
        const where = { agentId: 'agent-a', sessionId: `s${n}`, at: n * 1_000 + 3, callId: 'c3' };
        session.push(call(where, { tool: 'send_money', effect: 'write', args: { to: `stranger${n}` } }));
      }
      const closed = close(session);
      expect(closed.learned).toBe(true);
      const drift = closed.finished?.measures.get('drift');
      if (drift === undefined) continue;
      expect(drift.sampleSize).toBe(DEFAULT_LEARNING.drift.referenceSessions);
      foundAfter = n - 149;
    }
    expect(foundAfter).toBeLessThan(300);
  });

  it('in a burst is caught within the day', () => {
    for (const seed of [21, 22]) {
      const traced = trace(random(seed), {
        days: 1,
        sessionsADay: 60,
        change: from(() => ({ secondTool: 0.6, newTarget: 0.8 })),
        untilFirst: true,
      });
      expect(traced.day).toBe(0);
      // So little has it learned by then: a third of a day.
      expect(traced.sessions).toBeLessThan(30);
    }
  });
});

describe('false alarms of the test over sessions', () => {
  const agentsOf = (seeds: readonly number[], change: (day: number, hour: number) => Change) => {
    let [alarms, sessions] = [0, 0];
    for (const seed of seeds) {
      const traced = trace(random(seed), { days: 300, sessionsADay: SESSIONS_A_DAY, change });
      alarms += traced.alarms;
      sessions += traced.sessions;
    }
    return { alarms, sessions };
  };

  it('stay below the stated rate while nothing changes', () => {
    const { alarms, sessions } = agentsOf([31, 32, 33, 34, 35, 36, 37, 38], () => ({}));
    expect(sessions).toBe(48_000);
    expect(alarms).toBeLessThanOrEqual(sessions / falseAlarmEvery);
  });

  it('stay below it over days and weeks that have a season', () => {
    const weekday = (day: number) => (((day % 7) + 7) % 7 >= 5 ? 1.5 : 1);
    const { alarms, sessions } = agentsOf([41, 42, 43, 44, 45, 46, 47, 48], (day, hour) => ({
      size: weekday(day) * (1 + 0.3 * Math.sin((2 * Math.PI * hour) / 24)),
    }));
    expect(alarms).toBeLessThanOrEqual(sessions / falseAlarmEvery);
  });
});
