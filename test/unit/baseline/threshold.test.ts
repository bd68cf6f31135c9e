import { describe, expect, it } from 'vitest';
import { conformalTail, extrapolatedTail, levelledTails } from '../../../src/baseline/threshold.js';

const sample = (group: string, risk: number, agentId = 'a') => ({ agentId, group, risk });

describe('conformalTail', () => {
  it('counts groups, not sessions', () => {
    const samples = Array.from({ length: 50 }, (_, i) => sample(`g${i % 5}`, i));
    expect(conformalTail(samples, 0.01)).toMatchObject({ groups: 5, strongestBudget: 1 / 6, supported: false });
  });

  it('lets at most the budget of clean groups above it', () => {
    const samples = Array.from({ length: 199 }, (_, i) => sample(`g${i}`, i));
    const { nats, supported } = conformalTail(samples, 0.05);
    expect(supported).toBe(true);
    const above = samples.filter(({ risk }) => risk > nats).length;
    expect((above + 1) / 200).toBeLessThanOrEqual(0.05);
    expect((above + 2) / 200).toBeGreaterThan(0.05);
  });

  it('is the highest clean risk where the budget is not supported', () => {
    expect(conformalTail([sample('g1', 3), sample('g2', 8)], 0.01).nats).toBe(8);
  });

  it('is out of reach without history', () => {
    expect(conformalTail([], 0.01).nats).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('extrapolatedTail', () => {
  it('finds the quantile of an exponential tail beyond what was seen', () => {
    const samples = Array.from({ length: 100 }, (_, i) => sample(`g${i}`, -Math.log((i + 0.5) / 100)));
    expect(extrapolatedTail(samples, 0.001)).toBeCloseTo(-Math.log(0.001), 0);
    expect(extrapolatedTail([], 0.01)).toBe(Number.POSITIVE_INFINITY);
  });

  it('is what a history too short for the budget goes by, never above its highest risk', () => {
    // One odd session of a request that ran a hundred times says little about how often requests alarm.
    const ordinary = Array.from({ length: 40 }, (_, i) => sample(`g${i % 20}`, (i % 20) / 10));
    const often = Array.from({ length: 100 }, (_, i) => sample('often', i === 0 ? 30 : 0));
    const { tails, unknown } = levelledTails([...ordinary, ...often], [0.01]);
    expect(unknown + (tails.get(0.01) ?? 0)).toBeLessThan(15);
    expect(levelledTails(ordinary, [0.01]).tails.get(0.01)).toBeLessThanOrEqual(1.9);
  });
});

describe('levelledTails', () => {
  it('gives an agent that is always odd a higher bar', () => {
    const samples = Array.from({ length: 40 }, (_, i) => [
      sample(`calm${i}`, i % 4, 'calm'),
      sample(`odd${i}`, 10 + (i % 4), 'odd'),
    ]).flat();
    const { agents, groups, tails, unknown } = levelledTails(samples, [0.05, 0.2]);
    expect((agents.get('odd') ?? 0) - (agents.get('calm') ?? 0)).toBeGreaterThan(5);
    expect(unknown).toBeGreaterThanOrEqual(agents.get('calm') ?? 0);
    expect(groups).toBe(80);
    expect(tails.get(0.05)).toBeGreaterThan(tails.get(0.2) ?? Number.POSITIVE_INFINITY);
  });
});
