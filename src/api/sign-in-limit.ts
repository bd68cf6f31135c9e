import { BoundedMap } from '../lib/bounded-map.js';
import type { Clock } from '../lib/clock.js';

const MAX_FAILURES = 10;
const WINDOW_MS = 60_000;
const MAX_ADDRESSES = 10_000;

/** How often a wrong key may be tried from one address. */
export class SignInLimit {
  readonly #clock: Clock;
  readonly #failures = new BoundedMap<string, { count: number; since: number }>(MAX_ADDRESSES);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Seconds to wait before the next try, 0 where it may be made now. */
  waitSeconds(address: string): number {
    const held = this.#failures.peek(address);
    if (held === undefined || held.count < MAX_FAILURES) return 0;
    const leftMs = held.since + WINDOW_MS - this.#clock.now();
    return Math.max(0, Math.ceil(leftMs / 1_000));
  }

  failed(address: string): void {
    const now = this.#clock.now();
    const held = this.#failures.get(address);
    if (held === undefined || held.since + WINDOW_MS <= now) this.#failures.set(address, { count: 1, since: now });
    else held.count++;
  }
}
