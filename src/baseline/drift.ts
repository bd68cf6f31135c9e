import { encodeScaled, FEATURES, onScale, type SessionFeatures } from './session-features.js';
import { midRank, type FeatureRows } from './feature-rows.js';

/** Sessions that the slow reference is made of. */
export const REFERENCE_SESSIONS = 48;
/** Sessions between two false alarms of one agent, at least, on average. */
export const FALSE_ALARM_EVERY = 10_000;

/** Features that are watched for drift; each upwards only, since less is no danger. */
const WATCHED = FEATURES.flatMap((feature, index) =>
  feature === 'seconds' || feature === 'distinctTools' || feature === 'quietCalls' ? [] : [{ feature, index }],
);
/** Shares of the capital that are bet: little finds slow drift, much finds quick drift. */
const BETS = [0.5, 1.5] as const;
/** Standard errors by which a reference of few sessions may be wrong without an alarm, and the least margin. */
const MARGIN_ERRORS = 3;
const LEAST_MARGIN = 0.08;
/** What a session may lie above the reference without counting as above it: 20 %, or a fifth of a nat. */
const TOLERANCE = 0.2;
/** The same for a share. */
const SHARE_TOLERANCE = 0.05;
/** Most that the reference follows a session, on the feature's scale: a drip of 3 % a session is fifteen times as fast. */
const FOLLOW_STEP = 0.002;

/** How far an agent has drifted. Plain data: stored as it is. */
export interface DriftState {
  /** Bets by watched feature and share: capital of a gambler who joins at every session with one coin. */
  capital: Float64Array;
  /** By watched feature: how far the reference has followed upwards, on the feature's scale. */
  followed: Float64Array;
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
 * The reference stays what it was made of, but for following upwards by at most `FOLLOW_STEP` a session: a baseline
 * that is walked does not take it along.
 *
 * @param mayFollow the session may be learned from
 * @returns the alarm, where this session raised one
 */
export function betOnDrift(
  state: DriftState,
  { reference, session, mayFollow }: { reference: FeatureRows; session: SessionFeatures; mayFollow: boolean },
): DriftAlarm | undefined {
  const bound = 0.5 + Math.max(LEAST_MARGIN, MARGIN_ERRORS / Math.sqrt(12 * reference.count));
  let sum = 0;
  let most = 0;
  let strongest = 0;
  for (const [w, { feature, index }] of WATCHED.entries()) {
    const value = onScale(feature, session[feature]);
    const followed = state.followed[w] ?? 0;
    const rank = midRank(
      reference,
      index,
      encodeScaled(value - followed - (feature === 'newTargets' ? SHARE_TOLERANCE : TOLERANCE)),
    );
    if (mayFollow) {
      const step = rank > 0.5 ? FOLLOW_STEP : rank < 0.5 ? -FOLLOW_STEP : 0;
      state.followed[w] = Math.max(0, followed + step);
    }
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
  if (detector < FALSE_ALARM_EVERY) return undefined;
  state.capital.fill(0);
  return { nats: Math.log(detector), feature: strongest };
}
