import type { SignedKind } from '../model/signed-message.js';
import type { RefusalReason } from './port.js';

/** What was last seen of the observer; kept over a restart. */
export interface SeenPlace {
  epoch: number;
  /** Highest counter within the epoch. */
  counter: number;
}

/** Messages that may overtake each other on their way. */
const WINDOW = 1_024;

/**
 * Lets every message in once. Within an epoch by its counter: those that came a little out of order are told from
 * those that came before by a window, as in IPsec (RFC 4303, 3.4.3). An epoch begins with the full state: what this
 * gateway has not been told by an observer that restarted could otherwise stay unknown.
 */
export class ReplayGuard {
  #epoch: number;
  /** Nothing up to here is let in any more. */
  #floor: number;
  #highest: number;
  #seen = new Set<number>();

  /** @param seen what was let in before a restart; nothing up to there is let in again */
  constructor(seen: SeenPlace = { epoch: -1, counter: 0 }) {
    this.#epoch = seen.epoch;
    this.#floor = seen.counter;
    this.#highest = seen.counter;
  }

  get place(): SeenPlace {
    return { epoch: this.#epoch, counter: this.#highest };
  }

  /** Why the message may not come in; undefined when it may, and then never again. */
  take(
    { epoch, counter }: SeenPlace,
    kind: SignedKind,
  ): Extract<RefusalReason, 'older-epoch' | 'unknown-epoch' | 'replayed'> | undefined {
    if (epoch < this.#epoch) return 'older-epoch';
    if (epoch > this.#epoch) {
      if (kind !== 'state') return 'unknown-epoch';
      this.#epoch = epoch;
      this.#floor = 0;
      this.#highest = 0;
      this.#seen.clear();
    }
    if (counter <= this.#floor || this.#seen.has(counter)) return 'replayed';
    this.#seen.add(counter);
    this.#highest = Math.max(this.#highest, counter);
    if (this.#seen.size >= 2 * WINDOW) this.#narrow();
    return undefined;
  }

  #narrow(): void {
    this.#floor = Math.max(this.#floor, this.#highest - WINDOW);
    this.#seen = new Set([...this.#seen].filter((counter) => counter > this.#floor));
  }
}
