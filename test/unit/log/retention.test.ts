import { describe, expect, it } from 'vitest';
import { truncatablePosition, type RetentionInput } from '../../../src/log/retention.js';

/** Ten segments of ten records and 100 bytes; segment n (0 to 9) was written at n seconds. */
const SEGMENTS = Array.from({ length: 10 }, (_, n) => ({
  first: n * 10 + 1,
  count: 10,
  time: n * 1000,
  sizeBytes: 100,
}));

function position(change: Partial<RetentionInput>): number {
  return truncatablePosition({
    segments: SEGMENTS,
    storedBytes: 1000,
    nextPositions: [101],
    retention: { maxBytes: Infinity, maxAgeMs: Infinity },
    nowMs: 10_000,
    ...change,
  });
}

describe('retention', () => {
  it('keeps everything that is neither old nor too much', () => {
    expect(position({})).toBe(1);
  });

  it('drops what is older than allowed, or more than allowed, whichever is more', () => {
    expect(position({ retention: { maxBytes: Infinity, maxAgeMs: 7500 } })).toBe(31);
    expect(position({ retention: { maxBytes: 450, maxAgeMs: Infinity } })).toBe(61);
    expect(position({ retention: { maxBytes: 450, maxAgeMs: 7500 } })).toBe(61);
    expect(position({ retention: { maxBytes: 0, maxAgeMs: 0 } })).toBe(101);
  });

  it('never drops what the slowest reader still needs', () => {
    const retention = { maxBytes: 0, maxAgeMs: 0 };
    expect(position({ retention, nextPositions: [101, 35] })).toBe(31);
    expect(position({ retention, nextPositions: [101, 1] })).toBe(1);
    expect(position({ retention, nextPositions: [] })).toBe(1);
  });
});
