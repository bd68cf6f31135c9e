import { describe, expect, it } from 'vitest';
import { Habits } from '../../../src/baseline/habits.js';
import { SessionActivity } from '../../../src/baseline/session-activity.js';
import { FEATURES, type SessionFeatures } from '../../../src/baseline/session-features.js';
import type { MetricObservation } from '../../../src/model/observation.js';
import { StoredState } from '../../support/stored-state.js';

const AGENT = { tenant: 't', agentId: 'a' };
const CALM = { isUnreasoned: false };

function features(values: Partial<SessionFeatures>): SessionFeatures {
  const nothing = Object.fromEntries(FEATURES.map((name) => [name, 0])) as SessionFeatures;
  return { ...nothing, ...values };
}

/** An agent with so many sessions of three to five calls. */
function known(sessions: number, { reasoned = true } = {}): Habits {
  const habits = new Habits(() => undefined);
  for (let i = 0; i < sessions; i++) {
    habits.learn({ ...AGENT, features: features({ calls: 3 + (i % 3), costUsd: 0.02 }), tools: [1], reasoned }, false);
  }
  return habits;
}

describe('the shape of a session', () => {
  it('is surprising only above every session that is remembered, and the more so the further', () => {
    const habits = known(40);
    const nats = (calls: number) => habits.measure(AGENT, { calls }, CALM).get('sessionShape')?.nats ?? 0;
    expect(nats(5)).toBe(0);
    expect(nats(6)).toBeLessThan(2);
    expect(nats(60)).toBeGreaterThan(nats(20));
    expect(nats(60)).toBeGreaterThan(6);
  });

  it('says what was seen, what is usual, and from how many sessions', () => {
    const measure = known(40).measure(AGENT, { costUsd: 2.5 }, CALM).get('sessionCost');
    expect(measure).toMatchObject({
      sampleSize: 40,
      observed: '2.50 US dollars in this session',
      expected: 'about 0.0200, never more in 40 sessions',
    });
  });

  it('says nothing about an agent that nothing is known of', () => {
    expect(new Habits(() => undefined).measure(AGENT, { calls: 900 }, { isUnreasoned: true }).size).toBe(0);
  });

  it('is the same after a restart', () => {
    const kept = new StoredState();
    const habits = known(40);
    kept.take(habits);
    expect(new Habits(kept.load).measure(AGENT, { calls: 60 }, CALM)).toEqual(
      habits.measure(AGENT, { calls: 60 }, CALM),
    );
  });
});

describe('a session without reasoning', () => {
  it('is as surprising as the agent has made it', () => {
    const nats = (habits: Habits) => habits.measure(AGENT, {}, { isUnreasoned: true }).get('unreasonedSession')?.nats;
    expect(nats(known(30))).toBeCloseTo(Math.log(32));
    expect(nats(known(30, { reasoned: false }))).toBeUndefined();
  });
});

describe('what a session does', () => {
  const metric = (kind: MetricObservation['kind'], values: Record<string, number>): MetricObservation => ({
    id: 'm',
    schemaVersion: 1,
    time: 1,
    observedAt: 1,
    ...AGENT,
    principalId: 'p',
    stream: 'metric',
    kind,
    values,
  });

  it('adds up samples, takes a summary for the total, and gives nothing back', () => {
    const activity = new SessionActivity();
    activity.metric(metric('sample', { costUsd: 0.5, inputTokens: 70, outputTokens: 30 }));
    activity.metric(metric('sample', { costUsd: -9, tokens: Number.NaN }));
    activity.metric(metric('sample', { costUsd: 0.25, tokens: 50, inputTokens: 40 }));
    expect([activity.costUsd, activity.tokens]).toEqual([0.75, 150]);
    activity.metric(metric('session_summary', { costUsd: 0.8, tokens: 120 }));
    expect([activity.costUsd, activity.tokens]).toEqual([0.8, 150]);
    activity.reasoning(5, 400);
    expect(activity.tokens).toBe(400);
  });

  it('counts repetition among the latest calls, retries after failures, and calls without a word', () => {
    const activity = new SessionActivity();
    for (let i = 0; i < 20; i++) {
      activity.call(7, 100);
      activity.outcome(7, i < 5);
    }
    expect([activity.sameCalls(100), activity.sameCalls(101), activity.retries]).toEqual([16, 0, 5]);
    expect([activity.quietCalls, activity.longestQuiet]).toEqual([20, 20]);
    activity.reasoning(9);
    activity.call(8, 200);
    const restored = new SessionActivity(activity.toPlain());
    expect([restored.quietCalls, restored.longestQuiet, restored.reasonedAt]).toEqual([1, 20, 9]);
    expect(restored.toPlain()).toEqual(activity.toPlain());
  });

  it('takes the next call of another tool for no retry', () => {
    const activity = new SessionActivity();
    activity.call(7, 1);
    activity.outcome(7, true);
    activity.call(8, 2);
    activity.call(7, 1);
    expect(activity.retries).toBe(0);
  });
});
