import { describe, expect, it } from 'vitest';
import { packBytes, packState, unpackState } from '../../../src/baseline/packed-state.js';
import { StateSeal } from '../../../src/baseline/state-seal.js';
import { encodeState } from '../../../src/lib/state-table.js';

const place = { tenant: 't', agentId: 'a', version: 3 };

describe('a sealed state', () => {
  it('is of this secret, this place and this content only', async () => {
    const [own, again, other] = await Promise.all([StateSeal.of(7), StateSeal.of(7), StateSeal.of(8)]);
    const seal = own.seal(place, 'content');
    expect([own.print === again.print, own.print === other.print]).toEqual([true, false]);
    expect(again.isIntact(place, 'content', seal)).toBe(true);
    expect(other.isIntact(place, 'content', seal)).toBe(false);
    expect(own.isIntact(place, 'contents', seal)).toBe(false);
    for (const change of [{ tenant: 'u' }, { agentId: 'b' }, { agentId: '' }, { version: 4 }]) {
      expect(own.isIntact({ ...place, ...change }, 'content', seal)).toBe(false);
    }
    expect(own.isIntact(place, 'content', seal.slice(1))).toBe(false);
    expect(own.isIntact(place, 'content', '')).toBe(false);
    expect(own.print).toMatch(/^[0-9a-f]{16}$/);
  });

  it('is packed the same on and off this thread, and comes back', async () => {
    const past = [{ facts: [{ type: 'prompt' as const, words: Uint32Array.of(1, 2), values: Uint32Array.of() }] }];
    const value = { past, counts: new Map([['a', 1]]) };
    const packed = await packBytes(encodeState(value));
    expect(unpackState(packed)).toEqual(value);
    // Its shape is of no account here.
    expect(packState(value as never)).toBe(packed);
  });

  it('is no state where it is damaged or would fill the memory', async () => {
    expect(() => unpackState('')).toThrow(RangeError);
    expect(() => unpackState('no state at all')).toThrow(RangeError);
    const huge = await packBytes(encodeState(new Uint8Array(65 * 1024 * 1024)));
    expect(huge.length).toBeLessThan(1024 * 1024);
    expect(() => unpackState(huge)).toThrow(RangeError);
  });
});
