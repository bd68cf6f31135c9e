import { newBlockWindow, type BlockWindow } from '../../lib/stats/block-window.js';
import { newTail, type DecayedTail } from '../../lib/stats/decayed-tail.js';
import { newLevel, type RobustLevel } from '../../lib/stats/robust-level.js';
import { newAlarmMemory, type AlarmMemory } from './alarm-policy.js';
import { FEATURES, ONE_SIDED, SETTINGS } from './settings.js';

export const HOURS = 24;

/** All that is remembered of a series, about 5 kB however long it is. Plain data: stored as it is. */
export interface SeriesState {
  rows: number;
  latest: number;
  level: RobustLevel;
  /** Of the steps from row to row: over the latest rows, and the usual ones. */
  step: RobustLevel;
  usualStep: RobustLevel;
  recentStep: number;
  /** By hour of the day, UTC: of working days, then of weekends. */
  hours: RobustLevel[];
  /** The latest rows, oldest at `rows % length` once full. */
  recent: Float64Array;
  reference: BlockWindow;
  /** By feature: deviations above, and below where there is a below. */
  above: DecayedTail[];
  below: (DecayedTail | undefined)[];
  alarms: AlarmMemory;
}

export function newSeriesState(): SeriesState {
  return {
    rows: 0,
    latest: 0,
    level: newLevel(),
    step: newLevel(),
    usualStep: newLevel(),
    recentStep: 0,
    hours: Array.from({ length: 2 * HOURS }, newLevel),
    recent: new Float64Array(SETTINGS.shiftRows),
    reference: newBlockWindow(),
    above: FEATURES.map(newTail),
    below: FEATURES.map((feature) => (ONE_SIDED.has(feature) ? undefined : newTail())),
    alarms: newAlarmMemory(),
  };
}
