import { isCurrentDrift, newDrift, type DriftState } from './drift.js';
import { isCurrent, newRows, spreadOf, type FeatureRows, type Spread } from './feature-rows.js';
import { FEATURES } from './session-features.js';

/** How one agent's sessions usually look. Plain data: stored as it is. */
export interface AgentHabits {
  /** Sessions learned, and those of them with any reasoning. */
  sessions: number;
  reasoned: number;
  /** What is normal now: the latest sessions. */
  recent: FeatureRows;
  /** What was normal when the agent became known: it does not follow the latest sessions. */
  reference: FeatureRows;
  drift: DriftState;
  /** Sessions by tool, for how usual a session's tools are; changes no more once the reference is made. */
  tools: Map<number, number>;
  toolSessions: number;
  /** Calls by tool in the same sessions, and all of them. */
  toolCalls: Map<number, number>;
  calls: number;
  /** Event time at which the reference was begun, epoch ms; absent before. */
  referenceSince?: number;
  /** The reference is made: sessions are compared with it, and it takes no more of them. */
  referenceMade?: boolean;
}

export function newHabits(): AgentHabits {
  return {
    sessions: 0,
    reasoned: 0,
    recent: newRows(),
    reference: newRows(),
    drift: newDrift(),
    tools: new Map(),
    toolSessions: 0,
    toolCalls: new Map(),
    calls: 0,
  };
}

/** Habits as an earlier version of this program stored them knew fewer features: how sessions look is learned anew. */
export function habitsOf(stored: AgentHabits): AgentHabits {
  const { recent, reference, drift, sessions, reasoned } = stored;
  if (isCurrent(recent) && isCurrent(reference) && isCurrentDrift(drift)) return stored;
  return { ...newHabits(), sessions, reasoned };
}

/** Centre, spread and highest value of each feature over the recent and the reference sessions. */
export interface Norms {
  /** `habits.sessions` it was made at. */
  sessions: number;
  spreads: readonly Spread[];
  /** Sessions behind it. */
  samples: number;
}

/** @param leastScale least spread on the scale of ratios */
export function normsOf(habits: AgentHabits, leastScale: number): Norms {
  const { recent, reference, sessions } = habits;
  const spreads = FEATURES.map((_, i) => {
    const spread = spreadOf(recent, i, leastScale);
    return { ...spread, highest: Math.max(spread.highest, spreadOf(reference, i, leastScale).highest) };
  });
  return { sessions, spreads, samples: Math.min(sessions, recent.count + reference.count) };
}

/**
 * Surprise of a session that has got this far, nats, on the scale of ratios: the tail of a Laplace distribution, there
 * a power law, and 0 unless it lies above every session that is remembered.
 */
export function surpriseAbove({ centre, scale, highest }: Spread, scaled: number): number {
  if (scaled <= highest || scaled <= centre) return 0;
  return (scaled - centre) / scale + Math.LN2;
}
