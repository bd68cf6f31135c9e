import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AGENT_CAPS, AgentBaseline } from '../../../src/baseline/agent-baseline.js';
import type { SessionRecord } from '../../../src/baseline/facts.js';
import { Journal } from '../../../src/baseline/journal.js';
import { decodeState, encodeState } from '../../../src/lib/state-table.js';
import { ORIGINS } from '../../../src/model/observation.js';
import type { PlainBaseline } from '../../../src/baseline/agent-baseline.js';

const hash = fc.integer({ min: 1, max: 40 });
const write = fc.constantFrom('read' as const, 'write' as const, 'unknown' as const);
const record: fc.Arbitrary<SessionRecord> = fc.record({
  intent: fc.uniqueArray(hash, { maxLength: 8 }),
  tools: fc.uniqueArray(fc.record({ tool: hash, write: fc.boolean(), words: fc.constant([7]) }), {
    selector: ({ tool }) => tool,
    maxLength: 5,
  }),
  transitions: fc.array(fc.tuple(hash, hash), { maxLength: 6 }),
  targets: fc.array(
    fc.record({
      tool: hash,
      effect: write,
      field: hash,
      kind: hash,
      value: hash,
      origin: fc.constantFrom(...ORIGINS),
      source: fc.integer({ min: 0, max: 5 }),
    }),
    { maxLength: 6 },
  ),
  argWords: fc.uniqueArray(hash, { maxLength: 8 }),
  wordKeys: fc.uniqueArray(hash, { maxLength: 8 }),
  names: fc.uniqueArray(fc.tuple(hash, fc.constant('name')), { selector: ([key]) => key, maxLength: 5 }),
});
const SMALL = { entries: 12, requests: 3 };

function sorted(baseline: AgentBaseline): unknown {
  const plain = baseline.toPlain();
  const pairs = ({ keys, counts }: { keys: Uint32Array; counts: Uint32Array }) =>
    [...keys].map((key, i) => [key, counts[i] ?? 0] as const).sort(([a], [b]) => a - b);
  return {
    ...plain,
    counts: Object.fromEntries(Object.entries(plain.counts).map(([name, counts]) => [name, pairs(counts)])),
    known: [...plain.known].sort((a, b) => a.tool - b.tool),
    names: [...plain.names].sort(([a], [b]) => a - b),
    requests: [...plain.requests]
      .sort((a, b) => a.key - b.key)
      .map((request) => ({ ...request, counts: pairs(request.counts) })),
  };
}

/** Without when things were learned, which taking them out again does not undo. */
function countsOf(baseline: AgentBaseline): unknown {
  return JSON.parse(
    JSON.stringify(sorted(baseline), (key, value: unknown) => (key === 'changes' || key === 'learnedAt' ? 0 : value)),
  );
}

function learned(records: readonly SessionRecord[], caps = AGENT_CAPS): AgentBaseline {
  const baseline = new AgentBaseline(caps);
  for (const each of records) baseline.learn(each, 1);
  return baseline;
}

describe('AgentBaseline', () => {
  it('forgets exactly what it learned last', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), record, (before, last) => {
        const baseline = learned(before);
        const expected = countsOf(baseline);
        baseline.learn(last, 1);
        baseline.learn(last, -1);
        expect(countsOf(baseline)).toEqual(expected);
      }),
    );
  });

  it('forgets in any order: counts do not depend on who came first', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 8 }), fc.nat(), (records, pick) => {
        const out = pick % records.length;
        const baseline = learned(records);
        const taken = records[out];
        if (taken !== undefined) baseline.learn(taken, -1);
        const rest = learned(records.filter((_, i) => i !== out));
        const { known: _, ...counts } = countsOf(baseline) as Record<string, unknown>;
        // Whether a tool writes is said by the first session that used it.
        const { known: __, ...expected } = countsOf(rest) as Record<string, unknown>;
        expect(counts).toEqual(expected);
      }),
    );
  });

  it('comes back exactly by its journal, also where caps are reached', () => {
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 5 }),
        (records, picks) => {
          const baseline = learned(records, SMALL);
          const expected = sorted(baseline);
          const journal = new Journal();
          for (const pick of picks) {
            const one = records[pick % records.length];
            if (one !== undefined) baseline.learn(one, pick % 3 === 0 ? 1 : -1, journal);
          }
          journal.restore();
          expect(sorted(baseline)).toEqual(expected);
        },
      ),
    );
  });

  it('is the same after it was stored', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), (records) => {
        const baseline = learned(records);
        baseline.callRates.learn(3);
        const plain = decodeState(encodeState(baseline.toPlain())) as PlainBaseline;
        expect(new AgentBaseline(AGENT_CAPS, plain).toPlain()).toEqual(baseline.toPlain());
      }),
    );
  });

  it('never holds more than its caps, and counts what it ignored', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 5, maxLength: 30 }), (records) => {
        const baseline = learned(records, SMALL);
        for (const counts of Object.values(baseline.toPlain().counts))
          expect(counts.keys.length).toBeLessThanOrEqual(12);
        expect(baseline.requests.size).toBeLessThanOrEqual(3);
      }),
    );
    const baseline = new AgentBaseline({ entries: 2, requests: 2 });
    const words = Array.from({ length: 10 }, (_, i) => i + 1);
    baseline.learn(
      { intent: [], tools: [], transitions: [], targets: [], argWords: words, wordKeys: [], names: [] },
      1,
    );
    expect(baseline.argWords.size).toBe(2);
    expect(baseline.ignored()).toBe(8);
  });

  it('lets the request go that was not learned for the longest time', () => {
    const baseline = new AgentBaseline({ entries: 100, requests: 2 });
    const asked = (word: number): SessionRecord => ({
      intent: [word],
      tools: [],
      transitions: [],
      targets: [],
      argWords: [],
      wordKeys: [],
      names: [],
    });
    for (const word of [1, 2, 1, 3]) baseline.learn(asked(word), 1);
    expect([1, 2, 3].map((word) => baseline.requests.index.withWord(word).length)).toEqual([1, 0, 1]);
    expect(baseline.requests.evicted).toBe(1);
  });
});
