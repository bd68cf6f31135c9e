import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JournaledTable } from '../../../src/lib/journaled-table.js';
import { LatePut } from '../../../src/lib/late-put.js';
import { StateTable, type StatePut } from '../../../src/lib/state-table.js';

const KEYS = ['a', 'b', 'c', 'd'] as const;
const step = fc.record({
  key: fc.constantFrom(...KEYS),
  what: fc.constantFrom('change' as const, 'change' as const, 'change' as const, 'delete' as const, 'read' as const),
  number: fc.nat(99),
  /** Entries of the checkpoint that are encoded after the step. */
  encoded: fc.nat(2),
  checkpoint: fc.boolean(),
});

interface Lists {
  get: (key: string) => number[] | undefined;
  push: (key: string, number: number) => void;
  delete: (key: string) => void;
  drain: (puts: StatePut[], deletes: string[]) => void;
}

function stateTable(load: (key: string) => Uint8Array | undefined): Lists {
  const table = new StateTable<number[]>({ prefix: 'list/', capacity: 1, load });
  return {
    get: (key) => table.get(key),
    push: (key, number) => {
      const list = table.get(key) ?? [];
      list.push(number);
      table.set(key, list);
    },
    delete: (key) => table.delete(key),
    drain: (puts, deletes) => table.drain(puts, deletes),
  };
}

function journaledTable(load: (key: string) => Uint8Array | undefined): Lists {
  const table = new JournaledTable<number[], number>({
    name: 'list',
    capacity: 1,
    load,
    plain: { to: (list) => [...list], from: (plain) => plain as number[] },
    change: { to: (change) => change, from: (plain) => plain as number },
    apply: (list, number) => void list.push(number),
  });
  return {
    get: (key) => table.get(key),
    push: (key, number) => {
      if (table.get(key) === undefined) table.add(key, []);
      table.change(key, number);
    },
    delete: (key) => table.delete(key),
    drain: (puts, deletes) => table.drain(puts, deletes),
  };
}

/** Reads a checkpoint little by little; what was read shows at once, and what is deleted from the start. */
class SlowStore {
  readonly counted = new Map<string, Uint8Array>();
  /** What the counted checkpoint must say. */
  expected = new Map<string, number[]>();
  #pending = new Map<string, Uint8Array | undefined>();
  #puts: StatePut[] = [];
  #deletes: string[] = [];
  #promised: Map<string, number[]> | undefined;

  readonly load = (key: string): Uint8Array | undefined =>
    this.#pending.has(key) ? this.#pending.get(key) : this.counted.get(key);

  begin(lists: Lists, now: ReadonlyMap<string, number[]>): void {
    if (this.#promised !== undefined) return;
    lists.drain(this.#puts, this.#deletes);
    for (const key of this.#deletes) this.#pending.set(key, undefined);
    this.#promised = new Map([...now].map(([key, list]) => [key, [...list]]));
  }

  encode(count: number): void {
    if (this.#promised === undefined) return;
    for (const { key, value } of this.#puts.splice(0, count)) this.#pending.set(key, value);
    if (this.#puts.length > 0) return;
    for (const key of this.#deletes) this.#pending.set(key, undefined);
    for (const [key, value] of this.#pending) {
      if (value === undefined) this.counted.delete(key);
      else this.counted.set(key, value);
    }
    this.expected = this.#promised;
    this.#promised = undefined;
    this.#pending = new Map();
    this.#deletes = [];
  }
}

describe.for([
  { name: 'StateTable', make: stateTable },
  { name: 'JournaledTable', make: journaledTable },
])('a checkpoint of a $name that is encoded while entries change', ({ make }) => {
  it('shows the moment at which it was begun, and hides nothing meanwhile', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const store = new SlowStore();
        const lists = make(store.load);
        const now = new Map<string, number[]>();
        for (const { key, what, number, encoded, checkpoint } of steps) {
          if (what === 'change') {
            lists.push(key, number);
            now.set(key, [...(now.get(key) ?? []), number]);
          } else if (what === 'delete') {
            lists.delete(key);
            now.delete(key);
          }
          if (checkpoint) store.begin(lists, now);
          store.encode(encoded);
          expect(lists.get(key)).toEqual(now.get(key));
          // A process that ended here would find the last checkpoint that counts.
          const after = make((own) => store.counted.get(own));
          for (const own of KEYS) expect(after.get(own)).toEqual(store.expected.get(own));
        }
        for (const own of KEYS) expect(lists.get(own)).toEqual(now.get(own));
      }),
      { numRuns: 400 },
    );
  });
});

describe('LatePut', () => {
  it('is made once, when it is asked for', () => {
    let made = 0;
    const put = new LatePut(() => ({ key: `k${++made}`, value: 7 }));
    expect(made).toBe(0);
    put.fix();
    expect([put.key, put.value, made]).toEqual(['k1', 7, 1]);
  });

  it('says so when it is asked for while it is made', () => {
    const put: LatePut<number> = new LatePut(() => ({ key: 'k', value: put.value }));
    expect(() => put.key).toThrow(/while it was being made/);
  });
});
