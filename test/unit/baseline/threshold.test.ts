import { describe, expect, it } from 'vitest';
import { conformalTail, levelledTails } from '../../../src/baseline/threshold.js';

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
