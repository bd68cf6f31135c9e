import { describe, expect, it } from 'vitest';
import { Habits, type FinishedSession } from '../../../src/baseline/habits.js';
import { DEFAULT_LEARNING } from '../../../src/baseline/learning.js';
import { FEATURES, type SessionFeatures } from '../../../src/baseline/session-features.js';
import { StoredState } from '../../support/stored-state.js';
import { random, type Random } from '../../support/random.js';

const { burnInSessions, referenceDays, falseAlarmEvery } = DEFAULT_LEARNING.drift;
const DAY_MS = 24 * 60 * 60_000;
const SESSIONS_A_DAY = 20;
const WARM_UP = burnInSessions + referenceDays * SESSIONS_A_DAY + 1;

/** A believable session: skewed counts, rare denials, a mix of short and long work. */
function session(chance: Random, n: number, { times = 1, tools = [1, 2] } = {}): FinishedSession {
  const isLong = chance.next() < 0.3;
  const size = Math.exp(0.4 * chance.normal()) * (isLong ? 3 : 1);
  const features: SessionFeatures = {
    ...nothing(),
    calls: Math.round(4 * size) + 1,
    tokens: 2_000 * size * times,
    costUsd: 0.03 * size * times * Math.exp(0.1 * chance.normal()),
    denied: chance.next() < 0.05 ? 1 : 0,
    retries: chance.next() < 0.1 ? 1 : 0,
    newTargets: chance.next() < 0.3 ? 0.5 : 0,
    risk: Math.max(0, 1 + chance.normal()),
  };
  const used = isLong ? [...tools, 3] : tools;
  const toolCalls = used.flatMap((tool) => [tool, tool]);
  const endedAt = (n * DAY_MS) / SESSIONS_A_DAY;
  return { tenant: 't', agentId: 'a', endedAt, features, tools: used, toolCalls, reasoned: true };
}

function nothing(): SessionFeatures {
  return Object.fromEntries(FEATURES.map((name) => [name, 0])) as SessionFeatures;
}

/** One more live session. @returns whether it raised an alarm */
function live(habits: Habits, one: FinishedSession): boolean {
  const alarm = habits.testDrift(one, true).get('drift');
  habits.learn(one, false);
  return alarm !== undefined;
}

function warm(chance: Random): Habits {
  const habits = new Habits(() => undefined);
  for (let i = 0; i < WARM_UP; i++) live(habits, session(chance, i));
  return habits;
}

describe('drift across sessions', () => {
  it('stays silent over tens of thousands of sessions in which nothing changes', () => {
    let alarms = 0;
    // Twelve agents, each with a reference of its own, so that an unlucky reference would show.
    for (let seed = 1; seed <= 12; seed++) {
      const chance = random(seed);
      const habits = warm(chance);
      for (let i = 0; i < 4_000; i++) if (live(habits, session(chance, WARM_UP + i))) alarms++;
    }
    expect(alarms).toBeLessThanOrEqual((12 * 4_000) / falseAlarmEvery);
  });

  it('finds a drip of 3 % a session that no single session shows, although the fast baseline walks along', () => {
    for (let seed = 21; seed <= 26; seed++) {
      const chance = random(seed);
      const habits = warm(chance);
      let found: number | undefined;
      let oddSessions = 0;
      for (let i = 1; i <= 120 && found === undefined; i++) {
        const one = session(chance, WARM_UP + i, { times: 1.03 ** i });
        const { features } = one;
        const odd = habits.measure(one, features, { isUnreasoned: false }).get('sessionCost');
        if ((odd?.nats ?? 0) > 6.9) oddSessions++;
        if (live(habits, one)) found = i;
      }
      expect([seed, found !== undefined && found <= 80, oddSessions]).toEqual([seed, true, 0]);
    }
  });

  it('finds a slow change of tools', () => {
    const chance = random(31);
    const habits = warm(chance);
    let found: number | undefined;
    for (let i = 1; i <= 150 && found === undefined; i++) {
      const other = chance.next() < i / 60 ? [1, 9] : [1, 2];
      if (live(habits, session(chance, WARM_UP + i, { tools: other }))) found = i;
    }
    expect(found).toBeLessThanOrEqual(110);
  });

  it('takes less of everything for no danger', () => {
    const chance = random(41);
    const habits = warm(chance);
    let alarms = 0;
    for (let i = 1; i <= 300; i++) if (live(habits, session(chance, WARM_UP + i, { times: 0.98 ** i }))) alarms++;
    expect(alarms).toBe(0);
  });

  it('begins anew after an alarm, and is silent again where an operator vouches for what is', () => {
    const chance = random(51);
    const habits = warm(chance);
    let alarms = 0;
    for (let i = 0; i < 200; i++) if (live(habits, session(chance, WARM_UP + i, { times: 4 }))) alarms++;
    expect(alarms).toBeGreaterThan(1);
    for (let i = 0; i < 400; i++) habits.learn(session(chance, WARM_UP + i, { times: 4 }), true);
    let after = 0;
    for (let i = 0; i < 200; i++) if (live(habits, session(chance, WARM_UP + i, { times: 4 }))) after++;
    expect(after).toBe(0);
  });

  it('goes on exactly after a restart between any two sessions', () => {
    const [one, two] = [random(61), random(61)];
    const whole = new Habits(() => undefined);
    const kept = new StoredState();
    const found: number[][] = [[], []];
    for (let i = 0; i < WARM_UP + 100; i++) {
      const times = 1.03 ** Math.max(0, i - WARM_UP);
      if (live(whole, session(one, i, { times }))) found[0]?.push(i);
      const restarted = new Habits(kept.load);
      if (live(restarted, session(two, i, { times }))) found[1]?.push(i);
      kept.take(restarted);
    }
    expect(found[0]?.length).toBeGreaterThan(0);
    expect(found[1]).toEqual(found[0]);
  });
});
