import { addToWindow, blockSizeOf, countOf, momentsOf } from '../../lib/stats/block-window.js';
import { addToLevel, deviationOf, type RobustLevel } from '../../lib/stats/robust-level.js';
import { HOURS, type SeriesState } from './series-state.js';
import { FEATURES, SETTINGS } from './settings.js';

const HOUR_MS = 3_600_000;
const BLOCK = blockSizeOf(SETTINGS.referenceRows);
/** Rows before a feature says anything. */
const LEVEL_ROWS = 11;
const STEP_ROWS = 6;
const HOUR_ROWS = 21;
const REFERENCE_ROWS = 61;
/** A smaller shift is none, however exactly the series has repeated itself so far. */
const LEAST_SHIFT = 0.1;
/** Outliers in steps count at most as so many spreads. */
const STEP_CLIP = 8;

/** A row as each feature sees it; made once and filled for every row. */
export interface Readings {
  /** How far off it is, in units of the feature's own spread; NaN while too little is known. */
  off: Float64Array;
  /** What was seen and what was to be expected, in the series' own unit. */
  observed: Float64Array;
  expected: Float64Array;
}

export function newReadings(): Readings {
  const column = () => new Float64Array(FEATURES.length);
  return { off: column(), observed: column(), expected: column() };
}

/** Reads a row against everything before it. Changes only `into`. */
export function read(state: SeriesState, { timeMs, value, into }: { timeMs: number; value: number; into: Readings }) {
  into.off.fill(Number.NaN);
  if (state.rows === 0) return;
  const { level, step, recent, reference } = state;
  if (level.count >= LEVEL_ROWS) compare(into, 0, level, value);
  const change = Math.abs(value - state.latest);
  if (step.count >= STEP_ROWS) {
    const usual = step.centre + 1e-9 + 1e-3 * Math.abs(level.centre);
    put(into, 1, { off: change / usual, observed: change, expected: step.centre });
  }
  const hour = state.hours[hourOf(timeMs)];
  if (hour !== undefined && hour.count >= HOUR_ROWS) compare(into, 2, hour, value);
  if (countOf(reference, BLOCK) >= REFERENCE_ROWS) {
    const { mean, deviation } = momentsOf(reference, BLOCK);
    const now = meanOf(recent);
    const usual = deviation + 1e-9 + 1e-3 * Math.abs(mean);
    const off = Math.abs(now - mean) / usual;
    put(into, 3, { off: off < LEAST_SHIFT ? 0 : off, observed: now, expected: mean });
  }
  if (state.usualStep.count > 2 * SETTINGS.spreadRows) {
    const least = 1e-9 + 1e-4 * Math.abs(level.centre);
    const usual = state.usualStep.centre;
    const off = Math.log((state.recentStep + least) / (usual + least));
    put(into, 4, { off, observed: state.recentStep, expected: usual });
  }
}

/** Takes a row in. */
export function learnRow(state: SeriesState, timeMs: number, value: number): void {
  const { level, hours, recent } = state;
  if (state.rows > 0) {
    const change = Math.abs(value - state.latest);
    const hour = hours[hourOf(timeMs)];
    if (hour !== undefined) addToLevel(hour, value, SETTINGS.seasonRate);
    addToLevel(state.step, change, SETTINGS.changeRate);
    learnStep(state, change);
  }
  addToLevel(level, value, SETTINGS.levelRate);
  recent[state.rows % recent.length] = value;
  addToWindow(state.reference, value, BLOCK);
  state.latest = value;
  state.rows++;
}

function learnStep(state: SeriesState, change: number): void {
  const { usualStep } = state;
  const most = usualStep.centre + STEP_CLIP * usualStep.spread;
  const bounded = usualStep.count > 20 ? Math.min(change, most) : change;
  const share = Math.max(1 / SETTINGS.spreadRows, 1 / (usualStep.count + 1));
  state.recentStep += share * (bounded - state.recentStep);
  addToLevel(usualStep, change, 1 / SETTINGS.usualSpreadRows);
}

function compare(into: Readings, feature: number, level: RobustLevel, value: number): void {
  put(into, feature, { off: deviationOf(level, value), observed: value, expected: level.centre });
}

function put(
  into: Readings,
  feature: number,
  { off, observed, expected }: { off: number; observed: number; expected: number },
): void {
  into.off[feature] = off;
  into.observed[feature] = observed;
  into.expected[feature] = expected;
}

function meanOf(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/** Hour of the day, UTC; weekends apart from working days. */
function hourOf(timeMs: number): number {
  const hours = Math.floor(timeMs / HOUR_MS);
  // 1 January 1970 was a Thursday.
  const day = modulo(Math.floor(hours / HOURS) + 4, 7);
  return modulo(hours, HOURS) + (day === 0 || day === 6 ? HOURS : 0);
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
