import type { Config } from './config.js';
import type { Clock } from './lib/clock.js';
import { truncatablePosition } from './log/retention.js';
import type { HostedPartition, Observer } from './observer.js';
import { BaselineDesk } from './scoring/baseline-desk.js';
import type { StoreLink } from './store/store-link.js';
import type { Storing } from './store/storing.js';
import { StoringReader } from './store/storing-reader.js';

/** Records that every reader has passed are kept this long for replay and timelines, ms. */
const KEEP_LOG_MS = 7 * 24 * 60 * 60_000;
/** Outbox entries kept for subscribers that come back. */
const KEEP_OUTBOX = 20_000;
/** Time for what is committed to reach ClickHouse before closing, ms. */
const DRAIN_MS = 10_000;

export interface UpkeepParts {
  observer: Pick<Observer, 'incidents' | 'library' | 'record'>;
  config: Config;
  link: StoreLink;
  clock: Clock;
  notice: (message: string, facts: Record<string, unknown>) => void;
}

/** What a partition needs beside scoring: it is stored, its baselines are archived, and what was read is let go of. */
export class PartitionUpkeep {
  readonly hosted: HostedPartition;
  readonly desk: BaselineDesk;
  readonly storing: Storing;
  readonly #parts: UpkeepParts;

  constructor(hosted: HostedPartition, parts: UpkeepParts) {
    const { link, clock } = parts;
    this.hosted = hosted;
    this.#parts = parts;
    this.storing = link.attach(
      ({ writer }) =>
        new StoringReader({
          log: hosted.log,
          store: hosted.store,
          inserter: writer,
          partition: hosted.partition,
          lingerMs: parts.config.clickhouse.lingerMs,
          clock,
        }),
    );
    this.desk = new BaselineDesk({ ...parts, hosted, store: () => link.store });
    this.desk.start();
  }

  /**
   * Lets go of what every reader has passed.
   *
   * @param told outbox sequences up to which others than storing have read
   */
  async maintain(told: readonly number[]): Promise<void> {
    const { config, clock } = this.#parts;
    const { log, store } = this.hosted;
    const stored = this.storing.stored();
    await log.truncateBefore(
      truncatablePosition({
        segments: log.segments(),
        storedBytes: log.storedBytes,
        nextPositions: [store.nextPosition, stored.log + 1],
        retention: { maxBytes: config.log.retainBytes, maxAgeMs: KEEP_LOG_MS },
        nowMs: clock.now(),
      }),
    );
    // What is newer than the checkpoint's state is read again at a restart.
    const surplus = Math.min(stored.outbox, ...told, store.checkpointOutboxHead, store.outboxHead - KEEP_OUTBOX);
    if (surplus > 0) await store.trimOutbox(surplus);
  }

  /** Waits for what is committed now to be scored and stored. @returns false where that takes longer */
  async stored(timeoutMs: number): Promise<boolean> {
    const { hosted, storing } = this;
    await hosted.settled();
    return storing.drain({ log: hosted.log.head, outbox: hosted.store.outboxHead }, timeoutMs);
  }

  /** Waits for what is committed to be scored and stored, for a while, unless another process does that; and stops. */
  async stop(isHandedOver: boolean): Promise<void> {
    const { hosted, storing, desk } = this;
    await desk.stop();
    if (!isHandedOver) {
      await hosted.settled();
      await storing.drain({ log: hosted.log.head, outbox: hosted.store.outboxHead }, DRAIN_MS);
    }
    await storing.stop();
  }
}
