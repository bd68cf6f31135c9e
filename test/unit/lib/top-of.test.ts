import { describe, expect, it } from 'vitest';
import { topOf } from '../../../src/lib/top-of.js';

describe('the first of many', () => {
  it.each([0, 1, 5, 40, 41, 100])('are those that sorting all of them would give: %i', (limit) => {
    const all = Array.from({ length: 41 }, (_, i) => ({ rank: (i * 17) % 13, i }));
    const before = (a: { rank: number }, b: { rank: number }) => a.rank - b.rank;
    const { items, total } = topOf(all, limit, before);
    expect(items).toEqual([...all].sort(before).slice(0, limit));
    expect(total).toBe(41);
  });
});
