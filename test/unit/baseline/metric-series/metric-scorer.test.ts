import { describe, expect, it } from 'vitest';
import { benchmarkScore, PROFILES } from '../../../support/metric-scorer.js';

/** A hundred rows, a window from row 50 to row 59, and alarms at some rows. */
function series(alarms: readonly number[]) {
  const times = Array.from({ length: 100 }, (_, i) => i * 1_000);
  return [{ times, windows: [[50_000, 59_000]] as const, scores: times.map((_, i) => (alarms.includes(i) ? 1 : 0)) }];
}

describe('the scoring of labelled series', () => {
  it('gives 100 for an alarm at the first row of every window, and 0 for silence', () => {
    expect(benchmarkScore(series([50]), PROFILES.standard)).toBeCloseTo(100);
    expect(benchmarkScore(series([]), PROFILES.standard)).toBe(0);
  });

  it('gives less for a late alarm, and takes off for a false one', () => {
    const late = benchmarkScore(series([58]), PROFILES.standard);
    expect(late).toBeGreaterThan(50);
    expect(late).toBeLessThan(90);
    expect(benchmarkScore(series([30, 50]), PROFILES.standard)).toBeCloseTo(100 - 5.5);
    expect(benchmarkScore(series([30, 50]), PROFILES.rewardLowFp)).toBeCloseTo(100 - 11);
  });

  it('neither pays nor charges in the opening stretch', () => {
    expect(benchmarkScore(series([3, 50]), PROFILES.standard)).toBeCloseTo(100);
  });
});
