import type { Clock } from '../lib/clock.js';
import { ReplicationStoppedError } from './changelog-errors.js';
import type { EmbeddedEnvironment } from './embedded-environment.js';
import type { Changelog, ChangelogEntry, ChangelogRecord } from './port.js';
import { syncOperation, written, type ReplicaSync } from './replica-sync.js';
import { WriteQueue, type Operation } from './write-queue.js';

/** What an entry costs beside its key and value, roughly. */
const ENTRY_BYTES = 32;

/**
 * What is to be written: entries of the changelog; then, when those are durable, the same in the store; and then again
 * what the store has under a key that somebody else wrote to.
 */
export type Item = { entry: ChangelogEntry } | { local: () => Promise<unknown> } | { repair: string };

/** The part of what is known of the store that changes with what is written. */
export type Counts = Pick<ReplicaSync, 'completed' | 'keys' | 'trimmed' | 'number'>;

export interface ChangelogWriterParts {
  environment: EmbeddedEnvironment;
  clock: Clock;
  changelog: Changelog;
  groupBytes: number;
  sync: ReplicaSync;
  /** Offset before which the whole changelog is in the store. */
  observed: number;
  counts: () => Counts;
  /** What the changelog must have last under a key. Asked while nothing else is being written. */
  repaired: (key: string) => ChangelogEntry;
}

/**
 * Writes to the changelog first and then to the store, one write at a time; all that is asked for meanwhile shares the
 * next. Keeps in the store up to which offset the two are equal.
 */
export class ChangelogWriter {
  readonly #parts: ChangelogWriterParts;
  readonly #queue: WriteQueue<Item>;
  #sync: ReplicaSync;
  #observed: number;
  /** Reasons why what was observed may not be in the store yet. */
  #holds = 0;
  #ended: Error | undefined;
  readonly #repairing = new Set<string>();

  constructor(parts: ChangelogWriterParts) {
    this.#parts = parts;
    this.#sync = parts.sync;
    this.#observed = parts.observed;
    this.#queue = new WriteQueue<Item>(
      (items) => this.#write(items),
      (cause) => this.#ended ?? new ReplicationStoppedError(cause),
    );
  }

  /** To be written in each transaction of the store. */
  syncOperation(): Operation {
    return syncOperation(this.#parts.environment, this.#sync);
  }

  /** Writes it by itself. */
  keepSync(): Promise<void> {
    return written(this.#parts.environment, () => [this.syncOperation()]);
  }

  /**
   * Writes what `make` gives when it is its turn, after everything before it has got its place; it may throw, which
   * refuses this write alone. Resolves when all of it is in the changelog and in the store.
   */
  submit(make: () => Item[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) throw this.#ended;
      this.#queue.submit({
        fill: (items) => {
          for (const item of make()) items.push(item);
        },
        committed: resolve,
        failed: reject,
      });
    });
  }

  /** Entries that were observed from now on are not taken for being in the store until `release`. */
  hold(): void {
    this.#holds++;
  }

  release(): void {
    this.#holds--;
    this.#advance();
  }

  /** See `ReplicatedScoringStore.observe`. */
  observe({ key, generation, offset }: ChangelogRecord): void {
    this.#observed = Math.max(this.#observed, offset + 1);
    if (generation < this.#parts.changelog.generation && !this.#repairing.has(key)) {
      this.#repairing.add(key);
      this.hold();
      const end = (): void => this.release();
      this.submit(() => {
        this.#repairing.delete(key);
        return [{ repair: key }];
      }).then(end, end);
    }
    this.#advance();
  }

  /** Refuses everything from now on, and waits for what is under way. */
  async end(why: Error): Promise<void> {
    this.#ended ??= why;
    await this.#queue.close();
    await this.keepSync();
  }

  async #write(items: readonly Item[]): Promise<void> {
    const counts = this.#parts.counts();
    this.hold();
    try {
      await this.#append(items);
      // Only now: what the changelog does not say must not be found in the store after a crash.
      this.#sync = { ...this.#sync, ...counts };
      await Promise.all(items.flatMap((item) => ('local' in item ? [item.local()] : [])));
      const repairs = items.flatMap((item) => ('repair' in item ? [{ entry: this.#parts.repaired(item.repair) }] : []));
      await this.#append(repairs);
    } catch (error) {
      this.#ended ??= new ReplicationStoppedError(error);
      throw this.#ended;
    }
    this.release();
  }

  async #append(items: readonly Item[]): Promise<void> {
    const { changelog, groupBytes } = this.#parts;
    const { generation } = changelog;
    for (const group of grouped(items, groupBytes)) {
      if (this.#ended !== undefined) throw this.#ended;
      const own = await changelog.append(group);
      this.#sync = { ...this.#sync, own, ownGeneration: generation, generation };
    }
  }

  #advance(): void {
    // After a failure nobody knows what of it is there.
    if (this.#holds > 0 || this.#ended !== undefined || this.#observed === this.#sync.offset) return;
    const { clock, changelog } = this.#parts;
    this.#sync = {
      ...this.#sync,
      offset: this.#observed,
      offsetGeneration: changelog.generation,
      at: clock.now(),
    };
  }
}

/** Entries in pieces of at most so many bytes, or one larger one; of each key only the last. */
function* grouped(items: readonly Item[], maxBytes: number): Generator<ChangelogEntry[]> {
  const last = new Map<string, ChangelogEntry>();
  for (const item of items) {
    if (!('entry' in item)) continue;
    last.delete(item.entry.key);
    last.set(item.entry.key, item.entry);
  }
  let group: ChangelogEntry[] = [];
  let bytes = 0;
  for (const entry of last.values()) {
    const size = entryBytes(entry);
    if (group.length > 0 && bytes + size > maxBytes) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(entry);
    bytes += size;
  }
  if (group.length > 0) yield group;
}

/** What an entry takes in the changelog, roughly. */
export function entryBytes({ key, value }: ChangelogEntry): number {
  return ENTRY_BYTES + key.length + (value?.byteLength ?? 0);
}
