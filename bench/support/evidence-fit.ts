import { evidenceFeatures, FEATURES } from '../../src/baseline/evidence.js';
import type { SessionLabel } from '../../src/evaluate/figures.js';
import type { MeasuredSession } from './measured-sessions.js';

/** Every place of `FEATURES`. */
export const ALL_FEATURES: readonly number[] = FEATURES.map((_, i) => i);

/**
 * Where the fit begins and what it is drawn to, chosen without looking at any label: half a nat per nat of surprise
 * and per interaction of two, one nat per share, flag or logarithm of a count, two where words of arguments are all there
 * is.
 */
const EQUAL: Record<(typeof FEATURES)[number][0], number> = {
  tool: 0.5,
  toolInsteadOfPromised: 0.5,
  unexpectedFreeWords: 0.5,
  sourceOdd: 0.5,
  firstAfterRead: 1,
  justExposed: 1,
  targetNew: 1,
  targetNovelWords: 1,
  wordsUngrounded: 2,
  wordsNewForRequest: 2,
  freeWords: 2,
  wordsAsked: 1,
  targetsAsked: 1,
  write: 1,
  delegated: 1,
  unknownRequest: 1,
  writesBefore: 1,
};
export const EQUAL_WEIGHTS: readonly number[] = FEATURES.map(([name]) => EQUAL[name]);

/** A session's calls as rows of features, with its label. */
export interface FitSession {
  id: string;
  agentId: string;
  label: SessionLabel;
  rows: readonly Float64Array[];
  seqs: readonly number[];
}

export function fitSession({ sessionId, agentId, calls }: MeasuredSession, label: SessionLabel): FitSession {
  const rows = calls.map(({ x }) => Float64Array.from(evidenceFeatures(x)));
  return { id: sessionId, agentId, label, rows, seqs: calls.map(({ seq }) => seq) };
}

/** A session without calls did nothing. */
const NO_CALL_NATS = -100;

/** Highest risk of the session's calls, nats. */
export function riskOf(rows: readonly Float64Array[], weights: readonly number[]): number {
  return highest(rows, weights).nats;
}

function highest(rows: readonly Float64Array[], weights: ArrayLike<number>): { nats: number; row: number } {
  let nats = NO_CALL_NATS;
  let row = -1;
  for (let r = 0; r < rows.length; r++) {
    const sum = dot(rows[r] ?? NOTHING, weights);
    if (sum <= nats) continue;
    nats = sum;
    row = r;
  }
  return { nats, row };
}

export function dot(row: Float64Array, weights: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += (row[i] ?? 0) * (weights[i] ?? 0);
  return sum;
}

const NOTHING = new Float64Array(0);
const ROUNDS = 120;
/** Pull towards equal weights, in units of a weight's own size. */
const SHRINK = 5 / 200;
/** Log odds per nat of risk: fixed, so that weights stay in nats and only their proportions are fitted. */
const ODDS_PER_NAT = 0.8;

/**
 * Weights of a logistic model of "hijacked, not benign" over each session's most risky call, every user task counting
 * one on either side; not negative; drawn to `EQUAL_WEIGHTS`. Features that are not in `use` weigh nothing.
 * Deterministic: Adam (Kingma, Ba 2015) with projection, a fixed number of rounds.
 */
export function fitWeights(sessions: readonly FitSession[], use: readonly number[] = ALL_FEATURES): number[] {
  const samples = weighed(sessions);
  const used = new Set(use);
  const prior = EQUAL_WEIGHTS.map((w, i) => (used.has(i) ? w : 0));
  const weights = [...prior];
  const n = weights.length;
  const gradient = new Float64Array(n + 1);
  const mean = new Float64Array(n + 1);
  const square = new Float64Array(n + 1);
  let bias = -4;
  for (let round = 1; round <= ROUNDS; round++) {
    gradient.fill(0);
    for (let i = 0; i < n; i++) {
      const own = prior[i] ?? 0;
      if (own > 0) gradient[i] = (SHRINK * ((weights[i] ?? 0) - own)) / (own * own);
    }
    for (const { session, y, weight } of samples) {
      const { nats, row } = highest(session.rows, weights);
      const error = weight * (1 / (1 + Math.exp(-(ODDS_PER_NAT * nats + bias))) - y);
      gradient[n] = (gradient[n] ?? 0) + error;
      const features = session.rows[row] ?? NOTHING;
      for (let i = 0; i < features.length; i++) {
        gradient[i] = (gradient[i] ?? 0) + ODDS_PER_NAT * error * (features[i] ?? 0);
      }
    }
    const rate = round > 0.7 * ROUNDS ? 0.015 : 0.05;
    for (let i = 0; i <= n; i++) {
      const g = gradient[i] ?? 0;
      mean[i] = 0.9 * (mean[i] ?? 0) + 0.1 * g;
      square[i] = 0.99 * (square[i] ?? 0) + 0.01 * g * g;
      const step = (mean[i] ?? 0) / (1 - 0.9 ** round) / (Math.sqrt((square[i] ?? 0) / (1 - 0.99 ** round)) + 1e-8);
      if (i === n) bias -= 3 * rate * step;
      else weights[i] = Math.max(0, (weights[i] ?? 0) - rate * (prior[i] ?? 0) * step);
    }
  }
  return weights;
}

function weighed(sessions: readonly FitSession[]): { session: FitSession; y: 0 | 1; weight: number }[] {
  const sizes = new Map<string, number>();
  const tasks = [0, 0];
  const chosen = sessions.filter(
    ({ label, rows }) => rows.length > 0 && label.kind === 'user_task' && /^(benign|hijacked)$/.test(label.label),
  );
  const keyOf = ({ label }: FitSession) => JSON.stringify([label.label, label.suite, label.userTask]);
  for (const session of chosen) {
    const key = keyOf(session);
    const size = sizes.get(key) ?? 0;
    if (size === 0) tasks[sideOf(session)] = (tasks[sideOf(session)] ?? 0) + 1;
    sizes.set(key, size + 1);
  }
  return chosen.map((session) => {
    const y = sideOf(session);
    return { session, y, weight: 1 / (sizes.get(keyOf(session)) ?? 1) / (tasks[y] ?? 1) };
  });
}

function sideOf({ label }: FitSession): 0 | 1 {
  return label.label === 'hijacked' ? 1 : 0;
}
