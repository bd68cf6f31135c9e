import { newDrift, type DriftState } from './drift.js';
import { newRows, spreadOf, type FeatureRows, type Spread } from './feature-rows.js';
import { FEATURES } from './session-features.js';

/** Latest sessions that a running one is compared with. */
export const RECENT_SESSIONS = 48;
/** Least spread on the scale of ratios: an agent as regular as a clock is allowed a quarter more. */
const LEAST_SCALE = 0.25;

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
  };
}

/** Centre, spread and highest value of each feature over the recent and the reference sessions. */
export interface Norms {
  /** `habits.sessions` it was made at. */
  sessions: number;
  spreads: readonly Spread[];
  /** Sessions behind it. */
  samples: number;
}

export function normsOf(habits: AgentHabits): Norms {
  const { recent, reference, sessions } = habits;
  const spreads = FEATURES.map((_, i) => {
    const spread = spreadOf(recent, i, LEAST_SCALE);
    return { ...spread, highest: Math.max(spread.highest, spreadOf(reference, i, LEAST_SCALE).highest) };
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
