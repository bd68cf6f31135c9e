import { createHmac, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { STATE_FORMAT } from './packed-state.js';

/** Which state it is. */
export interface SealedPlace {
  tenant: string;
  /** Empty for what the tenant's agents have in common. */
  agentId: string;
  version: number;
}

const PRINT_BYTES = 8;
const KEY_BYTES = 32;
const derive = promisify<string, string, number, Buffer>(scrypt);

/**
 * Marks states that leave the data directory. All hashes in a state are keyed by the install secret, so that under
 * another secret it would know nothing: the fingerprint tells beforehand. The seal shows that this install made the
 * state and nobody changed it since, because decoding and scoring trust it.
 *
 * Both come from the secret by scrypt, which makes trying all 2^32 secrets on a fingerprint take core-years. (The
 * hashes stored beside it give the secret away faster to somebody who guesses their words.)
 */
export class StateSeal {
  /** Fingerprint of the install secret, hex. */
  readonly print: string;
  readonly #key: Buffer;

  private constructor(derived: Buffer) {
    this.print = derived.subarray(0, PRINT_BYTES).toString('hex');
    this.#key = derived.subarray(PRINT_BYTES);
  }

  /** @param seed the install secret, 32 bit */
  static async of(seed: number): Promise<StateSeal> {
    return new StateSeal(await derive(String(seed), 'parallax baseline states', PRINT_BYTES + KEY_BYTES));
  }

  /** @param packed the state as `packBytes` made it */
  seal({ tenant, agentId, version }: SealedPlace, packed: string): string {
    const place = JSON.stringify([STATE_FORMAT, tenant, agentId, version]);
    return createHmac('sha256', this.#key).update(place).update('\n').update(packed).digest('hex');
  }

  isIntact(place: SealedPlace, packed: string, seal: string): boolean {
    const [held, own] = [Buffer.from(seal), Buffer.from(this.seal(place, packed))];
    return held.length === own.length && timingSafeEqual(held, own);
  }
}
