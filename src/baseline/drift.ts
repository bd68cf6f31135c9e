import { midRank, rankVariance, type FeatureRows } from './feature-rows.js';
import type { Learning } from './learning.js';
import { encodeScaled, FEATURES, isFine, onScale, type SessionFeatures } from './session-features.js';

const DAY_MS = 24 * 60 * 60_000;

/** Features that are watched for drift; each upwards only, since less is no danger. */
const WATCHED = FEATURES.flatMap((feature, index) =>
  feature === 'seconds' || feature === 'distinctTools' || feature === 'quietCalls' ? [] : [{ feature, index }],
);
/** Shares of the capital that are bet: little finds slow drift, much finds quick drift. */
const BETS = [0.5, 1.5] as const;
/** Standard errors by which a reference of few sessions may be wrong without an alarm, and the least margin. */
const MARGIN_ERRORS = 3;
const LEAST_MARGIN = 0.08;
/** Nothing can lie above it. */
const MOST_MARGIN = 0.5;
/** How far an agent has drifted. Plain data: stored as it is. */
export interface DriftState {
  /** Bets by watched feature and share: capital of a gambler who joins at every session with one coin. */
  capital: Float64Array;
  /** By watched feature: how far the reference has followed upwards, on the feature's scale. */
  followed: Float64Array;
  /** Event time up to which it may have followed, epoch ms. */
  followedAt?: number;
}

export interface DriftAlarm {
  nats: number;
  /** The feature that drifted most. */
  feature: number;
}

export function newDrift(): DriftState {
  return { capital: new Float64Array(WATCHED.length * BETS.length), followed: new Float64Array(WATCHED.length) };
}

/**
 * One more session of a sequential test for "sessions have come to lie above the reference", by betting.
 *
 * Each feature becomes its mid-rank among the reference sessions, whose mean is 1/2 while nothing changes, whatever the
 * distribution. A bet `1 + share * (rank - bound)` is a fair or losing game while the mean stays within `bound`
 * (Waudby-Smith, Ramdas 2024, "Estimating means of bounded random variables by betting"). A new gambler joins at every
 * session with one coin; the sum of their capital is an e-detector of Shiryaev-Roberts type, as is the average over
 * features and shares, and an alarm where it reaches A comes no more often than once in A sessions on average (Shin,
 * Ramdas, Rinaldo 2023, "E-detectors: a nonparametric framework for sequential change detection"). After an alarm the
 * test begins anew.
 *
 * The reference stays what it was made of, but for following upwards by at most so much a session and so much a day: a
 * baseline that is walked does not take it along, however many small steps a day it is walked in.
 *
 * @param about `margins`: `marginsOf(reference)`; `at`: event time of the session's end, epoch ms; `mayFollow`: the session may be learned from
 * @returns the alarm, where this session raised one
 */
export function betOnDrift(
  state: DriftState,
  session: SessionFeatures,
  {
    reference,
    margins,
    at,
    mayFollow,
    settings,
  }: {
    reference: FeatureRows;
    margins: readonly number[];
    at: number;
    mayFollow: boolean;
    settings: Learning['drift'];
  },
): DriftAlarm | undefined {
  const followStep = mayFollow ? stepOf(state, at, settings) : 0;
  let sum = 0;
  let most = 0;
  let strongest = 0;
  for (const [w, { feature, index }] of WATCHED.entries()) {
    const tolerance = isFine(feature) ? settings.shareTolerance : settings.tolerance;
    const lowered = onScale(feature, session[feature]) - (state.followed[w] ?? 0) - tolerance;
    const rank = midRank(reference, index, encodeScaled(lowered));
    const step = rank > 0.5 ? followStep : rank < 0.5 ? -followStep : 0;
    state.followed[w] = Math.max(0, (state.followed[w] ?? 0) + step);
    const bound = 0.5 + (margins[w] ?? MOST_MARGIN);
    let own = 0;
    for (const [b, share] of BETS.entries()) {
      const cell = w * BETS.length + b;
      const capital = ((state.capital[cell] ?? 0) + 1) * (1 + share * (rank - bound));
      state.capital[cell] = capital;
      own += capital;
    }
    sum += own;
    if (own > most) {
      most = own;
      strongest = index;
    }
  }
  const detector = sum / state.capital.length;
  if (detector < settings.falseAlarmEvery) return undefined;
  state.capital.fill(0);
  return { nats: Math.log(detector), feature: strongest };
}

/** Whether the state is of the features that are watched now. */
export function isCurrentDrift({ capital }: DriftState): boolean {
  return capital.length === WATCHED.length * BETS.length;
}

/**
 * By how much the mean rank of each watched feature may be off because the reference has so few sessions. A feature whose
 * sessions are mostly alike has ranks that vary less; what none of them has shown yet counts as one that has.
 */
export function marginsOf(reference: FeatureRows): number[] {
  const { count } = reference;
  return WATCHED.map(({ index }) => {
    const variance = Math.min(1 / 12, rankVariance(reference, index) + 1 / count);
    return Math.max(LEAST_MARGIN, MARGIN_ERRORS * Math.sqrt(variance / count));
  });
}

/** How far the reference may follow with this session, on the features' scale. */
function stepOf(state: DriftState, at: number, { followPerSession, followPerDay }: Learning['drift']): number {
  const days = Math.max(0, at - (state.followedAt ?? at)) / DAY_MS;
  state.followedAt = Math.max(state.followedAt ?? at, at);
  return Math.min(followPerSession, followPerDay * days);
}
