import type { FinishedSession } from '../../src/baseline/habits.js';
import { Habits } from '../../src/baseline/habits.js';
import { DEFAULT_LEARNING } from '../../src/baseline/learning.js';
import { FEATURES, type SessionFeatures } from '../../src/baseline/session-features.js';
import type { Random } from './random.js';

export const DAY_MS = 24 * 60 * 60_000;
/** A Monday. */
const START = Date.UTC(2026, 0, 5);
/** Days until the reference is made, whatever the pace from five sessions a day on. */
const REFERENCE_DAYS = DEFAULT_LEARNING.drift.referenceDays + 3;

/** How a day's sessions differ from what they were: factors, and probabilities. */
export interface Change {
  /** Factor of everything that has a size: the season of a day or an hour. */
  size?: number;
  tokens?: number;
  pace?: number;
  retries?: number;
  /** Probability that a call is of the second tool; the others share the rest. */
  secondTool?: number;
  newTarget?: number;
  denied?: number;
  dependency?: number;
  approval?: number;
}

/** A believable session of ten calls or so with skewed sizes; nobody's real data. */
export function tracedSession(chance: Random, endedAt: number, change: Change = {}): FinishedSession {
  const size = Math.exp(0.35 * chance.normal()) * (change.size ?? 1);
  const calls = Math.max(1, Math.round(8 * size));
  const times = (probability = 0): number => {
    let happened = 0;
    for (let i = 0; i < calls; i++) if (chance.next() < probability) happened++;
    return happened;
  };
  const toolCalls = Array.from({ length: calls }, () => {
    if (chance.next() < (change.secondTool ?? 0.1)) return 2;
    return chance.next() < 0.4 ? 3 : 1;
  });
  const tokens = 2_000 * size * (change.tokens ?? 1);
  const denied = times(change.denied ?? 0.01);
  const features: SessionFeatures = {
    ...nothing(),
    calls,
    tokens,
    tokensPerRequest: tokens,
    costUsd: tokens / 100_000,
    denied,
    deniedShare: denied / calls,
    retries: times(0.02 * (change.retries ?? 1)),
    newTargets: chance.next() < (change.newTarget ?? 0.03) ? 0.5 : 0,
    risk: Math.max(0, 1 + chance.normal()),
    pace: 6 * Math.exp(0.2 * chance.normal()) * (change.pace ?? 1),
    dependencies: times(change.dependency ?? 0.01),
    approvals: times(change.approval ?? 0.01),
  };
  return { tenant: 't', agentId: 'a', endedAt, features, tools: [...new Set(toolCalls)], toolCalls, reasoned: true };
}

export interface Traced {
  /** Days from the first change to the first alarm; undefined where there was none. */
  day: number | undefined;
  /** What it was about. */
  observed: string;
  alarms: number;
  sessions: number;
  /** With `untilFirst`: surprise of the oddest single session before the alarm, nats. */
  oddestNats: number;
}

/**
 * An agent's life: the days in which its reference is made, then days that may differ. Every session is learned, as if
 * nobody had looked at any alarm: the worst case for a baseline.
 *
 * @param change by day, 0 being the first after the reference is made, and hour of the day (0 to 24); negative days are
 *   those of the reference
 * @param untilFirst stops at the first alarm
 */
export function trace(
  chance: Random,
  {
    days,
    sessionsADay,
    change,
    untilFirst = false,
  }: { days: number; sessionsADay: number; change: (day: number, hour: number) => Change; untilFirst?: boolean },
): Traced {
  const habits = new Habits(() => undefined);
  const traced: Traced = { day: undefined, observed: '', alarms: 0, sessions: 0, oddestNats: 0 };
  for (let day = -REFERENCE_DAYS; day < days; day++) {
    for (let i = 0; i < sessionsADay; i++) {
      const at = START + (day + REFERENCE_DAYS) * DAY_MS + (i * DAY_MS) / sessionsADay;
      const session = tracedSession(chance, at, change(day, (24 * i) / sessionsADay));
      if (day >= 0) traced.sessions++;
      if (day >= 0 && untilFirst) {
        const odd = habits.measure(session, session.features, { isUnreasoned: false });
        for (const { nats } of odd.values()) traced.oddestNats = Math.max(traced.oddestNats, nats);
      }
      const alarm = habits.testDrift(session, true).get('drift');
      habits.learn(session, false);
      if (alarm === undefined) continue;
      traced.alarms++;
      traced.day ??= day;
      traced.observed ||= alarm.observed;
      if (untilFirst) return traced;
    }
  }
  return traced;
}

export function nothing(): SessionFeatures {
  return Object.fromEntries(FEATURES.map((name) => [name, 0])) as SessionFeatures;
}
