import type { TailSettings } from '../../lib/stats/decayed-tail.js';

/** How a value may be out of line. */
export const FEATURES = ['level', 'change', 'time of day', 'shift', 'spread'] as const;
/** Only sizes: there is no below. */
export const ONE_SIDED: ReadonlySet<string> = new Set(['change', 'shift']);
export type MetricFeature = (typeof FEATURES)[number];

/**
 * One setting for every series (docs/decisions/0015-metric-series.md). Spans are in rows, rates are shares of a new row.
 */
export const SETTINGS = {
  tail: { decay: 0.9999, quantile: 0.9, exponentialShare: 0.9, paretoIndex: 1, warmUp: 100 } satisfies TailSettings,
  /** Share of each feature's surprise that counts: the less telling ones must be the more surprising. */
  weights: [0.5, 0.8, 0.5, 1.3, 0.7],
  levelRate: 0.01,
  changeRate: 0.025,
  seasonRate: 0.01,
  /** The mean of the latest rows against the rows before them. */
  shiftRows: 20,
  referenceRows: 2_000,
  /** The mean step of the latest rows against the usual step. */
  spreadRows: 60,
  usualSpreadRows: 700,
  /** Surprise that is worth an alarm, nats. */
  alarmNats: 5,
  /** Rows after an alarm in which only what is this many times as surprising alarms again. Fixed: it never grows. */
  coolDownRows: 140,
  rise: 1.2,
  /** Every alarm makes the next one dearer by so many nats, less and less with the rows in between. */
  fatigueNats: 0.1,
  fatigueRows: 12_000,
} as const;
