import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { riskTerms as termsOf, sumOf, TERM } from '../../../src/baseline/evidence.js';
import { prior } from '../../support/office.js';
import type { Ingredients } from '../../../src/baseline/ingredients.js';

const NOTHING: Ingredients = {
  write: 0,
  writesBefore: 0,
  tool: 0,
  newTool: 0,
  transition: 0,
  promised: 0,
  delegated: 0,
  readNear: 0,
  sourceOdd: 0,
  unknownRequest: 0,
  readNew: 0,
  readNewForRequest: 0,
  readNovelWords: 0,
  firstAfterRead: 0,
  justExposed: 0,
  askedShare: 0,
  argUngrounded: 0,
  argNewForRequest: 0,
  argGrounded: 0,
  freeArgs: 0,
  newest: 0,
  newestTarget: -1,
  oddestTarget: -1,
};
const riskTerms = (x: Ingredients) => termsOf(x, prior.evidence.weights);
const risk = (change: Partial<Ingredients>) => sumOf(riskTerms({ ...NOTHING, ...change }));
const share = fc.double({ min: 0, max: 1, noNaN: true });
const surprise = fc.double({ min: 0, max: 50, noNaN: true });

describe('riskTerms', () => {
  it('has nothing to say about nothing', () => {
    expect(riskTerms(NOTHING)).toEqual([]);
    expect(risk({})).toBe(0);
  });

  it('lets no single surprise convict', () => {
    expect(risk({ write: 1, tool: 1_000, promised: 1 })).toBeLessThan(9);
    expect(risk({ write: 1, sourceOdd: 1_000, readNear: 1_000 })).toBe(risk({ write: 1 }));
    expect(risk({ write: 1, readNew: 1_000 })).toBeLessThan(5);
  });

  it('lets a doubtful source count only where the target is new', () => {
    const source = { write: 1, sourceOdd: 6, firstAfterRead: 1 };
    const of = (change: Partial<Ingredients>) =>
      riskTerms({ ...NOTHING, ...source, ...change }).find(({ label }) => label === TERM.source)?.nats ?? 0;
    expect(of({})).toBe(0);
    expect(of({ readNew: 3, readNewForRequest: 1 })).toBeGreaterThan(3);
  });

  it('asks more of a session that had more chances to look odd, and no more from some number on', () => {
    const odd = { write: 1, tool: 5, readNew: 3 };
    const after = (writesBefore: number) => risk({ ...odd, writesBefore });
    expect(after(1)).toBeLessThan(after(0) - 0.3);
    expect(after(5)).toBeLessThan(after(1));
    expect(after(1_000)).toBe(after(7));
    expect(after(0) - after(1_000)).toBeLessThan(3);
  });

  it('never falls when a surprise grows, and never rises with what the user gave', () => {
    fc.assert(
      fc.property(
        fc.record({ tool: surprise, readNear: surprise, readNew: surprise, argUngrounded: share, promised: share }),
        share,
        (x, more) => {
          const write = { ...x, write: 1 };
          for (const name of ['tool', 'readNear', 'readNew', 'argUngrounded', 'promised'] as const) {
            expect(risk({ ...write, [name]: write[name] + more })).toBeGreaterThanOrEqual(risk(write) - 1e-9);
          }
          for (const name of ['argGrounded', 'askedShare', 'delegated'] as const) {
            expect(risk({ ...write, [name]: more })).toBeLessThanOrEqual(risk(write) + 1e-9);
          }
        },
      ),
    );
  });
});
