import type { JoinInput } from '../join/port.js';
import type { Clock } from '../lib/clock.js';
import type { StatePut } from '../lib/state-table.js';
import type { Effect, OutboxEntry } from '../model/effect.js';
import type { LogRecord } from '../model/log-record.js';
import type { Log, LogEntry, ScoringStore, StateCheckpoint } from './port.js';
import { decodeRecord } from './record-codec.js';

/** Rest between two moves of effects that nobody waits for, in times of what the last one took. */
const EFFECTS_REST = 8;
/** So many effects do not wait for the rest to be over. */
const MANY_EFFECTS = 1_000;
/** Effects that may wait for the outbox; beyond them scoring waits. */
const MAX_WAITING_EFFECTS = 10_000;
/** Rest between checkpoints that are taken in a pause, in times of what the last one took, and at least, ms. */
const IDLE_REST = 20;
const MIN_IDLE_REST_MS = 1_000;
/** Entries and bytes of a checkpoint encoded between two slices of scoring: some hundred microseconds. */
const ENCODED_ENTRIES = 32;
const ENCODED_BYTES = 32 * 1024;

export interface CheckpointedReaderParts {
  log: Log;
  store: ScoringStore;
  clock: Clock;
  /** Longest time between two checkpoints while there is work, ms. */
  checkpointMs: number;
  /** Most records between two checkpoints: so many are scored again after a crash. */
  checkpointRecords: number;
  /** Longest rest between two moves of effects into the outbox, ms: people wait for what was found in it. */
  maxEffectsRestMs: number;
  /** Most records taken from the log at once. Changes no result, only how long a check may wait behind a slice. */
  sliceRecords: number;
  /**
   * Takes records and their positions, in order, and stops now and then to let others have their turn: a record that
   * moves time may close a thousand sessions. Must not throw for what a record holds.
   */
  take: (records: readonly JoinInput[], positions: readonly number[]) => Iterable<void>;
  effects: {
    /** Effects made and not taken yet. */
    count: () => number;
    /** Somebody acts on one of them. */
    isUrgent: () => boolean;
    take: () => Effect[];
  };
  /** Hands over all state that changed since the last call; reading the puts may add to the deletes. */
  drain: () => { puts: readonly StatePut[]; deletes: readonly string[] };
  /** Committed effects, in order. */
  committed: (entries: OutboxEntry[]) => void;
  /** A record could not be read and was passed over. */
  damaged: (error: unknown) => void;
}

/** A checkpoint whose entries are being encoded. */
interface Encoding {
  position: number;
  begunAt: number;
  puts: readonly StatePut[];
  deletes: readonly string[];
  nextPut: number;
  nextDelete: number;
  into: StateCheckpoint;
}

/**
 * Reads the log in slices for one that keeps state and makes effects, which follow from the log alone. So the two move
 * apart: effects go to the outbox soon, with the position they reach up to, and checkpoints of the state are rare and
 * are encoded and written while reading goes on. After a crash reading starts from the last checkpoint, and effects of
 * records that the outbox has already are dropped: by position, whatever they are.
 */
export class CheckpointedReader {
  readonly #parts: CheckpointedReaderParts;
  #next: number;
  #records = 0;
  #checkpoints = 0;
  /** Position of the last checkpoint that was begun. */
  #checkpointed: number;
  #checkpointAt: number;
  #checkpointTookMs = 0;
  #effectsAt: number;
  #effectsTookMs = 0;
  #isTaking = false;
  #moving: Promise<void> | undefined;
  #encoding: Encoding | undefined;
  #finishing: Promise<void> | undefined;
  #failure: { error: unknown } | undefined;
  /** Its rest is over even where the clock stands still, as a trial's does: else nothing would ever be committed. */
  #rested: 'effects' | 'checkpoint' | undefined;
  #sleep = new AbortController();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(parts: CheckpointedReaderParts) {
    this.#parts = parts;
    this.#next = parts.store.nextPosition;
    this.#checkpointed = this.#next;
    this.#checkpointAt = parts.clock.now();
    this.#effectsAt = this.#checkpointAt;
  }

  /** Next position that will be read. */
  get position(): number {
    return this.#next;
  }

  /** All records before it were read, and their effects are in the outbox. */
  get effectsPosition(): number {
    // Effects whose move has failed are neither waiting nor out.
    const isOut = this.#moving === undefined && this.#parts.effects.count() === 0 && this.#failure === undefined;
    return isOut ? this.#next : Math.min(this.#next, this.#parts.store.effectsPosition);
  }

  /** Records read, and checkpoints taken, since the start. */
  get counters(): { records: number; checkpoints: number } {
    return { records: this.#records, checkpoints: this.#checkpoints };
  }

  /** Starts reading; `failed` is told when the log or the store fails for good. */
  start(failed: (error: unknown) => void): void {
    this.#running = this.#run().catch(failed);
  }

  /** Takes a last checkpoint and stops. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { effects } = this.#parts;
    while (!this.#stopping.signal.aborted) {
      const isIdle = !(await this.#readSlice());
      this.#moveEffectsIfDue(isIdle);
      if (this.#encoding !== undefined) this.#encodeSome();
      else if (this.#isCheckpointDue(isIdle)) this.#beginCheckpoint();
      this.#rested = undefined;
      if (effects.count() > MAX_WAITING_EFFECTS) await this.#moving;
      this.#throwFailure();
      if (isIdle && this.#encoding === undefined) await this.#waitForMore();
      else await yieldToOthers();
    }
    await this.#endCheckpoint();
    if (this.#next > this.#checkpointed) {
      this.#beginCheckpoint();
      await this.#endCheckpoint();
    }
    await this.#effectsOut(this.#next);
  }

  /** @returns whether there was anything to read */
  async #readSlice(): Promise<boolean> {
    const { log, store, sliceRecords, effects } = this.#parts;
    const read = log.read(this.#next, sliceRecords);
    // A slice is either all old, and its effects are out, or all new. By position: the log may have gaps.
    const old = read.filter(({ position }) => position < store.effectsPosition);
    const entries = old.length > 0 ? old : read;
    if (entries.length === 0) return false;
    await this.#take(entries);
    if (old.length > 0) effects.take();
    return true;
  }

  #moveEffectsIfDue(isIdle: boolean): void {
    const { effects, clock, maxEffectsRestMs } = this.#parts;
    // After a move that failed none may follow: it would leave a gap.
    if (this.#moving !== undefined || this.#failure !== undefined || effects.count() === 0) return;
    const restMs = isIdle ? this.#effectsRestMs() : maxEffectsRestMs;
    const isDue = effects.isUrgent() || effects.count() >= MANY_EFFECTS || this.#rested === 'effects';
    if (isDue || isOver(clock.now() - this.#effectsAt, restMs)) this.#moveEffects();
  }

  /** Puts all effects so far into the outbox and lets them out. One move at a time; scoring goes on meanwhile. */
  #moveEffects(): void {
    const { store, clock, effects, committed } = this.#parts;
    const begunAt = clock.now();
    const move = async () => {
      const entries = await store.commitEffects(this.#next, effects.take());
      committed(entries);
      this.#effectsAt = clock.now();
      this.#effectsTookMs = Math.max(0, this.#effectsAt - begunAt);
    };
    this.#moving = move()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#moving = undefined;
        this.#sleep.abort();
      });
  }

  /** Resolves when the effects of all records before a position are in the outbox. */
  async #effectsOut(position: number): Promise<void> {
    for (;;) {
      this.#throwFailure();
      if (this.effectsPosition >= position) return;
      // In the midst of a slice there are effects that belong to no position yet.
      if (this.#moving === undefined && !this.#isTaking) this.#moveEffects();
      await (this.#moving ?? yieldToOthers());
    }
  }

  #isCheckpointDue(isIdle: boolean): boolean {
    const { clock, checkpointMs, checkpointRecords } = this.#parts;
    const records = this.#next - this.#checkpointed;
    if (this.#finishing !== undefined || records === 0) return false;
    const restMs = isIdle ? this.#checkpointRestMs() : checkpointMs;
    if (records >= checkpointRecords || this.#rested === 'checkpoint') return true;
    return isOver(clock.now() - this.#checkpointAt, restMs);
  }

  /** A checkpoint in a pause rests in proportion to what the last one took: else every pause would write all anew. */
  #checkpointRestMs(): number {
    return Math.min(this.#parts.checkpointMs, Math.max(MIN_IDLE_REST_MS, IDLE_REST * this.#checkpointTookMs));
  }

  #effectsRestMs(): number {
    return Math.min(this.#parts.maxEffectsRestMs, EFFECTS_REST * this.#effectsTookMs);
  }

  /** Fixes what changed up to now; from here on it is encoded between slices, and before it changes again. */
  #beginCheckpoint(): void {
    const { store, clock, drain } = this.#parts;
    const position = this.#next;
    const into = store.openCheckpoint(position);
    this.#encoding = { ...drain(), position, begunAt: clock.now(), nextPut: 0, nextDelete: 0, into };
    this.#checkpointed = position;
    this.#encodeSome();
  }

  #encodeSome(): void {
    const encoding = this.#encoding;
    if (encoding === undefined) return;
    const { puts, deletes, into } = encoding;
    // First: what is deleted is forgotten in memory already, and must not be found in the store.
    for (; encoding.nextDelete < deletes.length; encoding.nextDelete++) into.delete(deletes[encoding.nextDelete] ?? '');
    let bytes = 0;
    const end = Math.min(puts.length, encoding.nextPut + ENCODED_ENTRIES);
    while (encoding.nextPut < end && bytes < ENCODED_BYTES) {
      const put = puts[encoding.nextPut++];
      if (put === undefined) continue;
      const { key, value } = put;
      bytes += value.length;
      into.put(key, value);
    }
    if (encoding.nextPut < puts.length || encoding.nextDelete < deletes.length) return;
    this.#encoding = undefined;
    this.#finishing = this.#finish(encoding)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#finishing = undefined;
        this.#sleep.abort();
      });
  }

  async #finish({ position, begunAt, into }: Encoding): Promise<void> {
    const { clock } = this.#parts;
    await this.#effectsOut(position);
    await into.finish();
    this.#checkpointAt = clock.now();
    this.#checkpointTookMs = Math.max(0, this.#checkpointAt - begunAt);
    this.#checkpoints++;
  }

  async #endCheckpoint(): Promise<void> {
    while (this.#encoding !== undefined) this.#encodeSome();
    await this.#finishing;
    this.#throwFailure();
  }

  /** Waits for a record, for what is due next, and for what is being written. */
  async #waitForMore(): Promise<void> {
    const { log, clock, effects } = this.#parts;
    const stop = this.#stopping.signal;
    // It may have been stopped during the last read; nothing would tell it once more.
    if (stop.aborted) return;
    const now = clock.now();
    const effectsMs =
      this.#moving === undefined && effects.count() > 0 ? this.#effectsRestMs() - (now - this.#effectsAt) : Infinity;
    const checkpointMs =
      this.#finishing === undefined && this.#next > this.#checkpointed
        ? this.#checkpointRestMs() - (now - this.#checkpointAt)
        : Infinity;
    const restMs = Math.max(0, Math.min(effectsMs, checkpointMs));
    const sleep = new AbortController();
    this.#sleep = sleep;
    const end = () => sleep.abort();
    let timer: NodeJS.Timeout | undefined;
    if (restMs < Infinity) {
      timer = setTimeout(() => {
        this.#rested = effectsMs <= checkpointMs ? 'effects' : 'checkpoint';
        end();
      }, restMs);
    }
    stop.addEventListener('abort', end, { once: true });
    try {
      await log.waitBeyond(this.#next - 1, sleep.signal);
    } finally {
      clearTimeout(timer);
      stop.removeEventListener('abort', end);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #take(entries: readonly LogEntry[]): Promise<void> {
    const records: JoinInput[] = [];
    const positions: number[] = [];
    for (const entry of entries) {
      const record = this.#decode(entry);
      if (record === undefined) continue;
      records.push(record);
      positions.push(entry.position);
    }
    this.#isTaking = true;
    for (const _ of this.#parts.take(records, positions)) await yieldToOthers();
    this.#isTaking = false;
    this.#next = (entries.at(-1)?.position ?? this.#next) + 1;
    this.#records += entries.length;
  }

  #decode(entry: LogEntry): JoinInput | undefined {
    // Not worth being decoded.
    if (isUnscored(entry)) return undefined;
    try {
      const record = decodeRecord(entry);
      return isUnscored(record) ? undefined : record;
    } catch (error) {
      this.#parts.damaged(error);
      return undefined;
    }
  }
}

/** Records that only storing is interested in. */
type Unscored = Exclude<LogRecord, JoinInput>;

function isUnscored<T extends { type: LogRecord['type'] }>(record: T): record is T & Pick<Unscored, 'type'> {
  const { type } = record;
  return type === 'payload' || type === 'dead-letter' || type === 'content-read' || type === 'erasure';
}

/** Whether a rest has passed. A clock that was set back must not put anything off. */
function isOver(passedMs: number, restMs: number): boolean {
  return passedMs < 0 || passedMs >= restMs;
}

/** Lets requests and commits have their turn. */
function yieldToOthers(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
