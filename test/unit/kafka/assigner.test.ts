import { assert, array, integer, property, record } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distribute } from '../../../src/kafka/assigner.js';

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('sharing partitions', () => {
  it('gives everyone an even share, each partition once, whatever they claim', () => {
    const members = array(
      record({
        generation: integer({ min: 0, max: 3 }),
        partitions: array(integer({ min: -2, max: 30 }), { maxLength: 30 }),
      }),
      { minLength: 1, maxLength: 8 },
    ).map((all) => all.map((each, index) => ({ id: `m${index}`, ...each })));
    const even = property(integer({ min: 0, max: 25 }), members, (count, all) => {
      const owners = distribute(count, all);
      const sizes = [...owners.values()].map(({ length }) => length);
      const given = [...owners.values()].flat().sort((a, b) => a - b);
      return (
        owners.size === all.length &&
        Math.max(...sizes) - Math.min(...sizes) <= 1 &&
        JSON.stringify(given) === JSON.stringify(range(count))
      );
    });
    expect(() => assert(even, { numRuns: 500 })).not.toThrow();
  });

  it('moves no more than it must when one comes or goes', () => {
    const three = distribute(12, [
      { id: 'a', generation: 1, partitions: range(6) },
      { id: 'b', generation: 1, partitions: range(6).map((each) => each + 6) },
      { id: 'c', generation: 0, partitions: [] },
    ]);
    expect(three.get('a')).toEqual([0, 1, 2, 3]);
    expect(three.get('b')).toEqual([6, 7, 8, 9]);
    expect(three.get('c')).toEqual([4, 5, 10, 11]);
    const two = distribute(12, [
      { id: 'a', generation: 2, partitions: three.get('a') ?? [] },
      { id: 'c', generation: 2, partitions: three.get('c') ?? [] },
    ]);
    expect(two.get('a')).toEqual(expect.arrayContaining([0, 1, 2, 3]));
    expect(two.get('c')).toEqual(expect.arrayContaining([4, 5, 10, 11]));
  });

  it('believes the one that has been there last, where two claim the same', () => {
    const owners = distribute(2, [
      { id: 'zombie', generation: 3, partitions: [0] },
      { id: 'owner', generation: 4, partitions: [0] },
    ]);
    expect(owners.get('owner')).toEqual([0]);
    expect(owners.get('zombie')).toEqual([1]);
  });
});
