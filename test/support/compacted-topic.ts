import type { Clock } from '../../src/lib/clock.js';
import type { Changelog, ChangelogEntry, ChangelogRecord } from '../../src/log/port.js';

interface Stored {
  record: ChangelogRecord;
  time: number;
}

/** How an owner's connection ends in the midst of an append, as at a kill: it never answers again. */
export interface Cut {
  /** Entries that still get through. */
  entries: number;
  /** Whether an append may be cut in two; else all of it or nothing gets through. */
  isTorn: boolean;
}

/** One partition of a compacted topic, in memory, with the broker's rules. */
export class CompactedTopic {
  readonly #clock: Clock;
  readonly #lagMs: number;
  readonly #deleteRetentionMs: number;
  #records: Stored[] = [];
  #end = 0;

  constructor(options: { clock: Clock; lagMs: number; deleteRetentionMs: number }) {
    this.#clock = options.clock;
    this.#lagMs = options.lagMs;
    this.#deleteRetentionMs = options.deleteRetentionMs;
  }

  /** Offset of the next entry. */
  get end(): number {
    return this.#end;
  }

  get size(): number {
    return this.#records.length;
  }

  /** What an owner writes to; `cut` may be set at any time. */
  connect(generation: number): Changelog & { cut: Cut | undefined; readonly isCut: boolean } {
    const connection = {
      generation,
      cut: undefined as Cut | undefined,
      isCut: false,
      append: async (entries: readonly ChangelogEntry[]): Promise<number> => {
        // The answer takes its time, and so does the way there.
        await Promise.resolve();
        const { cut } = connection;
        const through = cut === undefined ? entries.length : Math.min(entries.length, cut.entries);
        if (cut !== undefined) cut.entries -= through;
        const isWhole = through === entries.length;
        const stays = isWhole || cut?.isTorn === true ? entries.slice(0, through) : [];
        for (const entry of stays) this.#put(entry, generation);
        if (isWhole && (cut === undefined || cut.entries > 0)) return this.#end - 1;
        connection.isCut = true;
        return new Promise(() => {});
      },
    };
    return connection;
  }

  /** Entries from an offset on, as a consumer gets them. */
  read(from: number, max: number): ChangelogRecord[] {
    const begin = this.#records.findIndex(({ record }) => record.offset >= from);
    if (begin < 0) return [];
    return this.#records.slice(begin, begin + max).map(({ record }) => record);
  }

  /**
   * Compacts what may be compacted by now: an entry goes when a later one of its key is old enough, a tombstone when it is
   * the last of its key and older still. The cleaner may not have come so far yet.
   *
   * @param share of what may be compacted that is
   */
  compact(share = 1): void {
    const now = this.#clock.now();
    const young = this.#records.findIndex(({ time }) => time > now - this.#lagMs);
    const cleanable = Math.floor((young < 0 ? this.#records.length : young) * share);
    const last = new Map<string, number>();
    for (const { record } of this.#records.slice(0, cleanable)) last.set(record.key, record.offset);
    this.#records = this.#records.filter(({ record, time }, index) => {
      if (index >= cleanable) return true;
      if (last.get(record.key) !== record.offset) return false;
      return record.value !== null || time > now - this.#lagMs - this.#deleteRetentionMs;
    });
  }

  /** What is left of it when everything is compacted, which the rules allow once it is old enough. */
  inTheEnd(): CompactedTopic {
    const copy = new CompactedTopic({ clock: this.#clock, lagMs: 0, deleteRetentionMs: 0 });
    const last = new Map(this.#records.map((stored) => [stored.record.key, stored]));
    copy.#records = this.#records.filter(
      (stored) => last.get(stored.record.key) === stored && stored.record.value !== null,
    );
    copy.#end = this.#end;
    return copy;
  }

  #put({ key, value }: ChangelogEntry, generation: number): void {
    const copy = value === null ? null : Buffer.from(value);
    const record = { key, value: copy, generation, offset: this.#end++ };
    this.#records.push({ record, time: this.#clock.now() });
  }
}
