import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdRing } from '../../../src/join/dedupe.js';

describe('IdRing', () => {
  it('knows an id again, and only that one', () => {
    const ring = new IdRing({ seed: 1, capacity: 100 });
    expect([ring.add('x'), ring.add('x'), ring.add('y'), ring.add('x')]).toEqual([true, false, true, false]);
  });

  it('keeps name spaces apart, so that one emitter cannot suppress the id of another', () => {
    const ring = new IdRing({ seed: 1, capacity: 100 });
    expect([ring.add('x', 1), ring.add('x', 2), ring.add('x', 1)]).toEqual([true, true, false]);
  });

  it('behaves as a set of the newest ids', () => {
    const ids = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 400 });
    fc.assert(
      fc.property(ids, fc.integer({ min: 1, max: 20 }), (sequence, capacity) => {
        const ring = new IdRing({ seed: 3, capacity });
        const model: number[] = [];
        for (const id of sequence) {
          const isNew = !model.includes(id);
          expect(ring.add(`id${id}`)).toBe(isNew);
          if (!isNew) continue;
          model.push(id);
          if (model.length > capacity) model.shift();
        }
        expect(ring.size).toBe(model.length);
      }),
    );
  });

  it('is the same after being stored in chunks and restored', () => {
    const store = new Map<string, Uint8Array>();
    const save = (ring: IdRing): void => {
      const { puts, deletes } = ring.drainChunk();
      for (const { key, value } of puts) store.set(key, value);
      for (const key of deletes) store.delete(key);
    };
    let ring = new IdRing({ seed: 5, capacity: 5_000 });
    const twin = new IdRing({ seed: 5, capacity: 5_000 });
    const sizes: [number, number][] = [];
    for (let i = 0; i < 30_000; i++) {
      // Repeats ids from near and from beyond the ring.
      const id = `id${(i * 7_919) % (i % 3 === 0 ? 4_000 : 20_000)}`;
      expect(ring.add(id)).toBe(twin.add(id));
      if (i % 37 === 0) save(ring);
      if (i % 4_001 === 0) {
        save(ring);
        ring = new IdRing({ seed: 5, capacity: 5_000 });
        ring.restore([...store].map(([key, value]) => ({ key, value })));
        sizes.push([ring.size, twin.size]);
      }
    }
    expect(sizes.map(([size]) => size)).toEqual(sizes.map(([, size]) => size));
    expect(store.size).toBeLessThanOrEqual(Math.ceil(5_000 / 1_024) + 1);
    expect(ring.evicted).toBeGreaterThan(0);
  });

  it('writes little for a small commit and nothing for none', () => {
    const ring = new IdRing({ seed: 5, capacity: 50_000 });
    for (let i = 0; i < 20_000; i++) ring.add(`id${i}`);
    ring.drainChunk();
    expect(ring.drainChunk()).toEqual({ puts: [], deletes: [] });
    ring.add('one more');
    const bytes = ring.drainChunk().puts.reduce((sum, { value }) => sum + value.byteLength, 0);
    expect(bytes).toBeLessThanOrEqual(8 * 1_024);
  });

  it('skips what it need not store when more came than it remembers', () => {
    const ring = new IdRing({ seed: 5, capacity: 2_000 });
    for (let i = 0; i < 100_000; i++) ring.add(`id${i}`);
    const { puts, deletes } = ring.drainChunk();
    expect(puts.length).toBeLessThanOrEqual(3);
    expect(deletes).toEqual([]);
    const restored = new IdRing({ seed: 5, capacity: 2_000 });
    restored.restore(puts);
    expect(restored.size).toBe(2_000);
    expect([restored.add('id99999'), restored.add('id98000'), restored.add('id97999')]).toEqual([false, false, true]);
  });

  it('refuses bytes that are no chunk, naming the key', () => {
    const ring = new IdRing({ seed: 5, capacity: 10 });
    expect(() => ring.restore([{ key: 'join/ids/0', value: new Uint8Array(7) }])).toThrow(/join\/ids\/0/);
  });
});
