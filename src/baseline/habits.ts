import type { Measure } from '../detect/port.js';
import { StateTable } from '../lib/state-table.js';
import { habitsOf, newHabits, normsOf, surpriseAbove, type AgentHabits, type Norms } from './agent-habits.js';
import { betOnDrift, marginsOf, newDrift, type DriftAlarm } from './drift.js';
import { pushRow, setRow, spreadOf } from './feature-rows.js';
import { mix } from './keys.js';
import { DEFAULT_LEARNING, type Learning } from './learning.js';
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
const DAY_MS = 24 * 60 * 60_000;
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
  /** Event time of its end, epoch ms; absent where an earlier version of this program stored it. */
  endedAt?: number;
  features: SessionFeatures;
  /** Hashes of the tools it used, and of the tool of each call. */
  tools: readonly number[];
  toolCalls?: readonly number[];
  reasoned: boolean;
}

/** How the sessions of all agents usually look: numbers of whole sessions, and whether they drift. */
export class Habits {
  readonly #table: StateTable<AgentHabits>;
  /** Worked out anew when the agent has learned; lives as long as the agent's habits are in memory. */
  readonly #norms = new WeakMap<AgentHabits, Norms>();
  /** Worked out anew when the reference has changed. */
  readonly #margins = new WeakMap<AgentHabits, { toolSessions: number; margins: readonly number[] }>();
  readonly #learning: Learning;
  #latest = { tenant: '', agentId: '', key: '' };

  constructor(load: (key: string) => Uint8Array | undefined, learning = DEFAULT_LEARNING) {
    this.#learning = learning;
    this.#table = new StateTable({ prefix: 'habits/', capacity: AGENTS_IN_MEMORY, load });
  }

  /** What is unusual about a running session; empty where nothing is. @param hasCalls it has made a call */
  measure(
    { tenant, agentId }: { tenant: string; agentId: string },
    session: Partial<SessionFeatures>,
    { isUnreasoned }: { isUnreasoned: boolean },
  ): ReadonlyMap<string, Measure> {
    const habits = this.#find(this.#keyOf(tenant, agentId));
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
    const habits = this.#find(key);
    const settings = this.#learning.drift;
    if (habits?.referenceMade !== true) return NO_MEASURES;
    const { reference, drift } = habits;
    const features = withTools(habits, session);
    const margins = this.#marginsOf(habits);
    const alarm = betOnDrift(drift, features, { reference, margins, at: session.endedAt ?? 0, mayFollow, settings });
    this.#table.touch(key);
    return alarm === undefined ? NO_MEASURES : new Map([['drift', driftMeasure(habits, features, alarm)]]);
  }

  /** @param isVouched an operator vouches for the traffic: it is what the reference is made of, and no drift */
  learn(session: FinishedSession, isVouched: boolean): void {
    const key = this.#keyOf(session.tenant, session.agentId);
    const habits = this.#find(key) ?? newHabits();
    const features = withTools(habits, session);
    habits.sessions++;
    if (session.reasoned) habits.reasoned++;
    pushRow(habits.recent, features, this.#learning.sessions.recent);
    if (isVouched || habits.referenceMade !== true) this.#refer(habits, session, features);
    habits.referenceMade ||= this.#isReferenceMade(habits, session, isVouched);
    if (isVouched) habits.drift = newDrift();
    this.#table.set(key, habits);
  }

  /** What is known of an agent; not to be changed. */
  of(tenant: string, agentId: string): Readonly<AgentHabits> | undefined {
    return this.#table.get(this.#keyOf(tenant, agentId));
  }

  /** Takes up what was known of an agent, where nothing is known of it now. */
  adopt(tenant: string, agentId: string, habits: AgentHabits): void {
    const key = this.#keyOf(tenant, agentId);
    if (this.#table.get(key) === undefined) this.#table.set(key, habits);
  }

  forget(tenant: string, agentId: string): void {
    this.#table.delete(this.#keyOf(tenant, agentId));
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#table.drain(puts, deletes);
  }

  #find(key: string): AgentHabits | undefined {
    const stored = this.#table.get(key);
    if (stored === undefined) return undefined;
    const habits = habitsOf(stored);
    if (habits !== stored) this.#table.set(key, habits);
    return habits;
  }

  /** It has its sessions, and has seen a week of them, or an operator vouches for them. */
  #isReferenceMade(habits: AgentHabits, { endedAt = 0 }: FinishedSession, isVouched: boolean): boolean {
    const { referenceSessions, referenceDays } = this.#learning.drift;
    const { reference, referenceSince = endedAt } = habits;
    if (reference.count < referenceSessions) return false;
    return isVouched || endedAt - referenceSince >= referenceDays * DAY_MS;
  }

  /** The reference is a fair sample of all sessions it may be made of (reservoir sampling, Vitter 1985). */
  #refer(
    habits: AgentHabits,
    { tools, toolCalls = [], endedAt = 0 }: FinishedSession,
    features: SessionFeatures,
  ): void {
    for (const tool of tools) addTo(habits.tools, tool);
    for (const tool of toolCalls) addTo(habits.toolCalls, tool);
    habits.calls += toolCalls.length;
    habits.toolSessions++;
    const { burnInSessions, referenceSessions } = this.#learning.drift;
    const offered = habits.toolSessions - burnInSessions;
    if (offered <= 0) return;
    habits.referenceSince ??= endedAt;
    if (habits.reference.count < referenceSessions) pushRow(habits.reference, features, referenceSessions);
    // Spread evenly by a mixed counter: as good as chance, and the same in every replay.
    else if (mix(offered, 1) % offered < referenceSessions)
      setRow(habits.reference, mix(offered, 2) % referenceSessions, features);
  }

  #marginsOf(habits: AgentHabits): readonly number[] {
    const { toolSessions, reference } = habits;
    const held = this.#margins.get(habits);
    if (held?.toolSessions === toolSessions) return held.margins;
    const margins = marginsOf(reference);
    this.#margins.set(habits, { toolSessions, margins });
    return margins;
  }

  #normsOf(habits: AgentHabits): Norms {
    const held = this.#norms.get(habits);
    if (held !== undefined && held.sessions === habits.sessions) return held;
    const norms = normsOf(habits, this.#learning.sessions.leastSpread);
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

/** Counts one more, while there is room. */
function addTo(counts: Map<number, number>, tool: number): void {
  const before = counts.get(tool);
  if (before !== undefined || counts.size < MAX_TOOLS) counts.set(tool, (before ?? 0) + 1);
}

/** The session's features with those that compare its tools with the reference. */
function withTools(habits: AgentHabits, { features, tools, toolCalls = [] }: FinishedSession): SessionFeatures {
  return { ...features, toolMix: toolSurprise(habits, tools), toolShares: shareDistance(habits, toolCalls) };
}

/**
 * How far the shares of the tools among a session's calls are from those of the reference, nats: the relative entropy
 * (Kullback, Leibler 1951). Unlike surprise it also rises where a usual tool takes the place of the others.
 */
function shareDistance({ toolCalls, calls }: AgentHabits, used: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const tool of used) counts.set(tool, (counts.get(tool) ?? 0) + 1);
  let sum = 0;
  for (const [tool, count] of counts) {
    const share = count / used.length;
    const usual = ((toolCalls.get(tool) ?? 0) + 0.5) / (calls + 0.5 * (toolCalls.size + 1));
    sum += share * Math.log(share / usual);
  }
  return Math.max(0, sum);
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
