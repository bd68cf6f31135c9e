import { describe, expect, it } from 'vitest';
import { ScoringProgress } from '../../../src/telemetry/scoring-progress.js';
import { ServiceHealth } from '../../../src/telemetry/service-health.js';

/** A log, scoring and a clock that a test moves. */
function world() {
  const at = { head: 0, effects: 1, ms: 0, store: 'ok' as 'ok' | 'away' };
  const partition = {
    log: {
      get head() {
        return at.head;
      },
    },
    scoring: {
      get effectsPosition() {
        return at.effects;
      },
    },
  };
  const partitions = [partition];
  const progress = new ScoringProgress({
    partitions: () => partitions,
    clock: { now: () => 1_000_000 + at.ms },
    elapsedMs: () => at.ms,
  });
  const health = new ServiceHealth({ progress, store: () => at.store, stallMs: 60_000 });
  const tick = () => {
    at.head++;
    progress.appended();
  };
  const score = () => (at.effects = at.head + 1);
  return { at, partitions, progress, health, tick, score };
}

describe('scoring goes all the way', () => {
  it('only when a tick has passed the outbox, not when it lies in the log', () => {
    const { at, progress, tick, score } = world();
    tick();
    expect(progress.through).toEqual({ count: 0, time: 0, position: 0 });
    at.ms = 500;
    expect(progress.lagMs).toBe(500);
    score();
    expect(progress.through).toEqual({ count: 1, time: 1_000_500, position: 1 });
    expect(progress.lagMs).toBe(0);
  });

  it('and counts as standing still only with work before it', () => {
    const { at, progress, tick, score } = world();
    at.ms = 100_000;
    expect(progress.standsStillMs).toBe(0);
    tick();
    at.ms = 130_000;
    expect(progress.standsStillMs).toBe(30_000);
    tick();
    at.effects = 2;
    expect(progress.standsStillMs).toBe(0);
    score();
    at.ms = 500_000;
    expect(progress.standsStillMs).toBe(0);
  });

  it('only when every partition has carried it through, except those that were given up', () => {
    const { at, partitions, progress, tick, score } = world();
    const other = { log: { head: 5 }, scoring: { effectsPosition: 5 } };
    partitions.push(other);
    tick();
    score();
    expect(progress.through.count).toBe(0);
    at.ms = 61_000;
    expect(progress.standsStillMs).toBe(61_000);
    other.scoring.effectsPosition = 6;
    expect(progress.through).toMatchObject({ count: 1, position: 6 });
    other.log.head = 9;
    tick();
    score();
    at.ms = 200_000;
    expect(progress.through.count).toBe(1);
    partitions.pop();
    expect(progress.through.count).toBe(2);
    expect(progress.standsStillMs).toBe(0);
    partitions.pop();
    tick();
    expect(progress.through.count).toBe(2);
  });

  it('and keeps the age of the oldest tick through a pile of them', () => {
    const { at, progress, tick, score } = world();
    for (; at.ms < 5_000_000; at.ms += 1_000) tick();
    expect(progress.lagMs).toBe(5_000_000);
    score();
    expect(progress.lagMs).toBe(0);
  });
});

describe('readiness', () => {
  it('is given with a store that is away, and with scoring that is late', () => {
    const { at, health, tick } = world();
    at.store = 'away';
    tick();
    at.ms = 10_000;
    expect(health.readiness()).toEqual({
      ready: true,
      draining: false,
      parts: { log: 'ok', scoring: 'behind', store: 'away' },
    });
    expect(health.isAlive()).toBe(true);
  });

  it('is not given where scoring hangs, and a new start may help', () => {
    const { at, health, tick, score } = world();
    tick();
    at.ms = 61_000;
    expect(health.readiness()).toMatchObject({ ready: false, parts: { scoring: 'failing' } });
    expect(health.isAlive()).toBe(false);
    score();
    expect(health.readiness().ready).toBe(true);
    expect(health.isAlive()).toBe(true);
  });

  it('is not given where nothing can be written, and no new start would help', () => {
    const { at, progress, health, tick, score } = world();
    tick();
    progress.refused();
    at.ms = 1_000;
    expect(health.readiness().parts.log).toBe('ok');
    at.ms = 90_000;
    expect(health.readiness()).toMatchObject({ ready: false, parts: { log: 'failing' } });
    expect(health.isAlive()).toBe(true);
    tick();
    score();
    expect(health.readiness()).toMatchObject({ ready: true, parts: { log: 'ok' } });
  });

  it('ends when the process is to stop, which is no fault', () => {
    const { health } = world();
    health.drain();
    expect(health.readiness()).toMatchObject({ ready: false, draining: true, parts: { scoring: 'ok' } });
    expect(health.isAlive()).toBe(true);
  });
});
