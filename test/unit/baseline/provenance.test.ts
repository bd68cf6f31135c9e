import { describe, expect, it } from 'vitest';
import { Provenance } from '../../../src/baseline/provenance.js';
import { decodeState, encodeState } from '../../../src/lib/state-table.js';
import type { PlainProvenance } from '../../../src/baseline/provenance.js';

const target = (hash: number, ...words: number[]) => ({ hash, words });

describe('Provenance', () => {
  it('knows nothing before it has seen the request, and says so', () => {
    const provenance = new Provenance();
    expect(provenance.resolve(target(1, 2))).toEqual({ origin: 'unknown', source: 0, sourceCall: 0 });
    provenance.addPrompt([]);
    expect(provenance.resolve(target(1, 2)).origin).toBe('none');
  });

  it('finds values whole or by all of their words, in request, result or both', () => {
    const provenance = new Provenance();
    provenance.addPrompt([1, 2, 3]);
    provenance.addResult(70, 7, [3, 4, 5]);
    expect(provenance.resolve(target(1)).origin).toBe('prompt');
    expect(provenance.resolve(target(9, 2, 3)).origin).toBe('prompt');
    expect(provenance.resolve(target(9, 4, 5))).toEqual({ origin: 'result', source: 7, sourceCall: 70 });
    expect(provenance.resolve(target(3))).toEqual({ origin: 'both', source: 7, sourceCall: 70 });
    expect(provenance.resolve(target(9, 4, 6)).origin).toBe('none');
    expect(provenance.resolve(target(9)).origin).toBe('none');
  });

  it('takes a withheld result back', () => {
    const provenance = new Provenance();
    provenance.addPrompt([]);
    provenance.addResult(70, 7, [4]);
    provenance.withdraw(70);
    expect(provenance.resolve(target(4)).origin).toBe('none');
  });

  it('keeps the newest sixteen results, the same after a restart', () => {
    const provenance = new Provenance();
    provenance.addPrompt([1]);
    for (let i = 0; i < 100; i++) provenance.addResult(i + 1, i + 1, [1_000 + i]);
    const again = Provenance.fromPlain(decodeState(encodeState(provenance.toPlain())) as PlainProvenance);
    for (const held of [provenance, again]) {
      expect(held.resolve(target(1_083)).origin).toBe('none');
      expect(held.resolve(target(1_084))).toEqual({ origin: 'result', source: 85, sourceCall: 85 });
    }
    expect(again.toPlain()).toEqual(provenance.toPlain());
  });
});
