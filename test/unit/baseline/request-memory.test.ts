import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SessionRecord } from '../../../src/baseline/facts.js';
import { Journal } from '../../../src/baseline/journal.js';
import { RequestMemory } from '../../../src/baseline/request-memory.js';
import { requestKeyOf } from '../../../src/baseline/scoring-state.js';

const CAPACITY = 90;

function asked(word: number): SessionRecord {
  return { intent: [word], tools: [], transitions: [], targets: [], argWords: [], wordKeys: [], names: [] };
}

describe('RequestMemory', () => {
  it('pushes out the request that was learned longest ago, whatever was learned again or only tried out', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(150), fc.nat(9)), { minLength: 300, maxLength: 600 }), (steps) => {
        const memory = new RequestMemory(CAPACITY);
        // The least recently learned first.
        const expected = new Map<number, true>();
        let now = 0;
        for (const [word, dice] of steps) {
          if (dice === 0) {
            const journal = new Journal();
            memory.learn(asked(word), 1, now + 1, journal);
            journal.restore();
            continue;
          }
          memory.learn(asked(word), 1, ++now);
          expected.delete(word);
          expected.set(word, true);
          const [oldest] = expected.keys();
          if (expected.size > CAPACITY && oldest !== undefined) expected.delete(oldest);
        }
        const held = memory.toPlain().map(({ key }) => key);
        expect(new Set(held)).toEqual(new Set([...expected.keys()].map((word) => requestKeyOf([word]))));
      }),
      { numRuns: 30 },
    );
  });
});
