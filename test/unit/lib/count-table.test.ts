import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountTable } from '../../../src/lib/count-table.js';

/** Few keys, some of them alike in their low or high bits, so that they meet. */
const key = fc.oneof(
  fc.nat(20),
  fc.nat(20).map((n) => n * 0x10000),
  fc.integer({ min: 0, max: 0xffffffff }),
);
const step = fc.tuple(key, fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 0xffffffff })));

describe('CountTable', () => {
  it('holds what a map would hold, however keys come and go', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = new CountTable();
        const expected = new Map<number, number>();
        for (const [at, count] of steps) {
          table.set(at, count);
          if (count === 0) expected.delete(at);
          else expected.set(at, count);
          expect(table.size).toBe(expected.size);
        }
        for (const [at] of steps) expect(table.get(at)).toBe(expected.get(at) ?? 0);
        expect(new Map(table.entries())).toEqual(expected);
        const { keys, counts } = table.toSorted();
        expect([...keys]).toEqual([...expected.keys()].sort((a, b) => a - b));
        expect([...counts]).toEqual([...keys].map((at) => expected.get(at)));
      }),
    );
  });

  it('counts up and down from nothing, in one search, and takes no new key where it may not', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.boolean(), fc.boolean()), { maxLength: 200 }), (steps) => {
        const table = new CountTable();
        const expected = new Map<number, number>();
        for (const [at, isUp, mayInsert] of steps) {
          const before = expected.get(at) ?? 0;
          const isDone = before > 0 || (isUp && mayInsert);
          expect(table.add(at, isUp ? 1 : -1, mayInsert)).toBe(isDone ? before : -1);
          if (isDone) expected.set(at, before + (isUp ? 1 : -1));
          if (expected.get(at) === 0) expected.delete(at);
          expect(table.size).toBe(expected.size);
        }
        expect(new Map(table.entries())).toEqual(expected);
      }),
    );
  });

  it('stays right through many thousands of keys', () => {
    const table = new CountTable();
    for (let n = 0; n < 50_000; n++) table.set(n * 8, n + 1);
    for (let n = 0; n < 50_000; n += 2) table.set(n * 8, 0);
    expect(table.size).toBe(25_000);
    expect([table.get(8), table.get(16), table.get(49_999 * 8), table.get(3)]).toEqual([2, 0, 50_000, 0]);
  });
});
