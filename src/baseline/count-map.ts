import { CountTable } from '../lib/count-table.js';
import type { Journal } from './journal.js';

/** Plain form of a {@link CountMap}: keys in ascending order and their counts. */
export interface PlainCounts {
  keys: Uint32Array;
  counts: Uint32Array;
}

/**
 * Positive counts by 32-bit key. Adding and taking away are exact inverses: a key whose count returns to zero is
 * gone. A full map ignores new keys and counts how often.
 */
export class CountMap {
  readonly #counts = new CountTable();
  readonly #capacity: number;
  #total = 0;
  #ignored = 0;
  #singles = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#counts.size;
  }

  /** Sum of all counts. */
  get total(): number {
    return this.#total;
  }

  /** Keys counted once: how often a new one still comes (Good 1953). */
  get singles(): number {
    return this.#singles;
  }

  /** Additions of new keys that found the map full. */
  get ignored(): number {
    return this.#ignored;
  }

  get(key: number): number {
    return this.#counts.get(key);
  }

  /** @returns whether the count changed: a full map takes no new key, and no count falls below zero */
  add(key: number, by: 1 | -1, journal?: Journal): boolean {
    const before = this.#counts.add(key, by, this.#counts.size < this.#capacity);
    if (before < 0) {
      if (by > 0) this.#ignored++;
      return false;
    }
    journal?.count(this, key, before);
    this.#total += by;
    this.#countSingles(before, before + by);
    return true;
  }

  /** Makes room for so many keys, up to the cap. */
  reserve(keys: number): void {
    this.#counts.reserve(Math.min(keys, this.#capacity));
  }

  /** Sets a count, also above the cap: only for taking changes back. */
  put(key: number, count: number): void {
    const before = this.#counts.set(key, count);
    this.#total += count - before;
    this.#countSingles(before, count);
  }

  #countSingles(before: number, after: number): void {
    this.#singles += (after === 1 ? 1 : 0) - (before === 1 ? 1 : 0);
  }

  /** In no particular order. */
  entries(): Generator<[number, number]> {
    return this.#counts.entries();
  }

  toPlain(): PlainCounts {
    return this.#counts.toSorted();
  }

  static fromPlain({ keys, counts }: PlainCounts, capacity: number): CountMap {
    const map = new CountMap(capacity);
    map.reserve(keys.length);
    keys.forEach((key, i) => map.put(key, counts[i] ?? 0));
    return map;
  }
}
