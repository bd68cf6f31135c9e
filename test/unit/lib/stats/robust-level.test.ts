import { describe, expect, it } from 'vitest';
import {
  addToWindow,
  blockSizeOf,
  countOf,
  momentsOf,
  newBlockWindow,
} from '../../../../src/lib/stats/block-window.js';
import { addToLevel, deviationOf, newLevel } from '../../../../src/lib/stats/robust-level.js';
import { random } from '../../../support/random.js';

describe('a robust level', () => {
  it('finds centre and mean deviation', () => {
    const chance = random(1);
    const level = newLevel();
    for (let i = 0; i < 5_000; i++) addToLevel(level, 50 + 2 * chance.normal(), 0.01);
    expect(level.centre).toBeCloseTo(50, 0);
    expect(level.spread).toBeGreaterThan(1.3);
    expect(level.spread).toBeLessThan(1.9);
    expect(deviationOf(level, 60)).toBeGreaterThan(4);
  });

  it('is hardly moved by one wild value', () => {
    const level = newLevel();
    for (let i = 0; i < 200; i++) addToLevel(level, 10 + (i % 3), 0.05);
    addToLevel(level, 1e12, 0.05);
    expect(level.centre).toBeLessThan(12);
  });
});

describe('a window of blocks', () => {
  it('has the moments of about the latest values, however large the values are', () => {
    const window = newBlockWindow();
    const size = blockSizeOf(640);
    for (let i = 0; i < 5_000; i++) addToWindow(window, 1e9 + i, size);
    const count = countOf(window, size);
    expect(count).toBeGreaterThan(600);
    expect(count).toBeLessThanOrEqual(640);
    const { mean, deviation } = momentsOf(window, size);
    expect(mean).toBeCloseTo(1e9 + 4_999 - (count - 1) / 2, 3);
    expect(deviation).toBeCloseTo(Math.sqrt((count * count - 1) / 12), 3);
  });

  it('forgets a wild value', () => {
    const window = newBlockWindow();
    addToWindow(window, 0, 1);
    addToWindow(window, 1e100, 1);
    for (let i = 0; i < 100; i++) addToWindow(window, i % 2, 1);
    expect(momentsOf(window, 1).mean).toBeCloseTo(0.5, 1);
  });
});
