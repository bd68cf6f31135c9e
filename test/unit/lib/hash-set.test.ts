import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HashSet } from '../../../src/lib/hash-set.js';

/** Few hashes, some of them alike in their low or high bits, so that they meet. */
const hash = fc.oneof(
  fc.nat(40),
  fc.nat(40).map((n) => n * 0x10000),
  fc.integer({ min: 0, max: 0xffffffff }),
);

describe('HashSet', () => {
  it('holds what a set would hold, in the same order', () => {
    fc.assert(
      fc.property(fc.array(hash, { maxLength: 200 }), fc.array(hash), (added, asked) => {
        const set = new HashSet();
        const expected = new Set<number>();
        for (const one of added) {
          set.add(one);
          expected.add(one);
          expect(set.size).toBe(expected.size);
        }
        expect([...set.values()]).toEqual([...expected]);
        for (const one of [...added, ...asked]) expect(set.has(one)).toBe(expected.has(one));
      }),
    );
  });

  it('takes no more than it is told to', () => {
    const set = new HashSet();
    set.addAll([1, 2, 2, 3], 2);
    set.addAll([4], 2);
    expect([...set.values()]).toEqual([1, 2]);
    set.addAll([2, 5, 6], 4);
    expect([...set.values()]).toEqual([1, 2, 5, 6]);
  });

  it('stays right through tens of thousands', () => {
    const set = new HashSet();
    for (let n = 0; n < 40_000; n++) set.add((n >> 1) * 8);
    expect(set.size).toBe(20_000);
    expect([set.has(0), set.has(8 * 19_999), set.has(8 * 20_000), set.has(3)]).toEqual([true, true, false, false]);
  });
});
