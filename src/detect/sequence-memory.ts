import { BoundedMap } from '../lib/bounded-map.js';

/** How far one session has come along the steps of one sequence. */
export interface Progress {
  key: string;
  /** Order of the last change. */
  touched: number;
  /** By step: event time of the latest first step from which the steps up to it were taken in order; -1 for none. */
  starts: number[];
}

/**
 * Partial matches of sequences, one short list of times for each session and detector that took a first step: of all
 * partial matches that have come equally far only the one that began last can outlive the others, so no more is kept.
 */
export class SequenceMemory {
  readonly #progress: BoundedMap<string, Progress>;
  readonly #changed = new Set<string>();
  readonly #deleted = new Set<string>();
  #touches = 0;

  constructor(capacity = 50_000) {
    this.#progress = new BoundedMap(capacity, (key) => this.#forgotten(key));
  }

  get size(): number {
    return this.#progress.size;
  }

  get evicted(): number {
    return this.#progress.evicted;
  }

  starts(key: string): readonly number[] | undefined {
    return this.#progress.peek(key)?.starts;
  }

  set(key: string, starts: number[]): void {
    this.#progress.set(key, { key, touched: ++this.#touches, starts });
    this.#changed.add(key);
    this.#deleted.delete(key);
  }

  delete(key: string): void {
    if (this.#progress.delete(key)) this.#forgotten(key);
  }

  clear(): void {
    for (const { key } of this.#progress.values()) this.delete(key);
  }

  restore(entries: Iterable<Progress>): void {
    for (const entry of [...entries].sort((a, b) => a.touched - b.touched)) {
      this.#progress.set(entry.key, entry);
      this.#touches = entry.touched;
    }
  }

  /** What changed since the last call. */
  changes(): { puts: Progress[]; deletes: string[] } {
    const puts = [...this.#changed].flatMap((key) => this.#progress.peek(key) ?? []);
    const deletes = [...this.#deleted];
    this.#changed.clear();
    this.#deleted.clear();
    return { puts, deletes };
  }

  #forgotten(key: string): void {
    this.#changed.delete(key);
    this.#deleted.add(key);
  }
}
