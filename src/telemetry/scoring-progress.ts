import type { Clock } from '../lib/clock.js';

/** One partition that is scored here; the same object as long as it is. */
export interface FollowedPartition {
  /** Newest record of its log. */
  log: { readonly head: number };
  /** All records before it are scored, and their effects are out. */
  scoring: { readonly effectsPosition: number };
}

export interface ScoringProgressOptions {
  partitions: () => readonly FollowedPartition[];
  clock: Clock;
  /** Monotonic, ms: a clock that is set must not feign a stall or hide one. */
  elapsedMs: () => number;
}

/** Rounds of ticks under way that are remembered: beyond it the oldest stand for those after them. */
const MAX_ROUNDS = 1_000;

/**
 * Whether scoring really advances: follows rounds of ticks, one into each partition's log, through scoring and the
 * outbox. What only looks alive, such as a process of which one partition hangs, carries none through.
 */
export class ScoringProgress {
  readonly #options: ScoringProgressOptions;
  readonly #rounds: { at: Map<FollowedPartition, number>; atMs: number }[] = [];
  #through = { count: 0, time: 0, position: 0 };
  #moved = new Map<FollowedPartition, { position: number; atMs: number }>();
  #lastAppendedMs: number;
  #isRefused = false;

  constructor(options: ScoringProgressOptions) {
    this.#options = options;
    this.#lastAppendedMs = options.elapsedMs();
    this.#look();
  }

  /** The time lies in the log of every partition, at the latest in its newest record. */
  appended(): void {
    const atMs = this.#options.elapsedMs();
    this.#lastAppendedMs = atMs;
    this.#isRefused = false;
    const at = new Map(this.#options.partitions().map((partition) => [partition, partition.log.head]));
    if (at.size > 0 && this.#rounds.length < MAX_ROUNDS) this.#rounds.push({ at, atMs });
    this.#look();
  }

  /** The time could not be written. */
  refused(): void {
    this.#isRefused = true;
  }

  /** Rounds that went all the way, when the last one did (epoch ms), and how many records that was in all logs. */
  get through(): { count: number; time: number; position: number } {
    this.#look();
    return this.#through;
  }

  /** How long the oldest round that is not through has been in the log, ms; 0 where all are. */
  get lagMs(): number {
    this.#look();
    const [oldest] = this.#rounds;
    return oldest === undefined ? 0 : this.#options.elapsedMs() - oldest.atMs;
  }

  /** How long the partition that hangs longest has not moved although it has something to score, ms. */
  get standsStillMs(): number {
    this.#look();
    const now = this.#options.elapsedMs();
    return Math.max(0, ...[...this.#moved.values()].map(({ atMs }) => now - atMs));
  }

  /** How long nothing could be written into the log, ms; 0 while the last try went well. */
  get refusedMs(): number {
    return this.#isRefused ? this.#options.elapsedMs() - this.#lastAppendedMs : 0;
  }

  #look(): void {
    const { partitions, elapsedMs, clock } = this.#options;
    const atMs = elapsedMs();
    const moved = new Map<FollowedPartition, { position: number; atMs: number }>();
    for (const partition of partitions()) {
      const position = partition.scoring.effectsPosition;
      const before = this.#moved.get(partition);
      const hasStopped = before?.position === position && position <= partition.log.head;
      moved.set(partition, hasStopped ? before : { position, atMs });
    }
    this.#moved = moved;
    while (this.#rounds[0] !== undefined && this.#isThrough(this.#rounds[0].at)) {
      this.#rounds.shift();
      const position = [...moved.values()].reduce((sum, one) => sum + one.position - 1, 0);
      this.#through = { count: this.#through.count + 1, time: clock.now(), position };
    }
  }

  /** Whether every partition of a round is beyond it; one that another process has taken over is not waited for. */
  #isThrough(round: ReadonlyMap<FollowedPartition, number>): boolean {
    return [...round].every(([partition, head]) => (this.#moved.get(partition)?.position ?? Infinity) > head);
  }
}
