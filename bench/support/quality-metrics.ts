import { MetricSeries } from '../../src/baseline/metric-series/metric-series.js';
import { random } from '../../test/support/random.js';
import { readMetricFiles } from '../../test/support/metric-data.js';
import { benchmarkScore, bestThreshold, PROFILES, type LabelledSeries } from '../../test/support/metric-scorer.js';
import { middle } from './quality-bar.js';

const ROUNDS = 200;

/** The metric detector's marks under one profile. */
export interface MetricMark {
  profile: keyof typeof PROFILES;
  /** With the single threshold that suits all series best, and its 95 % interval: bootstrap over series. */
  best: number;
  interval: [number, number];
  /** Each half of the series at the threshold that suits the other half best, together. */
  twoFold: number;
}

/** Scores every series with the one setting that is shipped. */
export async function metricMarks(dir: string): Promise<MetricMark[]> {
  const files = await readMetricFiles(dir);
  const series = files.map(({ times, values, windows }): LabelledSeries => {
    const detector = new MetricSeries();
    return { times, windows, scores: values.map((value, i) => detector.score(times[i] ?? 0, value).anomalyScore) };
  });
  // Series come by category in the order of the file: every other one puts each category on both sides.
  const halves = [0, 1].map((side) => series.filter((_, i) => i % 2 === side));
  return (['standard', 'rewardLowFp'] as const).map((profile) => {
    const weights = PROFILES[profile];
    const threshold = bestThreshold(series, weights);
    const chance = random(7);
    const rounds = Array.from({ length: ROUNDS }, () =>
      series.flatMap(() => series[Math.floor(chance.next() * series.length)] ?? []),
    );
    const windows = halves.map((half) => half.reduce((sum, one) => sum + one.windows.length, 0));
    const crossed = halves.map((half, side) =>
      benchmarkScore(half, weights, bestThreshold(halves[1 - side] ?? [], weights)),
    );
    const all = windows.reduce((sum, n) => sum + n, 0);
    return {
      profile,
      best: benchmarkScore(series, weights),
      interval: middle(rounds.map((drawn) => benchmarkScore(drawn, weights, threshold))),
      twoFold: crossed.reduce((sum, mark, side) => sum + (mark * (windows[side] ?? 0)) / all, 0),
    };
  });
}
