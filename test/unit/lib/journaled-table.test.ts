import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JournaledTable } from '../../../src/lib/journaled-table.js';
import { memoryStore } from '../../support/memory-store.js';

const step = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'k'.repeat(300)),
  what: fc.constantFrom('change' as const, 'change' as const, 'change' as const, 'delete' as const),
  number: fc.nat(9),
  after: fc.constantFrom('nothing' as const, 'nothing' as const, 'drain' as const, 'restart' as const),
});

function table(store: ReturnType<typeof memoryStore>, capacity = 2): JournaledTable<number[], number> {
  return new JournaledTable({
    name: 'list',
    capacity,
    load: store.load,
    plain: { to: (list) => [...list], from: (plain) => plain as number[] },
    change: { to: (change) => ({ change }), from: (plain) => (plain as { change: number }).change },
    apply: (list, number) => void list.push(number),
  });
}

describe('JournaledTable', () => {
  it('holds what was put in, through checkpoints, forgetting and restarts', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const store = memoryStore();
        let lists = table(store);
        const expected = new Map<string, number[]>();
        for (const { key, what, number, after } of steps) {
          if (what === 'delete') {
            lists.delete(key);
            expected.delete(key);
          } else {
            if (lists.get(key) === undefined) lists.add(key, []);
            lists.change(key, number);
            expected.set(key, [...(expected.get(key) ?? []), number]);
          }
          if (after !== 'nothing') store.commit(lists);
          if (after === 'restart') lists = table(store);
          for (const one of ['a', 'b', 'c', key]) expect(lists.peek(one)).toEqual(expected.get(one));
          for (const one of ['a', 'b', 'c', key]) expect(lists.get(one)).toEqual(expected.get(one));
        }
        for (const key of expected.keys()) lists.delete(key);
        store.commit(lists);
        expect(store.size()).toBe(0);
      }),
    );
  });

  it('writes about as much as changes, not the whole each time', () => {
    const store = memoryStore();
    const lists = table(store);
    let written = 0;
    lists.add('a', []);
    for (let n = 0; n < 2_000; n++) {
      lists.change('a', n);
      const puts: { key: string; value: Uint8Array }[] = [];
      store.commit({
        drain: (to, deletes) => {
          lists.drain(puts, deletes);
          to.push(...puts);
        },
      });
      for (const { value } of puts) written += value.length;
    }
    const whole = [...store.entries('list/')].reduce((sum, { value }) => sum + value.length, 0);
    expect(written / whole).toBeLessThan(20);
    expect(table(store).get('a')).toHaveLength(2_000);
  });

  it('keeps in memory what is used, not what is only looked at', () => {
    const store = memoryStore();
    const before = table(store);
    for (const key of ['a', 'b']) before.add(key, [1]);
    store.commit(before);
    const asked: string[] = [];
    const lists = table({ ...store, load: (key) => (asked.push(key), store.load(key)) });
    const readsOf = (read: () => unknown) => {
      asked.length = 0;
      expect(read()).toEqual([1]);
      return asked.length;
    };
    expect(readsOf(() => lists.peek('a'))).toBeGreaterThan(0);
    expect(readsOf(() => lists.peek('a'))).toBeGreaterThan(0);
    expect(readsOf(() => lists.get('a'))).toBeGreaterThan(0);
    expect(readsOf(() => lists.peek('a'))).toBe(0);
  });

  it('knows nothing of a key that was never there', () => {
    const lists = table(memoryStore());
    lists.delete('a');
    expect([lists.get('a'), lists.change('a', 1)]).toEqual([undefined, undefined]);
  });
});
