import { describe, expect, it } from 'vitest';
import { numberLeaves } from '../../../src/lib/number-leaves.js';

describe('numberLeaves', () => {
  it('finds numbers by the names on the way to them, and nothing else', () => {
    const value = { a: 1, b: { c: 2, d: 'text', e: null }, ['__proto__x']: { f: [3, 4] } };
    expect([...numberLeaves(value)]).toEqual([
      ['a', 1],
      ['b / c', 2],
      ['__proto__x / f / 0', 3],
      ['__proto__x / f / 1', 4],
    ]);
    expect([...numberLeaves(JSON.parse('{"__proto__": 5}'))]).toEqual([['__proto__', 5]]);
    expect(numberLeaves('text').size).toBe(0);
  });

  it('does not follow what is nested too deep', () => {
    let value: object = { deep: 1 };
    for (let i = 0; i < 10; i++) value = { inner: value };
    expect(numberLeaves(value).size).toBe(0);
  });
});
