import { BoundedMap } from '../lib/bounded-map.js';

/** Told of every change, so that scoring can keep the memory beside the rest of its state. */
export interface FiredJournal {
  added(entry: FiredEntry): void;
  forgotten(sequence: number): void;
}

export interface FiredEntry {
  key: string;
  sequence: number;
  /** Evidence of the finding, nats. */
  nats: number;
}

const NO_JOURNAL: FiredJournal = { added: () => {}, forgotten: () => {} };
/** A finding so many times as strong as the one before it is news. */
const STRONGER = 1.5;

/**
 * What has fired already and stays quiet now. Forgets the oldest first; a forgotten one may fire again, with the same
 * signal id where the cause is the same.
 */
export class FiredMemory {
  readonly #fired: BoundedMap<string, FiredEntry>;
  readonly #journal: FiredJournal;
  #sequence = 0;

  constructor(capacity = 200_000, journal: FiredJournal = NO_JOURNAL) {
    this.#journal = journal;
    this.#fired = new BoundedMap(capacity, (_key, { sequence }) => this.#journal.forgotten(sequence));
  }

  get size(): number {
    return this.#fired.size;
  }

  /** Entries pushed out by newer ones. */
  get evicted(): number {
    return this.#fired.evicted;
  }

  /** Remembers `key`. @returns whether it is new */
  first(key: string, nats = 0): boolean {
    if (this.#fired.peek(key) !== undefined) return false;
    this.#remember(key, nats);
    return true;
  }

  /** Remembers `key` with this evidence, nats. @returns whether it is new, or half as strong again as it was */
  firstOrStronger(key: string, nats: number): boolean {
    const held = this.#fired.peek(key);
    if (held === undefined) return this.first(key, nats);
    if (nats <= 0 || nats < STRONGER * held.nats) return false;
    this.#fired.delete(key);
    this.#journal.forgotten(held.sequence);
    this.#remember(key, nats);
    return true;
  }

  /** Oldest first. */
  entries(): FiredEntry[] {
    return [...this.#fired.values()];
  }

  /** Takes up what an earlier process remembered; replaces what is here. Not journalled. */
  restore(entries: Iterable<FiredEntry>): void {
    for (const { key } of this.entries()) this.#fired.delete(key);
    this.#sequence = 0;
    for (const entry of [...entries].sort((a, b) => a.sequence - b.sequence)) {
      this.#fired.set(entry.key, entry);
      this.#sequence = entry.sequence;
    }
  }

  #remember(key: string, nats: number): void {
    const entry = { key, sequence: ++this.#sequence, nats };
    this.#fired.set(key, entry);
    this.#journal.added(entry);
  }
}
