/** Readers that wait for a number to rise: the log's head, the outbox's newest sequence. */
export class PositionWaiters {
  readonly #waiting = new Set<Waiter>();

  /** Readers waiting now. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves when {@link advance} passes `position`, or the signal aborts; rejects when {@link close} comes first. */
  wait(position: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', waiter.wake);
      };
      const waiter: Waiter = {
        position,
        wake: () => {
          settle();
          resolve();
        },
        fail: (error) => {
          settle();
          reject(error);
        },
      };
      this.#waiting.add(waiter);
      signal.addEventListener('abort', waiter.wake, { once: true });
    });
  }

  /** Wakes everyone who waited for something beyond a position below `head`. */
  advance(head: number): void {
    for (const waiter of this.#waiting) if (waiter.position < head) waiter.wake();
  }

  close(error: Error): void {
    for (const waiter of this.#waiting) waiter.fail(error);
  }
}

interface Waiter {
  position: number;
  wake: () => void;
  fail: (error: Error) => void;
}
