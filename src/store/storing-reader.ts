import { setTimeout as timer } from 'node:timers/promises';
import { systemClock, type Clock } from '../lib/clock.js';
import type { ScoringStore } from '../log/port.js';
import type { Inserter } from './block-writer.js';
import { logFeed, outboxFeed, type LogSource, type OutboxSource } from './feed.js';
import { Follower, type Sleep } from './follower.js';
import type { StoreStatus } from './port.js';

export interface StoringReaderOptions {
  log: LogSource;
  store: OutboxSource & Pick<ScoringStore, 'cursor' | 'setCursor'>;
  inserter: Inserter;
  partition?: number;
  clock?: Clock;
  sleep?: Sleep;
  maxRows?: number;
  maxBatchBytes?: number;
  lingerMs?: number;
  retryMinMs?: number;
  retryMaxMs?: number;
}

const sleepTimer: Sleep = async (ms, signal) => {
  await timer(ms, undefined, { signal }).catch(() => {});
};

/**
 * Reader 2 of the log: carries observations, payloads, dead letters and scoring's effects into ClickHouse. It follows
 * with cursors of its own and never holds scoring up; while ClickHouse is away it keeps trying, and `status` says so.
 */
export class StoringReader {
  readonly #log: Follower;
  readonly #outbox: Follower;

  constructor(options: StoringReaderOptions) {
    const partition = options.partition ?? 0;
    const common = {
      cursors: options.store,
      inserter: options.inserter,
      partition,
      clock: options.clock ?? systemClock,
      sleep: options.sleep ?? sleepTimer,
      maxRows: options.maxRows ?? 10_000,
      maxBatchBytes: options.maxBatchBytes ?? 16 * 1024 * 1024,
      lingerMs: options.lingerMs ?? 5_000,
      retryMinMs: options.retryMinMs ?? 200,
      retryMaxMs: options.retryMaxMs ?? 10_000,
    };
    this.#log = new Follower({ ...common, feed: logFeed(options.log, partition) });
    this.#outbox = new Follower({ ...common, feed: outboxFeed(options.store, partition) });
  }

  start(): void {
    this.#log.start();
    this.#outbox.start();
  }

  /** Ends after the inserts under way. What is not stored yet stays in the log and follows at the next start. */
  async stop(): Promise<void> {
    await Promise.all([this.#log.stop(), this.#outbox.stop()]);
  }

  /**
   * Waits until everything committed at the time of the call is stored, without waiting for full batches.
   *
   * @returns false when `timeoutMs` passed or the signal aborted before that
   */
  async drain(target: { log: number; outbox: number }, timeoutMs: number, sleep: Sleep = sleepTimer): Promise<boolean> {
    const stepMs = 20;
    const never = new AbortController().signal;
    for (let waitedMs = 0; ; waitedMs += stepMs) {
      if (this.storedUpTo(target)) return true;
      if (waitedMs >= timeoutMs) return false;
      this.#log.hurry();
      this.#outbox.hurry();
      await sleep(stepMs, never);
    }
  }

  /** Whether log position and outbox sequence are both stored. */
  storedUpTo(target: { log: number; outbox: number }): boolean {
    return this.#log.status().place >= target.log && this.#outbox.status().place >= target.outbox;
  }

  status(): StoreStatus {
    const log = this.#log.status();
    const outbox = this.#outbox.status();
    const lastError = log.lastError ?? outbox.lastError;
    const since = [log.failingSince, outbox.failingSince].filter((time) => time !== undefined);
    return {
      logPosition: log.place,
      logBacklog: log.backlog,
      outboxSequence: outbox.place,
      outboxBacklog: outbox.backlog,
      storedRows: log.stored + outbox.stored,
      retries: log.retries + outbox.retries,
      refusedRows: log.refused + outbox.refused,
      unstorableRows: log.unstorable + outbox.unstorable,
      lostRecords: log.lost + outbox.lost,
      ...(lastError === undefined ? {} : { lastError }),
      ...(since.length === 0 ? {} : { failingSince: Math.min(...since) }),
    };
  }
}
