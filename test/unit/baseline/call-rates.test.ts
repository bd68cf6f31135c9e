import { describe, expect, it } from 'vitest';
import { CallRates } from '../../../src/baseline/call-rates.js';
import { HOURS_OF_WEEK } from '../../../src/lib/hour-of-week.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** A Monday. */
const START = Date.UTC(2026, 0, 5);

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
    for (let i = 0; i < 1_000; i++) rates.learn(1_000 - i);
    rates.learn(Number.NaN);
    expect(rates.size).toBe(256);
    expect(rates.summary().centre).toBeLessThan(256);
    expect(new CallRates(rates.toPlain()).summary()).toEqual(rates.summary());
  });

  it('lets nobody walk what is usual far above its slow horizon, and follows it a little each day', () => {
    const rates = new CallRates();
    let at = START;
    for (let i = 0; i < 300; i++) rates.learn(10 + (i % 3), (at += MINUTE_MS));
    const before = rates.summary().centre;
    // 1 % a day for a year: thirty-seven times as much.
    for (let day = 1; day <= 365; day++) {
      at = START + day * DAY_MS;
      for (let i = 0; i < 20; i++) rates.learn((10 + (i % 3)) * 1.01 ** day, at + i * MINUTE_MS);
    }
    const { centre } = rates.summary();
    expect(centre).toBeGreaterThan(before);
    // A quarter and one call above a slow horizon that followed 0.2 % a day.
    expect(centre).toBeLessThan(before * 1.002 ** 366 * 1.25 + 1.01);
    expect(rates.surprise(11 * 1.01 ** 365, at)).toBeGreaterThan(10);
  });

  it('takes traffic that an operator vouches for as the new slow horizon', () => {
    const rates = new CallRates();
    for (let i = 0; i < 300; i++) rates.learn(10, START + i * MINUTE_MS);
    for (let i = 0; i < 300; i++) rates.learn(40, START + DAY_MS + i * MINUTE_MS, true);
    expect(rates.surprise(40)).toBe(0);
  });

  it('knows the hour of the week once it has seen it in three weeks, and not before', () => {
    const rates = new CallRates();
    const busy = (hour: number) => hour % HOURS_OF_WEEK === 3;
    const surprises: [quiet: number, busy: number][] = [];
    for (let hour = 0; hour < 7 * HOURS_OF_WEEK; hour++) {
      const at = START + hour * HOUR_MS;
      for (let i = 0; i < 12; i++) rates.learn(busy(hour) ? 60 + (i % 3) : 3 + (i % 3), at + i * MINUTE_MS);
      if (hour % HOURS_OF_WEEK !== 0) continue;
      surprises.push([rates.surprise(61, at), rates.surprise(61, at + 3 * HOUR_MS)]);
    }
    const [first, , , , , later] = surprises;
    expect(first?.[1]).toBeGreaterThan(6);
    expect(later?.[1]).toBeLessThan(1);
    // The same rate at any other hour is as odd as ever.
    expect(later?.[0]).toBeGreaterThan(50);
    expect(new CallRates(rates.toPlain()).toPlain()).toEqual(rates.toPlain());
    expect(rates.knownHours()).toBe(HOURS_OF_WEEK);
  });

  it('goes on from the plain list of an earlier version', () => {
    const rates = new CallRates([5, 6, 7]);
    expect(rates.summary()).toMatchObject({ centre: 6, windows: 3 });
    expect(rates.reference()).toMatchObject({ centre: 6, windows: 3 });
  });
});
