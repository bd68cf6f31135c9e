import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountMap } from '../../../src/baseline/count-map.js';
import { RequestIndex } from '../../../src/baseline/request-index.js';
import type { KnownRequest } from '../../../src/baseline/request-memory.js';

function request(key: number, words: readonly number[]): KnownRequest {
  const counts = new CountMap(10);
  return {
    key,
    words: Uint32Array.from(words).sort(),
    sessions: 1,
    counts,
    writeTargets: 0,
    readTargets: 0,
    learnedAt: 0,
  };
}

/** As the definition has it: weighted cosine over inverse document frequencies, words of most requests left out. */
function searched(held: readonly KnownRequest[], asked: readonly number[], minShare: number): Map<number, number> {
  const having = (word: number) => held.filter(({ words }) => words.includes(word)).length;
  const information = (word: number) => Math.log((held.length + 1) / (having(word) + 0.5));
  const sum = (words: Iterable<number>) => [...words].reduce((mass, word) => mass + information(word), 0);
  const found = new Map<number, number>();
  for (const { key, words } of held) {
    const shared = sum(asked.filter((word) => words.includes(word) && having(word) <= 0.5 * held.length + 4));
    if (shared === 0 || shared < minShare * sum(asked)) continue;
    found.set(key, Math.min(1, shared / Math.sqrt(sum(asked) * sum(words) + 1e-9)));
  }
  return found;
}

const words = fc.uniqueArray(fc.nat(30), { maxLength: 12 });

describe('RequestIndex', () => {
  it('finds what a search through all requests finds, however they came and went', () => {
    fc.assert(
      fc.property(
        fc.array(words, { maxLength: 25 }),
        fc.array(fc.nat(24), { maxLength: 8 }),
        words,
        (all, gone, asked) => {
          const index = new RequestIndex();
          const requests = all.map((each, key) => request(key, each));
          for (const one of requests) index.insert(one);
          const removed = new Set(gone.flatMap((at) => requests[at] ?? []));
          for (const one of removed) index.remove(one);
          const [back] = removed;
          if (back !== undefined) index.insert(back);
          const held = requests.filter((one) => one === back || !removed.has(one));
          const found = new Map<number, number>();
          index.search(asked, 0.2, ({ key }, similarity) => found.set(key, similarity));
          const expected = searched(held, asked, 0.2);
          expect(new Set(found.keys())).toEqual(new Set(expected.keys()));
          for (const [key, similarity] of found) expect(similarity).toBeCloseTo(expected.get(key) ?? Number.NaN, 9);
          expect(index.size).toBe(held.length);
          for (const word of asked)
            expect(index.withWord(word).map(({ key }) => key)).toEqual(
              held
                .filter((one) => one.words.includes(word))
                .map(({ key }) => key)
                .sort((a, b) => a - b),
            );
        },
      ),
    );
  });

  it('sums a value word by word, every word weighing the same', () => {
    const index = new RequestIndex();
    for (let key = 0; key < 8; key++) index.insert(request(key, key < 2 ? [1] : key === 2 ? [2] : []));
    const sums = index.sumByWord([1, 2, 3], ({ key }) => (key === 1 ? Number.NaN : key + 1));
    expect(sums).toEqual({ sum: 1 / 2 + 3, weight: 1 / 2 + 1 });
  });
});
