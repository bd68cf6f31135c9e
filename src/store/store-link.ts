import { setTimeout as timer } from 'node:timers/promises';
import type { Clock } from '../lib/clock.js';
import { MigrationError } from './migrate.js';
import type { StoreStatus } from './port.js';
import type { Store } from './store.js';
import type { StoringReader } from './storing-reader.js';

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 30_000;
/** What hangs in a database that does not answer is left behind after this; it follows at the next start, ms. */
const STOP_MS = 3_000;

export interface StoreLinkOptions {
  open: () => Promise<Store>;
  /** The reader that will carry the log into an opened store. */
  read: (store: Store) => StoringReader;
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
  #opened: { store: Store; reader: StoringReader } | undefined;
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
    return this.#opened?.store;
  }

  status(): StoreStatus | OpeningStatus {
    return this.#opened?.reader.status() ?? { ...this.#opening };
  }

  /** Places up to which the log and the outbox are stored; 0 while there is no store. */
  stored(): { log: number; outbox: number } {
    const status = this.#opened?.reader.status();
    return { log: status?.logPosition ?? 0, outbox: status?.outboxSequence ?? 0 };
  }

  /** Waits until what is committed is stored. @returns false where that did not happen in time, or there is no store */
  async drain(target: { log: number; outbox: number }, timeoutMs: number): Promise<boolean> {
    return (await this.#opened?.reader.drain(target, timeoutMs)) ?? false;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await atMost(STOP_MS, this.#running);
    if (this.#opened === undefined) return;
    await atMost(STOP_MS, this.#opened.reader.stop());
    await this.#opened.store.close();
  }

  async #run(): Promise<void> {
    const { open, read, onNotice } = this.#options;
    const { signal } = this.#stopping;
    for (let waitMs = RETRY_MIN_MS; !signal.aborted; waitMs = Math.min(2 * waitMs, RETRY_MAX_MS)) {
      this.#opening.attempts++;
      try {
        const store = await open();
        if (signal.aborted) return await store.close();
        const reader = read(store);
        reader.start();
        this.#opened = { store, reader };
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

/** Waits for the work, but no longer than `ms`. */
async function atMost(ms: number, work: Promise<void>): Promise<void> {
  const waiting = new AbortController();
  await Promise.race([work, timer(ms, undefined, { signal: waiting.signal }).catch(() => {})]);
  waiting.abort();
}
