import { describe, expect, it } from 'vitest';
import { clockTime, dayTime } from '../../../src/lib/utc-text.js';

describe('times', () => {
  it('are in UTC, and never fail', () => {
    expect([clockTime(1_000), dayTime(1_000)]).toEqual(['00:00:01', '1970-01-01 00:00:01 UTC']);
    expect([Number.NaN, -1, 1e300].map(clockTime)).toEqual(['00:00:00', '00:00:00', '00:00:00']);
  });
});
