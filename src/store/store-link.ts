import { setTimeout as timer } from 'node:timers/promises';
import type { Clock } from '../lib/clock.js';
import { MigrationError } from './migrate.js';
import type { Store } from './store.js';
import { atMost, STOP_MS, Storing } from './storing.js';
import type { StoringReader } from './storing-reader.js';

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 30_000;

export interface StoreLinkOptions {
  open: () => Promise<Store>;
  clock: Clock;
  onNotice: (level: 'info' | 'warn', message: string) => void;
}

/** While there is no store yet. */
export interface OpeningStatus {
  /** `failed`: the store is there and must not be touched, whatever we wait for; the rest goes on without it. */
  state: 'opening' | 'failed';
  /** Epoch ms. */
  since: number;
  attempts: number;
  lastError?: string;
}

/**
 * Opens ClickHouse and keeps trying while it cannot be reached: a store that is away at the start must not keep the
 * observer from observing. What is in the log follows once the store is there.
 */
export class StoreLink {
  readonly #options: StoreLinkOptions;
  readonly #stopping = new AbortController();
  readonly #opening: OpeningStatus;
  readonly #storing = new Set<Storing>();
  #store: Store | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: StoreLinkOptions) {
    this.#options = options;
    this.#opening = { state: 'opening', since: options.clock.now(), attempts: 0 };
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Undefined until the store is open. */
  get store(): Store | undefined {
    return this.#store;
  }

  get opening(): OpeningStatus {
    return this.#opening;
  }

  /**
   * Has a partition's log carried into the store from when it is open.
   *
   * @param read makes the reader for an opened store
   */
  attach(read: (store: Store) => StoringReader): Storing {
    const storing = new Storing(read, this.#opening, () => this.#storing.delete(storing));
    this.#storing.add(storing);
    if (this.#store !== undefined) storing.begin(this.#store);
    return storing;
  }

  /** Gives the store up. What was attached stops first. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await atMost(STOP_MS, this.#running);
    await Promise.all([...this.#storing].map((storing) => storing.stop()));
    await this.#store?.close();
  }

  async #run(): Promise<void> {
    const { open, onNotice } = this.#options;
    const { signal } = this.#stopping;
    for (let waitMs = RETRY_MIN_MS; !signal.aborted; waitMs = Math.min(2 * waitMs, RETRY_MAX_MS)) {
      this.#opening.attempts++;
      try {
        const store = await open();
        if (signal.aborted) return await store.close();
        this.#store = store;
        for (const storing of this.#storing) storing.begin(store);
        return;
      } catch (error) {
        this.#opening.lastError = error instanceof Error ? error.message : String(error);
        if (error instanceof MigrationError) {
          this.#opening.state = 'failed';
          onNotice('warn', `ClickHouse cannot be used, observing goes on without storing: ${error.message}`);
          return;
        }
        onNotice('warn', `ClickHouse cannot be opened, trying again in ${waitMs} ms: ${this.#opening.lastError}`);
      }
      await timer(waitMs, undefined, { signal }).catch(() => {});
    }
  }
}
