import { BoundedMap } from '../lib/bounded-map.js';

/** Told of every change, so that scoring can keep the memory beside the rest of its state. */
export interface FiredJournal {
  added(key: string, sequence: number): void;
  forgotten(key: string, sequence: number): void;
}

const NO_JOURNAL: FiredJournal = { added: () => {}, forgotten: () => {} };

/**
 * What has fired already and stays quiet now. Forgets the oldest first; a forgotten one may fire again, with the same
 * signal id where the cause is the same.
 */
export class FiredMemory {
  readonly #fired: BoundedMap<string, number>;
  readonly #journal: FiredJournal;
  #sequence = 0;

  constructor(capacity = 200_000, journal: FiredJournal = NO_JOURNAL) {
    this.#journal = journal;
    this.#fired = new BoundedMap(capacity, (key, sequence) => this.#journal.forgotten(key, sequence));
  }

  get size(): number {
    return this.#fired.size;
  }

  /** Entries pushed out by newer ones. */
  get evicted(): number {
    return this.#fired.evicted;
  }

  /** Remembers `key`. @returns whether it is new */
  first(key: string): boolean {
    if (this.#fired.peek(key) !== undefined) return false;
    this.#sequence++;
    this.#fired.set(key, this.#sequence);
    this.#journal.added(key, this.#sequence);
    return true;
  }

  /** Oldest first. */
  entries(): { key: string; sequence: number }[] {
    return [...this.#fired.entries()].map(([key, sequence]) => ({ key, sequence }));
  }

  /** Takes up what an earlier process remembered; replaces what is here. Not journalled. */
  restore(entries: Iterable<{ key: string; sequence: number }>): void {
    for (const { key } of this.entries()) this.#fired.delete(key);
    this.#sequence = 0;
    for (const { key, sequence } of [...entries].sort((a, b) => a.sequence - b.sequence)) {
      this.#fired.set(key, sequence);
      this.#sequence = sequence;
    }
  }
}
