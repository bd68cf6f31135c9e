import { describe, expect, it } from 'vitest';
import { addToTail, newTail, tailNats, type DecayedTail } from '../../../../src/lib/stats/decayed-tail.js';
import { random } from '../../../support/random.js';

const SETTINGS = { decay: 0.9999, quantile: 0.9, exponentialShare: 0.9, paretoIndex: 1, warmUp: 100 };

function tailOf(count: number, draw: () => number): DecayedTail {
  const tail = newTail();
  for (let i = 0; i < count; i++) addToTail(tail, draw(), SETTINGS);
  return tail;
}

describe('a decayed tail', () => {
  it('gives the probability of an exponential quantity, far beyond what was seen too', () => {
    const chance = random(1);
    const tail = tailOf(20_000, () => -Math.log(1 - chance.next()));
    for (const value of [0.5, 1, 3, 6]) expect(tailNats(tail, value, SETTINGS)).toBeCloseTo(value, 0);
    expect(tailNats(tail, 30, SETTINGS)).toBeGreaterThan(12);
  });

  it('never falls as the value rises', () => {
    const chance = random(2);
    const tail = tailOf(3_000, () => Math.abs(chance.normal()));
    let last = 0;
    for (let value = 0; value < 1e6; value = value * 1.1 + 0.01) {
      const nats = tailNats(tail, value, SETTINGS);
      expect(nats).toBeGreaterThanOrEqual(last - 0.12);
      last = Math.max(last, nats);
    }
  });

  it('finds a heavy tail less surprising than a light one', () => {
    const chance = random(3);
    const light = tailOf(5_000, () => Math.abs(chance.normal()));
    const heavy = tailOf(5_000, () => (1 - chance.next()) ** -0.7);
    expect(tailNats(light, 40, SETTINGS)).toBeGreaterThan(tailNats(heavy, 40, SETTINGS) + 1);
  });

  it('says nothing before it has warmed up, and takes any number', () => {
    const tail = tailOf(99, () => 1);
    expect(tailNats(tail, 1e9, SETTINGS)).toBe(0);
    for (const odd of [0, 1e300, 1e-300, Number.POSITIVE_INFINITY]) addToTail(tail, odd, SETTINGS);
    for (const value of [0, 1, 1e12, 1e300]) expect(tailNats(tail, value, SETTINGS)).toBeGreaterThanOrEqual(0);
  });

  it('keeps its sums right over years of rows', () => {
    const chance = random(4);
    const tail = tailOf(300_000, () => -Math.log(1 - chance.next()));
    const inTail = tail.cells.slice(tail.from).reduce((sum, cell) => sum + cell, 0);
    expect(tail.mass / inTail).toBeCloseTo(1, 4);
    expect(tail.mass / tail.total).toBeGreaterThan(0.05);
    expect(tail.mass / tail.total).toBeLessThanOrEqual(0.1);
  });
});
