import type { Progress } from '@modelcontextprotocol/sdk/types.js';

/** A step that cannot be mistaken for progress of the work itself. */
const STEP = 1e-6;

/**
 * Progress of one call towards its client: our own waiting, and what the server reports. The protocol wants numbers
 * that only grow, and a client resets its patience with each of them.
 */
export class ProgressRelay {
  readonly #send: (progress: Progress) => void;
  #last = -1;

  constructor(send: (progress: Progress) => void) {
    this.#send = send;
  }

  /** We wait; the work has not begun. */
  waiting(message: string): void {
    this.#say({ progress: this.#last < 0 ? 0 : this.#last + STEP, message });
  }

  /** The server is at work. */
  relay(progress: Progress): void {
    this.#say(progress.progress > this.#last ? progress : { ...progress, progress: this.#last + STEP });
  }

  #say(progress: Progress): void {
    this.#last = progress.progress;
    this.#send(progress);
  }
}
