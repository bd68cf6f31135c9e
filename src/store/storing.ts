import { setTimeout as timer } from 'node:timers/promises';
import type { StoreStatus } from './port.js';
import type { OpeningStatus } from './store-link.js';
import type { Store } from './store.js';
import type { StoringReader } from './storing-reader.js';

/** What hangs in a database that does not answer is left behind after this; it follows at the next start, ms. */
export const STOP_MS = 3_000;

/** The storing of one partition: it begins when the store is open. */
export class Storing {
  readonly #read: (store: Store) => StoringReader;
  readonly #opening: OpeningStatus;
  readonly #detach: () => void;
  #reader: StoringReader | undefined;
  #isStopped = false;

  constructor(read: (store: Store) => StoringReader, opening: OpeningStatus, detach: () => void) {
    this.#read = read;
    this.#opening = opening;
    this.#detach = detach;
  }

  /** The store is open. */
  begin(store: Store): void {
    if (this.#isStopped) return;
    this.#reader = this.#read(store);
    this.#reader.start();
  }

  status(): StoreStatus | OpeningStatus {
    return this.#reader?.status() ?? { ...this.#opening };
  }

  /** Places up to which the log and the outbox are stored; 0 while there is no store. */
  stored(): { log: number; outbox: number } {
    const status = this.#reader?.status();
    return { log: status?.logPosition ?? 0, outbox: status?.outboxSequence ?? 0 };
  }

  /** Waits until what is committed is stored. @returns false where that did not happen in time, or there is no store */
  async drain(target: { log: number; outbox: number }, timeoutMs: number): Promise<boolean> {
    return (await this.#reader?.drain(target, timeoutMs)) ?? false;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#detach();
    if (this.#reader !== undefined) await atMost(STOP_MS, this.#reader.stop());
  }
}

/** Waits for the work, but no longer than `ms`. */
export async function atMost(ms: number, work: Promise<void>): Promise<void> {
  const waiting = new AbortController();
  await Promise.race([work, timer(ms, undefined, { signal: waiting.signal }).catch(() => {})]);
  waiting.abort();
}
