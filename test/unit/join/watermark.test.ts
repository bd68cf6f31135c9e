import { describe, expect, it } from 'vitest';
import { TenantClock } from '../../../src/join/watermark.js';

const OPTIONS = {
  outOfOrderMs: 5_000,
  idleMs: 60_000,
  maxFutureMs: 60_000,
  maxHoldMs: 3_600_000,
  maxEmitters: 100,
  saltSeed: 1,
};

function see(clock: TenantClock, principalId: string, time: number, observedAt = time, now = observedAt): number {
  const placed = clock.observe(clock.emitter(principalId), { time, observedAt }, now);
  clock.advance(now, false);
  return placed;
}

describe('watermark', () => {
  it('follows the slowest active emitter, less the bound on disorder', () => {
    const clock = new TenantClock(OPTIONS);
    see(clock, 'a', 100_000);
    see(clock, 'b', 100_000);
    see(clock, 'a', 130_000);
    expect(clock.watermark).toBe(95_000);
    see(clock, 'b', 120_000);
    expect(clock.watermark).toBe(115_000);
  });

  it('never goes back', () => {
    const clock = new TenantClock(OPTIONS);
    see(clock, 'a', 100_000);
    see(clock, 'a', 50_000);
    see(clock, 'b', 10_000);
    expect(clock.watermark).toBe(95_000);
  });

  it('is not stalled by an emitter that fell silent', () => {
    const clock = new TenantClock(OPTIONS);
    see(clock, 'quiet', 100_000);
    see(clock, 'busy', 150_000);
    expect(clock.watermark).toBe(95_000);
    see(clock, 'busy', 161_000);
    expect(clock.watermark).toBe(156_000);
  });

  it('is not stalled by an emitter that repeats the same time for ever', () => {
    const clock = new TenantClock(OPTIONS);
    see(clock, 'stuck', 100_000);
    for (let now = 110_000; now <= 170_000; now += 10_000) {
      see(clock, 'stuck', 100_000, now);
      see(clock, 'busy', now);
    }
    expect(clock.watermark).toBe(165_000);
  });

  it('is not held back for longer than maxHoldMs by one that creeps', () => {
    const clock = new TenantClock(OPTIONS);
    for (let now = 100_000; now <= 8_000_000; now += 10_000) {
      see(clock, 'creeping', 100_000 + now / 10_000, now);
      see(clock, 'busy', now);
    }
    expect(clock.watermark).toBe(8_000_000 - 5_000);
  });

  it('ignores one clock that is a day ahead', () => {
    const clock = new TenantClock(OPTIONS);
    see(clock, 'good', 1_000_000);
    const placed = see(clock, 'wrong', 1_000_500 + 86_400_000, 1_000_500);
    expect(placed).toBe(1_000_000);
    expect(clock.watermark).toBe(995_000);
  });

  it('runs on arrival times where every clock is ahead', () => {
    const clock = new TenantClock(OPTIONS);
    expect(see(clock, 'wrong', 86_400_000, 500_000)).toBe(500_000);
    clock.advance(600_000, true);
    expect(clock.watermark).toBe(595_000);
  });

  it('follows processing time once all are idle, from where event time was', () => {
    const clock = new TenantClock(OPTIONS);
    const recorded = 1_000_000;
    const today = 1_700_000_000_000;
    see(clock, 'replay', recorded, today);
    clock.advance(today + 59_999, true);
    expect(clock.watermark).toBe(recorded - 5_000);
    clock.advance(today + 90_000, true);
    expect(clock.watermark).toBe(recorded - 5_000 + 90_000);
  });

  it('is unknown before the first event, whatever the ticks say', () => {
    const clock = new TenantClock(OPTIONS);
    clock.advance(1_700_000_000_000, true);
    expect(clock.watermark).toBe(-Infinity);
  });

  it('bounds its emitters and counts those it forgets', () => {
    const clock = new TenantClock({ ...OPTIONS, maxEmitters: 10 });
    for (let i = 0; i < 1_000; i++) see(clock, `p${i}`, 100_000 + i);
    expect(clock.emitterCount).toBe(10);
    expect(clock.evicted).toBe(990);
  });

  it('keeps up with many emitters within one round', () => {
    const clock = new TenantClock(OPTIONS);
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 100; i++) see(clock, `p${i}`, 100_000 + round * 1_000);
    }
    expect(clock.watermark).toBeGreaterThanOrEqual(97_000);
    clock.advance(103_000, true);
    expect(clock.watermark).toBe(98_000);
  });
});
