import type { OutboxEntry, Effect } from '../model/effect.js';
import type { LogRecordType } from '../model/log-record.js';

/** A record as the log holds it: a type and opaque bytes (JSON text, UTF-8). */
export interface RawRecord {
  type: LogRecordType;
  data: Uint8Array;
  /**
   * What decides the partition where there are several: records with the same key lie in the same one. The log itself
   * does not keep it.
   */
  key?: string;
}

/** A record with its place. Positions rise by one, starting at 1; only a log that lost records has gaps in them. */
export interface LogEntry extends RawRecord {
  position: number;
}

/** One ordered, durable log of one partition. */
export interface Log {
  /** Position of the last committed record; 0 when empty. */
  readonly head: number;
  /** Position of the oldest record still held; `head + 1` when none. */
  readonly tail: number;
  /**
   * Appends all records in order, next to each other, or none. Concurrent appends share one commit (group commit).
   *
   * @returns position of the first appended record, once it is durable
   * @throws an error with code `LOG_FULL` when the reserve of disk space is reached; the caller answers 503
   */
  append(records: readonly RawRecord[]): Promise<number>;
  /**
   * Committed records from `from` (inclusive) on, oldest first; at most `max`, possibly fewer although more are there,
   * but at least one if any is. Nothing is left out but what the log itself has lost: a reader that counts goes by the
   * entries' positions.
   *
   * @throws an error with code `LOG_TRUNCATED` when retention has dropped `from`
   */
  read(from: number, max: number): LogEntry[];
  /** Resolves as soon as a record beyond `position` is committed, or the signal aborts. Rejects when closed. */
  waitBeyond(position: number, signal: AbortSignal): Promise<void>;
  /** Drops records before `position`. Readers must have passed it. */
  truncateBefore(position: number): Promise<void>;
  close(): Promise<void>;
}

/** One change of the scoring state, moved together with the position that caused it. */
export interface StateCommit {
  /** Next position that scoring will read. */
  nextPosition: number;
  puts: { key: string; value: Uint8Array }[];
  deletes: string[];
  effects: Effect[];
}

/**
 * A checkpoint that is being written while scoring goes on. Nothing of it counts before `finish` has resolved; what is
 * in it shows in `ScoringStore.get` at once, because entries that were handed over may be forgotten in memory.
 */
export interface StateCheckpoint {
  put(key: string, value: Uint8Array): void;
  delete(key: string): void;
  /** Makes all of it count, together with its position. The effects of all records before that must be in the outbox. */
  finish(): Promise<void>;
}

/**
 * Durable scoring state, and the outbox beside it. The two move apart: effects leave at once, the state follows when it
 * is cheap. What lies between `nextPosition` and `effectsPosition` is scored again after a crash, without effects.
 */
export interface ScoringStore {
  /** Position of the last checkpoint: the next one that scoring has to read after a restart; 1 at first. */
  readonly nextPosition: number;
  /** The effects of all records before it are in the outbox. At least `nextPosition`. */
  readonly effectsPosition: number;
  /** Every outbox entry up to this one is contained in the state of the last checkpoint, and perhaps some more. */
  readonly checkpointOutboxHead: number;
  get(key: string): Uint8Array | undefined;
  /** All keys with the prefix, in key order; without a checkpoint that is being written. */
  entries(prefix: string): Iterable<{ key: string; value: Uint8Array }>;
  /** Moves state, position and effects at once. @returns the outbox entries written, in order, once durable */
  commit(change: StateCommit): Promise<OutboxEntry[]>;
  /**
   * Puts effects into the outbox.
   *
   * @param effectsPosition the position that the effects reach up to
   * @returns the entries written, in order, once durable
   */
  commitEffects(effectsPosition: number, effects: readonly Effect[]): Promise<OutboxEntry[]>;
  /** Begins a checkpoint of the state at a position. One at a time. */
  openCheckpoint(nextPosition: number): StateCheckpoint;
  /** Outbox entries with a sequence greater than `after`, oldest first. */
  outbox(after: number, max: number): OutboxEntry[];
  /** Sequence of the newest outbox entry; 0 when there was none. */
  readonly outboxHead: number;
  waitForOutbox(after: number, signal: AbortSignal): Promise<void>;
  /** Drops outbox entries up to and including `sequence`. */
  trimOutbox(sequence: number): Promise<void>;
  /** Durable cursor of another reader (storing, notifying). 0 when unknown. */
  cursor(name: string): number;
  /** Moves a reader's cursor; what the reader remembers beside it moves in the same transaction. */
  setCursor(name: string, value: number, memory?: ReaderMemory): Promise<void>;
}

/** What a reader of the outbox keeps under keys of its own. */
export interface ReaderMemory {
  puts: { key: string; value: Uint8Array }[];
  deletes: string[];
}

/** The shared log that a {@link Log} on this machine mirrors: one partition of a topic. */
export interface RemoteLog {
  /**
   * Appends all records in order, next to each other, or none, as far as it can say: an append that rejects may be
   * found in the log all the same.
   *
   * @returns position (offset + 1) of the first record, once all are durable
   * @throws an error with code `LOG_FULL` when it takes no more for now; the caller answers 503
   */
  append(records: readonly RawRecord[]): Promise<number>;
}

/** One key of a compacted topic set to a value; null is a tombstone. */
export interface ChangelogEntry {
  key: string;
  value: Uint8Array | null;
}

/**
 * Where an owner of a partition writes every change of its scoring state before it counts: one partition of a compacted
 * topic. Each entry goes out with the owner's generation, which whoever makes the changelog knows and puts beside it (a
 * header): also tombstones have one.
 *
 * Needs of the topic: `cleanup.policy=compact` alone, `min.compaction.lag.ms` and `delete.retention.ms` longer than a
 * change of owner may take and than `maxWarmAgeMs` (a day is advised for both), `max.message.bytes` of at least 5 MiB.
 */
export interface Changelog {
  /** Generation of this owner. Greater than that of every owner before; see `StateReplica.generation`. */
  readonly generation: number;
  /**
   * Appends all entries in order; should be one batch of the broker's, so that all of it is there or nothing. Called
   * with at most 512 KiB, or one larger entry; one call at a time. Retries by itself as long as it makes sense: after it
   * has rejected, nothing more is written by this owner.
   *
   * @returns offset of the last entry, once all are durable
   */
  append(entries: readonly ChangelogEntry[]): Promise<number>;
}

/** An entry of the changelog as it is read back. */
export interface ChangelogRecord extends ChangelogEntry {
  generation: number;
  offset: number;
}
