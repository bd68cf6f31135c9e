import type { Measure } from '../detect/port.js';
import { StateTable } from '../lib/state-table.js';
import { newHabits, normsOf, RECENT_SESSIONS, surpriseAbove, type AgentHabits, type Norms } from './agent-habits.js';
import { betOnDrift, newDrift, REFERENCE_SESSIONS, type DriftAlarm } from './drift.js';
import { pushRow, setRow, spreadOf } from './feature-rows.js';
import { mix } from './keys.js';
import {
  FEATURE_WORDS,
  FEATURES,
  offScale,
  onScale,
  shown,
  type Feature,
  type SessionFeatures,
} from './session-features.js';

const AGENTS_IN_MEMORY = 1_024;
/** Learned sessions before the reference is begun: while an agent is new, everything it does is. */
const BURN_IN_SESSIONS = 10;
const MAX_TOOLS = 64;
/** Explanations of a finished session's drift that are not there. */
const NO_MEASURES: ReadonlyMap<string, Measure> = new Map();

/** Measures of a running session, and the features each is the highest surprise of. */
const SESSION_MEASURES = {
  sessionShape: ['calls', 'retries', 'seconds', 'distinctTools'],
  sessionTokens: ['tokens'],
  sessionCost: ['costUsd'],
  sessionDenied: ['denied'],
  silentReasoning: ['quietCalls'],
} as const satisfies Record<string, readonly Feature[]>;

/** Names of what is measured here: of a running session, and of a finished one (`drift`). */
export const HABIT_MEASURES = [...Object.keys(SESSION_MEASURES), 'unreasonedSession', 'drift'];

const GROUPS = Object.entries(SESSION_MEASURES).map(([name, features]) => ({
  name,
  // So many questions are asked at once: each must be the more surprising (Bonferroni).
  penalty: Math.log(features.length),
  features: features.map((feature) => ({ feature, index: FEATURES.indexOf(feature) })),
}));

/** A finished session, for the test of drift. */
export interface FinishedSession {
  tenant: string;
  agentId: string;
  features: SessionFeatures;
  /** Hashes of the tools it used. */
  tools: readonly number[];
  reasoned: boolean;
}

/** How the sessions of all agents usually look: numbers of whole sessions, and whether they drift. */
export class Habits {
  readonly #table: StateTable<AgentHabits>;
  /** Worked out anew when the agent has learned; lives as long as the agent's habits are in memory. */
  readonly #norms = new WeakMap<AgentHabits, Norms>();
  #latest = { tenant: '', agentId: '', key: '' };

  constructor(load: (key: string) => Uint8Array | undefined) {
    this.#table = new StateTable({ prefix: 'habits/', capacity: AGENTS_IN_MEMORY, load });
  }

  /** What is unusual about a running session; empty where nothing is. @param hasCalls it has made a call */
  measure(
    { tenant, agentId }: { tenant: string; agentId: string },
    session: Partial<SessionFeatures>,
    { isUnreasoned }: { isUnreasoned: boolean },
  ): ReadonlyMap<string, Measure> {
    const habits = this.#table.get(this.#keyOf(tenant, agentId));
    if (habits === undefined) return NO_MEASURES;
    const { spreads, samples } = this.#normsOf(habits);
    let found: Map<string, Measure> | undefined;
    for (const { name, penalty, features } of GROUPS) {
      let nats = 0;
      let oddest: { feature: Feature; value: number; centre: number } | undefined;
      for (const { feature, index } of features) {
        const spread = spreads[index];
        const value = session[feature] ?? 0;
        if (spread === undefined || value === 0) continue;
        const own = surpriseAbove(spread, onScale(feature, value)) - penalty;
        if (own <= nats) continue;
        nats = own;
        oddest = { feature, value, centre: spread.centre };
      }
      if (oddest === undefined) continue;
      const { feature, value, centre } = oddest;
      (found ??= new Map()).set(name, {
        nats,
        sampleSize: samples,
        observed: `${shown(feature, value)} ${FEATURE_WORDS[feature]} in this session`,
        expected: `about ${shown(feature, offScale(feature, centre))}, never more in ${samples} sessions`,
      });
    }
    if (isUnreasoned) {
      const nats = unreasonedNats(habits);
      if (nats > 0) (found ??= new Map()).set('unreasonedSession', unreasoned(habits, nats));
    }
    return found ?? NO_MEASURES;
  }

  /**
   * Tests a finished session for drift.
   *
   * @param mayFollow the session is learned from
   */
  testDrift(session: FinishedSession, mayFollow: boolean): ReadonlyMap<string, Measure> {
    const key = this.#keyOf(session.tenant, session.agentId);
    const habits = this.#table.get(key);
    if (habits === undefined || habits.reference.count < REFERENCE_SESSIONS) return NO_MEASURES;
    const { reference, drift } = habits;
    const features = { ...session.features, toolMix: toolSurprise(habits, session.tools) };
    const alarm = betOnDrift(drift, { reference, session: features, mayFollow });
    this.#table.touch(key);
    return alarm === undefined ? NO_MEASURES : new Map([['drift', driftMeasure(habits, features, alarm)]]);
  }

  /** @param isVouched an operator vouches for the traffic: it is what the reference is made of, and no drift */
  learn(session: FinishedSession, isVouched: boolean): void {
    const key = this.#keyOf(session.tenant, session.agentId);
    const habits = this.#table.get(key) ?? newHabits();
    const features = { ...session.features, toolMix: toolSurprise(habits, session.tools) };
    habits.sessions++;
    if (session.reasoned) habits.reasoned++;
    pushRow(habits.recent, features, RECENT_SESSIONS);
    if (habits.reference.count < REFERENCE_SESSIONS || isVouched) this.#refer(habits, session.tools, features);
    if (isVouched) habits.drift = newDrift();
    this.#table.set(key, habits);
  }

  forget(tenant: string, agentId: string): void {
    this.#table.delete(this.#keyOf(tenant, agentId));
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#table.drain(puts, deletes);
  }

  /** The reference is a fair sample of all sessions it may be made of (reservoir sampling, Vitter 1985). */
  #refer(habits: AgentHabits, tools: readonly number[], features: SessionFeatures): void {
    for (const tool of tools) {
      const sessions = habits.tools.get(tool);
      if (sessions !== undefined || habits.tools.size < MAX_TOOLS) habits.tools.set(tool, (sessions ?? 0) + 1);
    }
    habits.toolSessions++;
    const offered = habits.toolSessions - BURN_IN_SESSIONS;
    if (offered <= 0) return;
    if (habits.reference.count < REFERENCE_SESSIONS) pushRow(habits.reference, features, REFERENCE_SESSIONS);
    // Spread evenly by a mixed counter: as good as chance, and the same in every replay.
    else if (mix(offered, 1) % offered < REFERENCE_SESSIONS)
      setRow(habits.reference, mix(offered, 2) % REFERENCE_SESSIONS, features);
  }

  #normsOf(habits: AgentHabits): Norms {
    const held = this.#norms.get(habits);
    if (held !== undefined && held.sessions === habits.sessions) return held;
    const norms = normsOf(habits);
    this.#norms.set(habits, norms);
    return norms;
  }

  #keyOf(tenant: string, agentId: string): string {
    const latest = this.#latest;
    if (latest.agentId !== agentId || latest.tenant !== tenant || latest.key === '') {
      this.#latest = { tenant, agentId, key: JSON.stringify([tenant, agentId]) };
    }
    return this.#latest.key;
  }
}

/** Mean surprise of a session's tools under the reference, nats. */
function toolSurprise({ tools, toolSessions }: AgentHabits, used: readonly number[]): number {
  if (used.length === 0) return 0;
  let sum = 0;
  for (const tool of used) sum -= Math.log(((tools.get(tool) ?? 0) + 0.5) / (toolSessions + 1));
  return Math.max(0, sum / used.length);
}

/** Surprise of a session without any reasoning, nats (rule of succession); 0 where it is common. */
function unreasonedNats({ sessions, reasoned }: AgentHabits): number {
  const p = (sessions - reasoned + 1) / (sessions + 2);
  return p > 0.5 ? 0 : -Math.log(p);
}

function unreasoned({ sessions, reasoned }: AgentHabits, nats: number): Measure {
  return {
    nats,
    sampleSize: sessions,
    observed: 'no request and no message of the model in this session so far',
    expected: `reasoning, as in ${reasoned} of this agent's ${sessions} sessions`,
  };
}

function driftMeasure(habits: AgentHabits, session: SessionFeatures, { nats, feature }: DriftAlarm): Measure {
  const name = FEATURES[feature] ?? 'calls';
  const inWords = (scaled: number) => shown(name, offScale(name, scaled));
  const recent = inWords(spreadOf(habits.recent, feature, 0).centre);
  const reference = inWords(spreadOf(habits.reference, feature, 0).centre);
  return {
    nats,
    sampleSize: habits.reference.count,
    observed: `${shown(name, session[name])} ${FEATURE_WORDS[name]} in this session, about ${recent} lately`,
    expected: `about ${reference} a session, as in the ${habits.reference.count} sessions of the reference`,
  };
}
