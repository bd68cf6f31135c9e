import type { JoinInput } from '../join/port.js';
import type { Clock } from '../lib/clock.js';
import type { Effect, OutboxEntry } from '../model/effect.js';
import type { Log, LogEntry, ScoringStore, StateCommit } from './port.js';
import { decodeRecord } from './record-codec.js';

/** Rest between checkpoints that are taken in a pause, in times of what the last one took. Small, so that they stay small. */
const IDLE_REST = 8;
export interface CheckpointedReaderParts {
  log: Log;
  store: ScoringStore;
  clock: Clock;
  /** Longest time between two checkpoints while there is work, ms. */
  checkpointMs: number;
  /** Longest rest after a checkpoint while there is nothing to read, ms: people wait for what was found in it. */
  maxIdleRestMs: number;
  /** Most records taken from the log at once. Changes no result, only how long a check may wait behind a slice. */
  sliceRecords: number;
  /** Takes records and their positions, in order. Must not throw for what a record holds. */
  take: (records: readonly JoinInput[], positions: readonly number[]) => void;
  /** Somebody acts on an effect that is not committed yet: the next checkpoint does not wait. */
  isUrgent: () => boolean;
  /** Everything that changed since the last call. */
  drain: () => { puts: StateCommit['puts']; deletes: string[]; effects: Effect[] };
  /** Committed effects, in order. */
  committed: (entries: OutboxEntry[]) => void;
  /** A record could not be read and was passed over. */
  damaged: (error: unknown) => void;
}

/**
 * Reads the log in slices for one that keeps state, and moves its position, state and effects in one transaction:
 * after a crash it goes on where its state stands.
 */
export class CheckpointedReader {
  readonly #parts: CheckpointedReaderParts;
  #next: number;
  #records = 0;
  #checkpoints = 0;
  #checkpointAt: number;
  #checkpointTookMs = 0;
  #uncommitted = 0;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(parts: CheckpointedReaderParts) {
    this.#parts = parts;
    this.#next = parts.store.nextPosition;
    this.#checkpointAt = parts.clock.now();
  }

  /** Next position that will be read. */
  get position(): number {
    return this.#next;
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
    const { log, sliceRecords, isUrgent } = this.#parts;
    while (!this.#stopping.signal.aborted) {
      const entries = log.read(this.#next, sliceRecords);
      if (entries.length > 0) this.#take(entries);
      const idle = entries.length === 0;
      if (isUrgent() || (this.#uncommitted > 0 && this.#msToCheckpoint(idle) <= 0)) await this.#checkpoint();
      if (idle) await this.#waitForMore();
      else await yieldToOthers();
    }
    if (this.#uncommitted > 0) await this.#checkpoint();
  }

  /**
   * Time until the next checkpoint may be taken. One that nothing asks for rests in proportion to what the last one
   * took: under a load that leaves pauses, every pause would otherwise write all that changed since the one before.
   */
  #msToCheckpoint(idle: boolean): number {
    const { clock, checkpointMs, maxIdleRestMs } = this.#parts;
    const restMs = idle ? Math.min(maxIdleRestMs, IDLE_REST * this.#checkpointTookMs) : checkpointMs;
    const passedMs = clock.now() - this.#checkpointAt;
    // A clock that was set back must not put checkpoints off.
    return passedMs < 0 ? 0 : restMs - passedMs;
  }

  async #waitForMore(): Promise<void> {
    const { log } = this.#parts;
    const stop = this.#stopping.signal;
    if (this.#uncommitted === 0) return log.waitBeyond(this.#next - 1, stop);
    const wake = new AbortController();
    const end = () => wake.abort();
    let isRested = false;
    const timer = setTimeout(() => {
      isRested = true;
      end();
    }, this.#msToCheckpoint(true));
    stop.addEventListener('abort', end, { once: true });
    try {
      await log.waitBeyond(this.#next - 1, wake.signal);
    } finally {
      clearTimeout(timer);
      stop.removeEventListener('abort', end);
    }
    // The rest is over even where the clock stands still, as a trial's does: else nothing would ever be committed.
    if (isRested) await this.#checkpoint();
  }

  #take(entries: readonly LogEntry[]): void {
    const records: JoinInput[] = [];
    const positions: number[] = [];
    for (const entry of entries) {
      this.#next = entry.position + 1;
      this.#records++;
      this.#uncommitted++;
      const record = this.#decode(entry);
      if (record === undefined) continue;
      records.push(record);
      positions.push(entry.position);
    }
    this.#parts.take(records, positions);
  }

  #decode(entry: LogEntry): JoinInput | undefined {
    if (entry.type === 'payload' || entry.type === 'dead-letter') return undefined;
    try {
      const record = decodeRecord(entry);
      return record.type === 'payload' || record.type === 'dead-letter' ? undefined : record;
    } catch (error) {
      this.#parts.damaged(error);
      return undefined;
    }
  }

  /** Moves position, state and effects in one transaction; then lets the effects out. */
  async #checkpoint(): Promise<void> {
    const { store, clock, drain, committed } = this.#parts;
    const begun = clock.now();
    const changes = drain();
    this.#uncommitted = 0;
    const entries = await store.commit({ nextPosition: this.#next, ...changes });
    this.#checkpointAt = clock.now();
    this.#checkpointTookMs = Math.max(0, this.#checkpointAt - begun);
    this.#checkpoints++;
    if (entries.length > 0) committed(entries);
  }
}

/** Lets requests and commits have their turn between slices. */
function yieldToOthers(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
