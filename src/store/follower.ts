import type { Clock } from '../lib/clock.js';
import type { ScoringStore } from '../log/port.js';
import { writeBlock, type BlockCounts, type Inserter } from './block-writer.js';
import type { Feed, FeedItem } from './feed.js';
import type { Row } from './row.js';

/** Waits, or resolves early when the signal aborts. Injected so that tests own the time. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

export interface FollowerOptions {
  feed: Feed;
  cursors: Pick<ScoringStore, 'cursor' | 'setCursor'>;
  inserter: Inserter;
  partition: number;
  clock: Clock;
  sleep: Sleep;
  /** Largest batch. */
  maxRows: number;
  maxBatchBytes: number;
  /** How long a batch may wait to become full, ms. */
  lingerMs: number;
  /** First and longest pause between failed tries, ms. */
  retryMinMs: number;
  retryMaxMs: number;
}

export interface FollowerStatus extends BlockCounts {
  /** Place of the last item that is stored or needs no storing. */
  place: number;
  backlog: number;
  retries: number;
  lost: number;
  lastError: string | undefined;
  failingSince: number | undefined;
}

/** Items read from the feed at a time, so that a batch of large records does not fill the memory first. */
const READ_SLICE = 500;

/**
 * Carries one feed into ClickHouse, batch by batch, each exactly as planned before its first try.
 *
 * The end of a batch is written to a durable cursor (`<name>-planned`) before it is sent, the position after it is
 * stored. After a crash in between, the next start sends the same rows in the same blocks with the same tokens, and
 * ClickHouse drops what it already has.
 */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #stop = new AbortController();
  #waiting: AbortController | undefined;
  #hurried = false;
  #place: number;
  #planned: number;
  #counts: BlockCounts = { stored: 0, refused: 0, unstorable: 0 };
  #retries = 0;
  #lost = 0;
  #lastError: string | undefined;
  #failingSince: number | undefined;
  #running: Promise<void> | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#place = options.cursors.cursor(options.feed.name);
    this.#planned = options.cursors.cursor(`${options.feed.name}-planned`);
  }

  start(): void {
    this.#running ??= this.#follow();
  }

  /** Ends after the insert under way; what is left stays in the feed. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#waiting?.abort();
    await this.#running;
  }

  /** Sends what is there without waiting for full batches, once. */
  hurry(): void {
    this.#hurried = true;
    this.#waiting?.abort();
  }

  status(): FollowerStatus {
    return {
      ...this.#counts,
      place: this.#place,
      backlog: Math.max(0, this.#options.feed.head - this.#place),
      retries: this.#retries,
      lost: this.#lost,
      lastError: this.#lastError,
      failingSince: this.#failingSince,
    };
  }

  async #follow(): Promise<void> {
    const { retryMinMs, retryMaxMs, sleep } = this.#options;
    let pauseMs = retryMinMs;
    while (!this.#stop.signal.aborted) {
      try {
        await this.#step();
        this.#lastError = undefined;
        this.#failingSince = undefined;
        pauseMs = retryMinMs;
      } catch (error) {
        this.#retries++;
        this.#lastError = error instanceof Error ? error.message : String(error);
        this.#failingSince ??= this.#options.clock.now();
        await sleep(pauseMs, this.#stop.signal);
        pauseMs = Math.min(pauseMs * 2, retryMaxMs);
      }
    }
  }

  /** One batch: wait, plan, send, note. Whatever throws leaves the plan in place for the next try. */
  async #step(): Promise<void> {
    const { feed, cursors } = this.#options;
    const isPlanned = this.#planned > this.#place;
    // A log that is new on this machine is still being filled: what was planned elsewhere is on its way.
    if (isPlanned) await feed.waitBeyond(this.#planned - 1, this.#stop.signal);
    else await this.#waitForBatch();
    if (this.#stop.signal.aborted) return;
    const items = this.#collect(isPlanned ? this.#planned : undefined);
    const last = items.at(-1);
    if (last === undefined) {
      await this.#skipGap();
      return;
    }
    const rows = items.flatMap((item) => (item.row === undefined ? [] : [item.row]));
    if (rows.length > 0) {
      if (!isPlanned) await cursors.setCursor(`${feed.name}-planned`, last.place);
      this.#planned = last.place;
      await this.#send(rows);
    }
    await cursors.setCursor(feed.name, last.place);
    this.#lost += last.place - this.#place - items.length;
    this.#place = last.place;
  }

  async #waitForBatch(): Promise<void> {
    const { feed, maxRows, lingerMs, sleep } = this.#options;
    const stop = this.#stop.signal;
    if (feed.head <= this.#place) await feed.waitBeyond(this.#place, stop);
    if (feed.head - this.#place >= maxRows || stop.aborted) return;
    // A plain controller that `stop` and `hurry` abort: signals joined with AbortSignal.any can be collected unheard.
    const full = new AbortController();
    this.#waiting = full;
    if (!this.#hurried) {
      await Promise.race([feed.waitBeyond(this.#place + maxRows - 1, full.signal), sleep(lingerMs, full.signal)]);
    }
    full.abort();
    this.#waiting = undefined;
    this.#hurried = false;
  }

  /** @param exactEnd end of a planned batch, which must not come out differently */
  #collect(exactEnd: number | undefined): FeedItem[] {
    const { feed, maxRows, maxBatchBytes } = this.#options;
    const items: FeedItem[] = [];
    let bytes = 0;
    let place = Math.max(this.#place, feed.tail - 1);
    while (exactEnd === undefined ? items.length < maxRows : place < exactEnd) {
      const left = exactEnd === undefined ? maxRows - items.length : exactEnd - place;
      const slice = feed.read(place, Math.min(READ_SLICE, left));
      for (const item of slice) {
        if (exactEnd !== undefined && item.place > exactEnd) return items;
        if (exactEnd === undefined && items.length > 0 && bytes + item.bytes > maxBatchBytes) return items;
        items.push(item);
        bytes += item.bytes;
        place = item.place;
      }
      if (slice.length === 0) break;
    }
    return items;
  }

  /** Retention may have removed what was still to be sent, planned or not; it is counted and left behind. */
  async #skipGap(): Promise<void> {
    const { feed, cursors, retryMinMs, sleep } = this.#options;
    const reached = Math.max(this.#place, this.#planned, feed.tail - 1);
    if (reached === this.#place) {
      // The feed promised more than it gave; look again, but not at once.
      await sleep(retryMinMs, this.#stop.signal);
      return;
    }
    await cursors.setCursor(feed.name, reached);
    this.#lost += reached - this.#place;
    this.#place = reached;
  }

  async #send(rows: readonly Row[]): Promise<void> {
    const { inserter, partition, clock } = this.#options;
    const byTable = new Map<string, Row[]>();
    for (const row of rows) {
      const list = byTable.get(row.table);
      if (list === undefined) byTable.set(row.table, [row]);
      else list.push(row);
    }
    let counts: BlockCounts = { stored: 0, refused: 0, unstorable: 0 };
    for (const list of byTable.values()) {
      counts = sum(counts, await writeBlock({ inserter, partition, clock }, list));
    }
    // Only now: a batch that failed half way is counted once, by the try that carried it through.
    this.#counts = sum(this.#counts, counts);
  }
}

function sum(a: BlockCounts, b: BlockCounts): BlockCounts {
  return {
    stored: a.stored + b.stored,
    refused: a.refused + b.refused,
    unstorable: a.unstorable + b.unstorable,
  };
}
