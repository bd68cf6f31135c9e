import { assert, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MetricSeries, type MetricScore } from '../../../../src/baseline/metric-series/metric-series.js';
import type { SeriesState } from '../../../../src/baseline/metric-series/series-state.js';
import { decodeState, encodeState } from '../../../../src/lib/state-table.js';
import { random } from '../../../support/random.js';

const FIVE_MINUTES = 300_000;
const DAY_ROWS = 288;
/** A Monday. */
const START = Date.UTC(2026, 0, 5);

/** Two weeks and a day of a noisy daily rhythm, then changed from row `at` on. */
function rhythm(seed = 1, change: (value: number, row: number, noise: number) => number = (value) => value): number[] {
  const chance = random(seed);
  return Array.from({ length: 15 * DAY_ROWS }, (_, row) => {
    const noise = chance.normal();
    return change(100 + 30 * Math.sin((2 * Math.PI * row) / DAY_ROWS) + 3 * noise, row, noise);
  });
}

function scores(values: readonly number[], series = new MetricSeries()): MetricScore[] {
  return values.map((value, row) => series.score(START + row * FIVE_MINUTES, value));
}

/** Rows that alarm within so many rows from a change on. */
function alarmsFrom(found: readonly MetricScore[], from: number, rows = 60): MetricScore[] {
  return found.slice(from, from + rows).filter(({ isAlarm }) => isAlarm);
}

const AT = 12 * DAY_ROWS;

describe('a metric series', () => {
  it('finds a spike', () => {
    const found = alarmsFrom(scores(rhythm(1, (value, row) => (row === AT ? value + 90 : value))), AT, 2);
    expect(found[0]).toMatchObject({ feature: 'change', isAlarm: true });
    expect(found[0]?.anomalyScore).toBeGreaterThan(0.6);
  });

  it('finds a shift of the level', () => {
    const found = alarmsFrom(scores(rhythm(2, (value, row) => (row >= AT ? value + 70 : value))), AT);
    expect(found.length).toBeGreaterThan(0);
  });

  it('finds a creeping shift that takes no large step', () => {
    const creep = (value: number, row: number) => value + Math.max(0, Math.min(100, (row - AT) / 2));
    const found = alarmsFrom(scores(rhythm(3, creep)), AT, 250);
    expect(found.map(({ feature }) => feature)).toContain('shift');
  });

  it('finds noise that grows, and noise that dies', () => {
    const louder = rhythm(4, (value, row, noise) => (row >= AT ? value + 12 * noise : value));
    expect(alarmsFrom(scores(louder), AT).length).toBeGreaterThan(0);
    const chance = random(5);
    const dead = Array.from({ length: 4_000 }, (_, row) => 100 + (row >= 3_000 ? 0.01 : 10) * chance.normal());
    expect(alarmsFrom(scores(dead), 3_000, 600).length).toBeGreaterThan(0);
  });

  it('finds a season that is lost', () => {
    const lost = rhythm(6, (value, row, noise) => (row >= AT ? 100 + 3 * noise : value));
    expect(alarmsFrom(scores(lost), AT, DAY_ROWS).length).toBeGreaterThan(0);
  });

  it('says nothing about a flat series, and little about a calm one', () => {
    expect(scores(Array.from({ length: 3_000 }, () => 7)).every(({ isAlarm }) => !isAlarm)).toBe(true);
    const calm = scores(rhythm(7)).filter(({ isAlarm }) => isAlarm);
    expect(calm.length).toBeLessThan(15);
    expect(calm.every(({ nats }) => nats < 8)).toBe(true);
  });

  it('does not let the cool-down grow with the rows seen', () => {
    const chance = random(8);
    const spikes = [2_000, 2_500, 19_000, 19_500];
    const values = Array.from({ length: 20_000 }, (_, row) => chance.normal() + (spikes.includes(row) ? 300 : 0));
    const found = scores(values);
    for (const row of spikes) expect(found[row]?.isAlarm).toBe(true);
  });

  it('keeps quiet after an alarm unless it gets clearly worse', () => {
    const again = rhythm(9, (value, row) => {
      if (row === AT || row === AT + 20) return value + 90;
      return row === AT + 40 ? value + 9_000 : value;
    });
    const found = scores(again);
    expect([found[AT]?.isAlarm, found[AT + 20]?.isAlarm, found[AT + 40]?.isAlarm]).toEqual([true, false, true]);
  });

  it('scores a row by what came before it alone', () => {
    const values = rhythm(10);
    const whole = scores(values);
    expect(scores(values.slice(0, 1_700))).toEqual(whole.slice(0, 1_700));
  });

  it('goes on after a restart as if there had been none', () => {
    const values = rhythm(11, (value, row) => (row === AT ? value + 90 : value));
    const whole = scores(values);
    assert(
      property(integer({ min: 0, max: values.length - 1 }), (cut) => {
        const before = new MetricSeries();
        scores(values.slice(0, cut), before);
        const after = new MetricSeries(decodeState(encodeState(before.state)) as SeriesState);
        const rest = values.slice(cut).map((value, i) => after.score(START + (cut + i) * FIVE_MINUTES, value));
        expect(rest).toEqual(whole.slice(cut));
      }),
      { numRuns: 12 },
    );
  });

  it('judges without changing anything', () => {
    const [asked, unasked] = [new MetricSeries(), new MetricSeries()];
    for (const [row, value] of rhythm(12).slice(0, 600).entries()) {
      const time = START + row * FIVE_MINUTES;
      const judged = asked.judge(time, value);
      asked.judge(time, value * 7);
      asked.learn(time, value);
      expect(unasked.score(time, value)).toEqual(judged);
    }
    expect(asked.state).toEqual(unasked.state);
  });

  it('does not mind the unit of the values, nor much where their zero is', () => {
    const values = rhythm(13, (value, row) => (row === AT ? value + 90 : value));
    const plain = scores(values);
    for (const other of [values.map((value) => value * 1_024), values.map((value) => value + 500)]) {
      const found = scores(other);
      expect(found[AT]?.isAlarm).toBe(true);
      const away = found.map(({ nats }, row) => Math.abs(nats - (plain[row]?.nats ?? 0)));
      expect(away.reduce((sum, one) => sum + one, 0) / away.length).toBeLessThan(0.15);
    }
  });

  it('stays small and stays a number whatever it is given', () => {
    const series = new MetricSeries();
    const odd = [1e308, -1e308, 0, 5e-324, 1e100, -0];
    for (let row = 0; row < 3_000; row++) {
      const { anomalyScore } = series.score(row % 7 === 0 ? -row * 1e6 : row * 1e10, odd[row % odd.length] ?? 0);
      expect(anomalyScore).toBeGreaterThanOrEqual(0);
      expect(anomalyScore).toBeLessThanOrEqual(1);
    }
    const size = encodeState(series.state).length;
    expect(size).toBeLessThan(10_000);
  });
});
