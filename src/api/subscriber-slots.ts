import { ApiError } from './errors.js';

const RETRY_SECONDS = 5;

/** Bounds how many streams and waiting polls one key has open, whichever of the two they are. */
export class SubscriberSlots {
  readonly #maxPerKey: number;
  /** Taken places by key; as many entries as there are keys. */
  readonly #taken = new Map<string, number>();

  constructor(maxPerKey: number) {
    this.#maxPerKey = maxPerKey;
  }

  /** @returns gives the place back; may be called again @throws ApiError 429 when the key has none left */
  take(keyId: string): () => void {
    const count = this.#taken.get(keyId) ?? 0;
    if (count >= this.#maxPerKey) {
      throw new ApiError(429, 'too-many-streams', `this key has ${count} streams open, which is the most`, {
        fix: 'close one, or share one stream within the gateway',
        retryAfterSeconds: RETRY_SECONDS,
      });
    }
    this.#taken.set(keyId, count + 1);
    let isTaken = true;
    return () => {
      if (isTaken) this.#taken.set(keyId, (this.#taken.get(keyId) ?? 1) - 1);
      isTaken = false;
    };
  }
}
