import { describe, expect, it } from 'vitest';
import { CallRates } from '../../../src/baseline/call-rates.js';

describe('CallRates', () => {
  it('says nothing without history', () => {
    expect(new CallRates().surprise(1_000)).toBe(0);
  });

  it('is surprised by bursts, the more the steadier the agent is, and never by quiet', () => {
    const steady = new CallRates([5, 5, 5, 5, 6, 5, 4]);
    const bursty = new CallRates([1, 30, 2, 18, 5, 9, 40]);
    expect(steady.surprise(30)).toBeGreaterThan(bursty.surprise(30));
    expect(steady.surprise(1)).toBe(0);
    expect(steady.surprise(500)).toBeGreaterThan(steady.surprise(100));
  });

  it('keeps the newest 256 windows and no nonsense', () => {
    const rates = new CallRates();
    for (let i = 0; i < 1_000; i++) rates.learn(i);
    rates.learn(Number.NaN);
    expect(rates.size).toBe(256);
    expect(rates.summary().centre).toBeGreaterThan(744);
    expect(new CallRates(rates.toPlain()).summary()).toEqual(rates.summary());
  });
});
