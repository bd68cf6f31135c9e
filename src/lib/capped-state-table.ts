import { BoundedMap } from './bounded-map.js';
import { decodeState, StateTable, type StatePut } from './state-table.js';

/** What an entry must carry to be found again after a restart, and in the same order. */
export interface CappedEntry {
  key: string;
  /** Order of the last change among all entries of the table. */
  changed: number;
}

/**
 * A state table with a hard cap on what it stores, not only on what it holds in memory: the entry that was changed
 * longest ago gives way. A restart changes nothing, neither the entries nor which one gives way next.
 */
export class CappedStateTable<V extends CappedEntry> {
  readonly #table: StateTable<V>;
  readonly #order: BoundedMap<string, true>;
  #changes = 0;

  constructor({
    prefix,
    cap,
    inMemory,
    load,
  }: {
    prefix: string;
    cap: number;
    inMemory: number;
    load: (key: string) => Uint8Array | undefined;
  }) {
    this.#table = new StateTable({ prefix, capacity: Math.min(cap, inMemory), load });
    this.#order = new BoundedMap(cap, (key) => this.#table.delete(key));
  }

  get size(): number {
    return this.#order.size;
  }

  /** Entries that gave way to newer ones. */
  get evicted(): number {
    return this.#order.evicted;
  }

  get(key: string): V | undefined {
    return this.#order.size === 0 || this.#order.peek(key) === undefined ? undefined : this.#table.get(key);
  }

  /** From the one that was changed longest ago to the latest. */
  *keys(): Iterable<string> {
    for (const [key] of this.#order.entries()) yield key;
  }

  /** Puts an entry in, or says that it was changed in place. */
  set(entry: V): void {
    entry.changed = ++this.#changes;
    this.#table.set(entry.key, entry);
    this.#order.set(entry.key, true);
  }

  delete(key: string): void {
    this.#order.delete(key);
    this.#table.delete(key);
  }

  /** After a restart, before anything else. @param stored what the store holds under the prefix */
  restore(stored: Iterable<{ value: Uint8Array }>): void {
    // Only this table writes under its prefix.
    const entries = [...stored]
      .map(({ value }) => decodeState(value) as V)
      .map(({ key, changed }) => ({ key, changed }));
    for (const { key, changed } of entries.sort((a, b) => a.changed - b.changed)) {
      this.#order.set(key, true);
      this.#changes = Math.max(this.#changes, changed);
    }
  }

  drain(puts: StatePut[], deletes: string[]): void {
    this.#table.drain(puts, deletes);
  }
}
