import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BoundedMap } from '../../../src/lib/bounded-map.js';

describe('BoundedMap', () => {
  it('forgets the least recently used entry first and says so', () => {
    const evicted: string[] = [];
    const map = new BoundedMap<string, number>(2, (key) => evicted.push(key));
    map.set('a', 1);
    map.set('b', 2);
    map.get('a');
    map.set('c', 3);
    expect(evicted).toEqual(['b']);
    expect([...map.entries()]).toEqual([
      ['a', 1],
      ['c', 3],
    ]);
    expect(map.evicted).toBe(1);
  });

  it('does the same as a plain list of keys in order of use', () => {
    const step = fc.tuple(fc.constantFrom('set', 'get', 'delete'), fc.integer({ min: 0, max: 9 }));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 200 }), (capacity, steps) => {
        const map = new BoundedMap<number, number>(capacity);
        let model: number[] = [];
        /** What the map said, and what it should have said. */
        const answers: [unknown, unknown][] = [];
        for (const [verb, key] of steps) {
          const held = model.includes(key);
          if (verb === 'set') {
            map.set(key, key);
            model = [...model.filter((k) => k !== key), key].slice(-capacity);
          } else if (verb === 'get') {
            answers.push([map.get(key), held ? key : undefined]);
            if (held) model = [...model.filter((k) => k !== key), key];
          } else {
            answers.push([map.delete(key), held]);
            model = model.filter((k) => k !== key);
          }
          answers.push([[...map.values()], model]);
        }
        expect(answers.map(([said]) => said)).toEqual(answers.map(([, right]) => right));
      }),
    );
  });

  it('refuses a capacity that makes no sense', () => {
    expect(() => new BoundedMap(0)).toThrow(RangeError);
  });
});
