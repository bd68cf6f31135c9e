import { describe, expect, it } from 'vitest';
import { FALSE_ALARM_EVERY, REFERENCE_SESSIONS } from '../../../src/baseline/drift.js';
import { Habits, type FinishedSession } from '../../../src/baseline/habits.js';
import { FEATURES, type SessionFeatures } from '../../../src/baseline/session-features.js';
import { StoredState } from '../../support/stored-state.js';
import { random, type Random } from '../../support/random.js';

const WARM_UP = 10 + REFERENCE_SESSIONS;

/** A believable session: skewed counts, rare denials, a mix of short and long work. */
function session(chance: Random, { times = 1, tools = [1, 2] } = {}): FinishedSession {
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
  return { tenant: 't', agentId: 'a', features, tools: isLong ? [...tools, 3] : tools, reasoned: true };
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
  for (let i = 0; i < WARM_UP; i++) live(habits, session(chance));
  return habits;
}

describe('drift across sessions', () => {
  it('stays silent over tens of thousands of sessions in which nothing changes', () => {
    let alarms = 0;
    // Twelve agents, each with a reference of its own, so that an unlucky reference would show.
    for (let seed = 1; seed <= 12; seed++) {
      const chance = random(seed);
      const habits = warm(chance);
      for (let i = 0; i < 4_000; i++) if (live(habits, session(chance))) alarms++;
    }
    expect(alarms).toBeLessThanOrEqual((12 * 4_000) / FALSE_ALARM_EVERY);
  });

  it('finds a drip of 3 % a session that no single session shows, although the fast baseline walks along', () => {
    for (let seed = 21; seed <= 26; seed++) {
      const chance = random(seed);
      const habits = warm(chance);
      let found: number | undefined;
      let oddSessions = 0;
      for (let i = 1; i <= 120 && found === undefined; i++) {
        const one = session(chance, { times: 1.03 ** i });
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
      if (live(habits, session(chance, { tools: other }))) found = i;
    }
    expect(found).toBeLessThanOrEqual(110);
  });

  it('takes less of everything for no danger', () => {
    const chance = random(41);
    const habits = warm(chance);
    let alarms = 0;
    for (let i = 1; i <= 300; i++) if (live(habits, session(chance, { times: 0.98 ** i }))) alarms++;
    expect(alarms).toBe(0);
  });

  it('begins anew after an alarm, and is silent again where an operator vouches for what is', () => {
    const chance = random(51);
    const habits = warm(chance);
    let alarms = 0;
    for (let i = 0; i < 200; i++) if (live(habits, session(chance, { times: 4 }))) alarms++;
    expect(alarms).toBeGreaterThan(1);
    for (let i = 0; i < 400; i++) habits.learn(session(chance, { times: 4 }), true);
    let after = 0;
    for (let i = 0; i < 200; i++) if (live(habits, session(chance, { times: 4 }))) after++;
    expect(after).toBe(0);
  });

  it('goes on exactly after a restart between any two sessions', () => {
    const [one, two] = [random(61), random(61)];
    const whole = new Habits(() => undefined);
    const kept = new StoredState();
    const found: number[][] = [[], []];
    for (let i = 0; i < 200; i++) {
      const times = 1.03 ** Math.max(0, i - WARM_UP);
      if (live(whole, session(one, { times }))) found[0]?.push(i);
      const restarted = new Habits(kept.load);
      if (live(restarted, session(two, { times }))) found[1]?.push(i);
      kept.take(restarted);
    }
    expect(found[0]?.length).toBeGreaterThan(0);
    expect(found[1]).toEqual(found[0]);
  });
});
