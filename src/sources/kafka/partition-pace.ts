import { pause } from '../../lib/backoff.js';

/** Looks this often whether whoever is waited for comes nearer, ms. */
const LOOK_MS = 500;

export interface PaceOptions {
  /** How far one may be ahead of one that is behind, ms of the records' time. */
  maxAheadMs: number;
  /** Time in which one that holds others back must come forward by more than itself, ms. */
  maxHoldMs: number;
  /** Monotonic, ms. */
  now: () => number;
}

interface Runner {
  /** Time in the records where it stands, epoch ms; -Infinity before its first. */
  at: number;
  /** Whether more waits for it in its partition. */
  isBehind: boolean;
  /** Came forward too slowly; holds nobody back until it has caught up. */
  isSlow: boolean;
  markAt: number;
  markNow: number;
}

/**
 * Keeps the partitions of a source together in time while they catch up: event time follows what is newest of an emitter,
 * so a partition read an hour ahead would make everything in the others late.
 *
 * Only partitions with a backlog hold others back, and only as long as they come forward faster than time itself: one
 * that does not, because its leader is away or the times in it are false, would do so for ever. Within one process.
 *
 * Method: Flink's watermark alignment (docs, "Generating Watermarks").
 */
export class PartitionPace {
  readonly #options: PaceOptions;
  readonly #runners = new Map<string, Runner>();
  #waiting: (() => void)[] = [];

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** A partition begins to be read. @param isBehind whether something waits in it */
  begin(key: string, isBehind: boolean): void {
    const now = this.#options.now();
    this.#runners.set(key, { at: -Infinity, isBehind, isSlow: false, markAt: -Infinity, markNow: now });
  }

  /** A partition is read no more. */
  end(key: string): void {
    this.#runners.delete(key);
    this.#wake();
  }

  /** Resolves when a partition may go on to records of the time, or when the signal aborts. @param time epoch ms */
  async turn(key: string, time: number, signal: AbortSignal): Promise<void> {
    const runner = this.#runners.get(key);
    if (runner === undefined) return;
    this.#advance(runner, time);
    while (!signal.aborted && time > this.#slowest(runner) + this.#options.maxAheadMs) {
      const change = new Promise<void>((resolve) => void this.#waiting.push(resolve));
      const look = new AbortController();
      await Promise.race([change, pause(LOOK_MS, AbortSignal.any([signal, look.signal]))]);
      look.abort();
    }
  }

  /** What was read is handled. @param time of the latest record, epoch ms; undefined where no record was handled */
  done(key: string, time: number | undefined, isBehind: boolean): void {
    const runner = this.#runners.get(key);
    if (runner === undefined) return;
    if (time !== undefined) this.#advance(runner, time);
    if (!isBehind) runner.isSlow = false;
    if (isBehind && !runner.isBehind) this.#mark(runner);
    runner.isBehind = isBehind;
    this.#wake();
  }

  #advance(runner: Runner, time: number): void {
    if (runner.at === time) return;
    // The first says where it stands, and nothing yet about how fast it is.
    const isFirst = runner.at === -Infinity;
    runner.at = time;
    if (isFirst) this.#mark(runner);
    this.#wake();
  }

  /** Where the furthest behind of the others stands that may hold back; Infinity where there is none. */
  #slowest(runner: Runner): number {
    const { maxHoldMs, now } = this.#options;
    let least = Infinity;
    for (const other of this.#runners.values()) {
      if (other === runner || !other.isBehind || other.isSlow || other.at >= least) continue;
      if (now() - other.markNow >= maxHoldMs) {
        if (!(other.at - other.markAt > maxHoldMs)) {
          other.isSlow = true;
          continue;
        }
        this.#mark(other);
      }
      least = other.at;
    }
    return least;
  }

  #mark(runner: Runner): void {
    runner.markAt = runner.at;
    runner.markNow = this.#options.now();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
