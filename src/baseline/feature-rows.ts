import { median, medianAbsoluteDeviation } from 'simple-statistics';
import {
  decodeScaled,
  encodeScaled,
  FEATURE_COUNT,
  FEATURES,
  onScale,
  type SessionFeatures,
} from './session-features.js';

/** A bounded number of sessions, one row of 16-bit features each. Plain data: stored as it is. */
export interface FeatureRows {
  cells: Uint16Array;
  /** Rows filled. */
  count: number;
  /** Row that the next session takes once all are filled. */
  next: number;
}

export function newRows(): FeatureRows {
  return { cells: new Uint16Array(0), count: 0, next: 0 };
}

/** Takes a session in; the oldest gives way where there are `capacity` already. */
export function pushRow(rows: FeatureRows, session: SessionFeatures, capacity: number): void {
  const row = rows.count < capacity ? rows.count++ : rows.next;
  rows.next = (row + 1) % capacity;
  setRow(rows, row, session);
}

export function setRow(rows: FeatureRows, row: number, session: SessionFeatures): void {
  const end = (row + 1) * FEATURE_COUNT;
  if (rows.cells.length < end) {
    const grown = new Uint16Array(end);
    grown.set(rows.cells);
    rows.cells = grown;
  }
  for (const [i, feature] of FEATURES.entries()) {
    rows.cells[row * FEATURE_COUNT + i] = encodeScaled(onScale(feature, session[feature]));
  }
}

/** All sessions' values of one feature, on its scale. */
export function column({ cells, count }: FeatureRows, feature: number): number[] {
  const values: number[] = [];
  for (let row = 0; row < count; row++) values.push(decodeScaled(cells[row * FEATURE_COUNT + feature] ?? 0));
  return values;
}

/** Share of the rows below a value, ties counted half: 0.5 on average where the value comes from the same source. */
export function midRank({ cells, count }: FeatureRows, feature: number, code: number): number {
  let twice = 0;
  for (let row = 0; row < count; row++) {
    const held = cells[row * FEATURE_COUNT + feature] ?? 0;
    if (held < code) twice += 2;
    else if (held === code) twice++;
  }
  return count === 0 ? 0.5 : twice / (2 * count);
}

/** Whether the rows hold the features there are now; an earlier version of this program stored fewer. */
export function isCurrent({ cells, count }: FeatureRows): boolean {
  return cells.length === count * FEATURE_COUNT;
}

/**
 * Variance of the mid-ranks of one feature: 1/12 where no two rows are alike, less with ties.
 *
 * From the correction of rank statistics for ties: (1 - sum of (ties / n)^3) / 12.
 */
export function rankVariance({ cells, count }: FeatureRows, feature: number): number {
  if (count === 0) return 1 / 12;
  const ties = new Map<number, number>();
  for (let row = 0; row < count; row++) {
    const code = cells[row * FEATURE_COUNT + feature] ?? 0;
    ties.set(code, (ties.get(code) ?? 0) + 1);
  }
  let cubes = 0;
  for (const tied of ties.values()) cubes += (tied / count) ** 3;
  return (1 - cubes) / 12;
}

export interface Spread {
  centre: number;
  /** Scale of a Laplace distribution with the same median absolute deviation. */
  scale: number;
  highest: number;
}

/** Robust centre and spread of one feature, on its scale. @param leastScale for sessions that are all alike */
export function spreadOf(rows: FeatureRows, feature: number, leastScale: number): Spread {
  const values = column(rows, feature);
  if (values.length === 0) return { centre: 0, scale: leastScale, highest: 0 };
  return {
    centre: median(values),
    scale: Math.max(leastScale, medianAbsoluteDeviation(values) / Math.LN2),
    highest: Math.max(...values),
  };
}
