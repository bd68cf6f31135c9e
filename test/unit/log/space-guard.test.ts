import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/lib/clock.js';
import { LogFullError } from '../../../src/log/log-errors.js';
import { SpaceGuard, type SpaceUse } from '../../../src/log/space-guard.js';

function guard(use: SpaceUse): { space: SpaceGuard; clock: ManualClock; looks: () => number } {
  const clock = new ManualClock(1_000_000);
  let looks = 0;
  const look = (): SpaceUse => {
    looks++;
    return use;
  };
  return { space: new SpaceGuard({ clock, look, maxBytes: 1000, reserveBytes: 100 }), clock, looks: () => looks };
}

describe('the space guard', () => {
  it('counts what it admitted between two looks, and looks at most once a second', () => {
    const { space, clock, looks } = guard({ usedBytes: 0, fileBytes: 0, freeBytes: 10_000 });
    space.admit(500);
    space.admit(400);
    expect(() => space.admit(1)).toThrow(LogFullError);
    clock.advance(999);
    expect(() => space.admit(1)).toThrow(/at most 1000 bytes/);
    expect(looks()).toBe(1);
    clock.advance(1);
    expect(() => space.admit(900)).not.toThrow();
    expect(looks()).toBe(2);
  });

  it('keeps the reserve of the volume free, and counts the room inside the file as free', () => {
    const tight = guard({ usedBytes: 50, fileBytes: 100, freeBytes: 100 });
    tight.space.admit(50);
    expect(() => tight.space.admit(1)).toThrow(expect.objectContaining({ reason: 'disk' }));
  });

  it('looks again when records were dropped, and when the clock was set back', () => {
    const use = { usedBytes: 950, fileBytes: 1000, freeBytes: 10_000 };
    const { space, clock, looks } = guard(use);
    expect(() => space.admit(1)).toThrow(/at most 1000/);
    use.usedBytes = 10;
    space.invalidate();
    expect(() => space.admit(1)).not.toThrow();
    clock.advance(-5000);
    space.admit(1);
    expect(looks()).toBe(3);
  });
});
