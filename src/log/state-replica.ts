import { randomUUID } from 'node:crypto';
import type { Clock } from '../lib/clock.js';
import { OWNER_KEY, ownerEntry, parseOwner } from './changelog-codec.js';
import { ChangelogIncompleteError, ChangelogRewindError, FencedError } from './changelog-errors.js';
import { ChangelogFold } from './changelog-fold.js';
import { finishStaged } from './checkpoint-writer.js';
import type { EmbeddedEnvironment } from './embedded-environment.js';
import type { Changelog, ChangelogRecord } from './port.js';
import { EMPTY_SYNC, emptyingOperations, readSync, syncOperation, written, type ReplicaSync } from './replica-sync.js';
import { ReplicatedScoringStore, type ReplicationLimits } from './replicated-scoring-store.js';

/** Records taken in one transaction. */
const SLICE_RECORDS = 1_000;
const HOUR_MS = 3_600_000;
/** Calls after a rewind that may still bring what was read before it. */
const STALE_CALLS = 3;

export interface StateReplicaParts {
  environment: EmbeddedEnvironment;
  clock: Clock;
  /**
   * A store that was last level with its changelog longer ago is made anew, ms; 12 hours. Must be well below the topic's
   * `min.compaction.lag.ms` and `delete.retention.ms`: what was compacted cannot be caught up with.
   */
  maxWarmAgeMs?: number;
  limits?: Partial<ReplicationLimits>;
}

/** What was read of the changelog since the start, for whoever watches a restore. */
export interface ReplicaProgress {
  entries: number;
  bytes: number;
  /** Of these, entries of somebody who was no longer the owner. */
  ignored: number;
  /** The store of an earlier run was of use: only what came after it is read. */
  isWarm: boolean;
}

interface Takeover {
  changelog: Changelog;
  /** Offset of the entry that begins the ownership; unknown until it is written. */
  marker: number | undefined;
  resolve: (store: ReplicatedScoringStore) => void;
  reject: (error: Error) => void;
}

/**
 * The scoring store of one partition on one machine, kept equal to its changelog: a standby as long as somebody else
 * owns the partition, and after {@link takeOver} what the owner works on. Feed it the changelog from `nextOffset` on all
 * the time, by {@link apply}. One per environment, opened before the log.
 */
export class StateReplica {
  readonly #parts: StateReplicaParts;
  readonly #owner = randomUUID();
  #fold: ChangelogFold;
  #sync: ReplicaSync;
  #next: number;
  #progress: ReplicaProgress;
  /** Who wrote the newest entry that begins an ownership. */
  #lastOwner: string | undefined;
  #takeover: Takeover | undefined;
  #store: ReplicatedScoringStore | undefined;
  /** Reading is to go on at `nextOffset`, and may bring what was read on from here before that is done. */
  #rewound: { seen: number; calls: number } | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** Takes up what an earlier run has left, where that may be trusted, and else empties it. */
  static async open(parts: StateReplicaParts): Promise<StateReplica> {
    const { environment } = parts;
    finishStaged(environment);
    const sync = readSync(environment);
    const isWarm = sync.isSettled === 1 && isFresh(parts, sync);
    if (!isWarm) await written(environment, () => emptyingOperations(environment));
    return new StateReplica(parts, isWarm ? sync : EMPTY_SYNC, isWarm);
  }

  private constructor(parts: StateReplicaParts, sync: ReplicaSync, isWarm: boolean) {
    this.#parts = parts;
    this.#sync = sync;
    this.#next = sync.offset;
    this.#progress = { entries: 0, bytes: 0, ignored: 0, isWarm };
    this.#fold = foldOf(parts.environment, sync);
  }

  /** Offset of the changelog from which on {@link apply} must be fed. */
  get nextOffset(): number {
    return this.#next;
  }

  /** Highest generation seen; -1 when none. Who takes the partition over needs a greater one. */
  get generation(): number {
    return this.#fold.facts.generation;
  }

  get progress(): Readonly<ReplicaProgress> {
    return { ...this.#progress };
  }

  /**
   * Takes entries in order of offsets; compaction may have left some out, and what it has already is skipped.
   *
   * @param isEnd nothing lay behind them when they were read
   * @throws ChangelogRewindError when reading is to go on elsewhere
   * @throws ChangelogDamagedError for an entry that is none
   */
  apply(records: readonly ChangelogRecord[], isEnd = false): Promise<void> {
    return this.#inTurn(async () => {
      const [first] = records;
      if (first !== undefined && this.#store === undefined) await this.#checkReading(first);
      for (let from = 0; from < records.length; from += SLICE_RECORDS) {
        const slice = records.slice(from, from + SLICE_RECORDS);
        await this.#applySlice(slice, isEnd && from + SLICE_RECORDS >= records.length);
      }
    });
  }

  /**
   * Makes this machine the owner: says so in the changelog, waits until that comes back by {@link apply}, takes back what
   * the owner before has left half done, and writes anew what it has overwritten.
   *
   * @throws FencedError when somebody with a higher generation comes
   * @throws ChangelogRewindError when the changelog is to be read again first; then call it again
   * @throws ChangelogIncompleteError when compaction has taken what must be there
   */
  async takeOver(changelog: Changelog): Promise<ReplicatedScoringStore> {
    const seen = this.generation;
    const isAgain = changelog.generation === seen && this.#lastOwner === this.#owner;
    if (changelog.generation <= seen && !isAgain) {
      throw new FencedError(`generation ${seen} was seen, and this one is ${changelog.generation}`);
    }
    if (this.#takeover !== undefined || this.#store !== undefined) throw new Error('it is the owner already');
    const { promise, resolve, reject } = promiseParts<ReplicatedScoringStore>();
    const takeover: Takeover = { changelog, marker: undefined, resolve, reject };
    this.#takeover = takeover;
    // It may fail before it is waited for.
    promise.catch(() => {});
    try {
      takeover.marker = await changelog.append([ownerEntry({ owner: this.#owner })]);
    } catch (error) {
      if (this.#takeover === takeover) this.#takeover = undefined;
      throw error;
    }
    // Of a failure the promise tells.
    await this.#inTurn(() => this.#completeTakeover()).catch(() => {});
    return promise;
  }

  /** Stops being the owner; the store refuses everything from then on. Feed it from `nextOffset` on, as a standby. */
  release(): Promise<void> {
    return this.#inTurn(() => this.#release('it was given up'));
  }

  /** As {@link release}; and waits for what is being written. The environment stays open. */
  async close(): Promise<void> {
    await this.release();
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(step);
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** @throws ChangelogRewindError where what comes does not follow, or what lay between may be gone */
  async #checkReading(first: ChangelogRecord): Promise<void> {
    // As long as it was never level it is being made anew.
    if (this.#sync.at > 0 && !isFresh(this.#parts, this.#sync)) {
      await this.#empty();
      throw new ChangelogRewindError(0, 'The store was level with its changelog too long ago');
    }
    const rewound = this.#rewound;
    if (rewound !== undefined && first.offset >= rewound.seen && rewound.calls-- > 0) {
      throw new ChangelogRewindError(this.#next, `Offset ${first.offset} was read before the changelog was read again`);
    }
    this.#rewound = undefined;
  }

  #rewind(to: number): void {
    if (to < this.#next) this.#rewound = { seen: this.#next, calls: STALE_CALLS };
    this.#next = to;
  }

  async #applySlice(records: readonly ChangelogRecord[], isEnd: boolean): Promise<void> {
    let isChanged = false;
    for (const record of records) {
      if (record.offset < this.#next) continue;
      if (this.#store !== undefined) await this.#observe(record, this.#store);
      else {
        await this.#follow(record);
        isChanged = true;
      }
      this.#next = record.offset + 1;
      this.#progress.entries++;
      this.#progress.bytes += record.key.length + (record.value?.byteLength ?? 0);
    }
    if (this.#store !== undefined) return;
    if (isChanged || isEnd) await this.#write(isEnd);
    await this.#completeTakeover();
  }

  async #follow(record: ChangelogRecord): Promise<void> {
    const { own, ownGeneration } = this.#sync;
    if (record.generation < this.generation) {
      this.#progress.ignored++;
      this.#fold.pass(record);
      return;
    }
    if (record.generation > ownGeneration && record.offset <= own) {
      await this.#empty();
      throw new ChangelogRewindError(
        0,
        `Somebody owned the partition at offset ${record.offset}, and this store wrote on`,
      );
    }
    if (record.key === OWNER_KEY && record.value !== null) {
      this.#lastOwner = parseOwner(record.value, record.offset).owner;
    }
    this.#fold.take(record);
    const rival = this.#takeover?.changelog.generation ?? record.generation;
    const isForeign = record.key === OWNER_KEY && this.#lastOwner !== this.#owner;
    if (record.generation > rival || (isForeign && record.generation === rival)) {
      this.#takeover?.reject(new FencedError(`generation ${record.generation} began at offset ${record.offset}`));
      this.#takeover = undefined;
    }
  }

  async #observe(record: ChangelogRecord, store: ReplicatedScoringStore): Promise<void> {
    const isForeign =
      record.generation === store.generation &&
      record.key === OWNER_KEY &&
      record.value !== null &&
      parseOwner(record.value, record.offset).owner !== this.#owner;
    if (record.generation <= store.generation && !isForeign) {
      if (record.generation < store.generation) this.#progress.ignored++;
      store.observe(record);
      return;
    }
    // So that what follows it is not taken before it.
    this.#next = record.offset + 1;
    await this.#release(`generation ${record.generation} began at offset ${record.offset}`);
    throw new ChangelogRewindError(this.#next, 'Somebody else owns the partition now');
  }

  async #write(isEnd: boolean): Promise<void> {
    const { environment, clock } = this.#parts;
    const fold = this.#fold;
    const operations = fold.operations();
    const isLevel = fold.isSettled && fold.dirty.size === 0;
    this.#sync = {
      ...this.#sync,
      ...fold.facts,
      isSettled: fold.isSettled ? 1 : 0,
      ...(isLevel ? { offset: this.#next, offsetGeneration: fold.facts.generation } : {}),
      ...(isLevel && isEnd ? { at: clock.now() } : {}),
    };
    await written(environment, () => [...operations, syncOperation(environment, this.#sync)]);
  }

  async #completeTakeover(): Promise<void> {
    const takeover = this.#takeover;
    if (takeover?.marker === undefined || this.#next <= takeover.marker) return;
    this.#takeover = undefined;
    try {
      this.#store = await this.#makeStore(takeover.changelog);
      takeover.resolve(this.#store);
    } catch (error) {
      takeover.reject(error instanceof Error ? error : new Error(String(error)));
      // Whoever feeds it must not go on where it was.
      if (error instanceof ChangelogRewindError) throw error;
    }
  }

  async #makeStore(changelog: Changelog): Promise<ReplicatedScoringStore> {
    const { environment, clock, limits } = this.#parts;
    this.#fold.settle();
    await this.#write(true);
    const missing = this.#fold.missing();
    if (missing !== undefined) {
      if (!this.#progress.isWarm) throw new ChangelogIncompleteError(missing);
      await this.#empty();
      throw new ChangelogRewindError(0, `The store of an earlier run does not fit: ${missing}`);
    }
    const store = new ReplicatedScoringStore({
      environment,
      clock,
      changelog,
      owner: this.#owner,
      sync: this.#sync,
      observed: this.#next,
      limits,
    });
    await store.begin(this.#fold.dirty);
    return store;
  }

  async #release(why: string): Promise<void> {
    const { environment } = this.#parts;
    this.#takeover?.reject(new FencedError(why));
    this.#takeover = undefined;
    const store = this.#store;
    if (store === undefined) return;
    await store.end(new FencedError(why));
    this.#store = undefined;
    // A checkpoint that was being written is somebody else's to take back.
    await written(environment, () => [() => void environment.staged.clearAsync()]);
    this.#sync = readSync(environment);
    this.#rewind(this.#sync.offset);
    this.#fold = foldOf(environment, this.#sync);
  }

  async #empty(): Promise<void> {
    const { environment } = this.#parts;
    await written(environment, () => emptyingOperations(environment));
    this.#sync = EMPTY_SYNC;
    this.#rewind(0);
    this.#progress = { ...this.#progress, isWarm: false };
    this.#fold = foldOf(environment, EMPTY_SYNC);
  }
}

/** Whether compaction has left alone all that may have come since the store was level with its changelog. */
function isFresh({ clock, maxWarmAgeMs = 12 * HOUR_MS }: StateReplicaParts, { at }: ReplicaSync): boolean {
  const age = clock.now() - at;
  return age >= 0 && age < maxWarmAgeMs;
}

/** As `Promise.withResolvers`, which Node 20 has not got. */
function promiseParts<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((...settle) => {
    [resolve, reject] = settle;
  });
  return { promise, resolve, reject };
}

function foldOf(environment: EmbeddedEnvironment, sync: ReplicaSync): ChangelogFold {
  const { completed, keys, trimmed, number, offsetGeneration } = sync;
  return new ChangelogFold(environment, { completed, keys, trimmed, number, generation: offsetGeneration });
}
