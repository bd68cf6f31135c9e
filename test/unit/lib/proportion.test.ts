import { describe, expect, it } from 'vitest';
import { proportionInterval } from '../../../src/lib/proportion.js';

describe('proportionInterval', () => {
  it('gives the published values', () => {
    // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20.
    expect(proportionInterval(81, 263).map((x) => x.toFixed(4))).toEqual(['0.2553', '0.3662']);
    expect(proportionInterval(15, 148).map((x) => x.toFixed(4))).toEqual(['0.0624', '0.1605']);
    expect(proportionInterval(0, 20).map((x) => x.toFixed(4))).toEqual(['0.0000', '0.1611']);
  });

  it('knows nothing without trials', () => {
    expect(proportionInterval(0, 0)).toEqual([0, 1]);
  });
});
