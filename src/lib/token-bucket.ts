/** Tokens that come back with time. What must not be refused may run it into debt, one bucket deep at most. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #capacity: number;
  #tokens: number;
  #at: number;

  /** @param perSecond undefined where nothing is limited */
  constructor(perSecond: number | undefined, burstSeconds: number, now: number) {
    this.#perMs = (perSecond ?? Infinity) / 1_000;
    // Less than one token could never be taken.
    this.#capacity = perSecond === undefined ? Infinity : Math.max(1, perSecond * burstSeconds);
    this.#tokens = this.#capacity;
    this.#at = now;
  }

  level(now: number): number {
    if (this.#capacity === Infinity) return Infinity;
    // A clock that was set back gives nothing and takes nothing.
    this.#tokens = Math.min(this.#capacity, this.#tokens + Math.max(0, now - this.#at) * this.#perMs);
    this.#at = now;
    return this.#tokens;
  }

  share(now: number): number {
    return this.#capacity === Infinity ? 1 : this.level(now) / this.#capacity;
  }

  take(now: number): void {
    if (this.#capacity !== Infinity) this.#tokens = Math.max(-this.#capacity, this.level(now) - 1);
  }
}
