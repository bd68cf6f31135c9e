import { importJWK, type CryptoKey, type JWK, type JSONWebKeySet } from 'jose';
import { JWKS_PATH, type SigningAlgorithm } from '../model/signed-message.js';
import { withDeadline } from './deadline.js';
import { isRecord, parseJson } from './json.js';
import { getText, type ObserverAddress } from './observer-http.js';

/** A public key, and the one algorithm that it is for. */
export interface VerifyingKey {
  algorithm: SigningAlgorithm;
  key: CryptoKey;
}

/** Where the public keys of the observer come from. */
export interface KeySource {
  find(kid: string): Promise<VerifyingKey | undefined>;
}

/** A set holds at most so many keys that are looked at. */
const MAX_KEYS = 32;

/** Keys that the gateway was given: what the observer publishes does not count. */
export class PinnedKeys implements KeySource {
  readonly #keys: Promise<Map<string, VerifyingKey>>;

  constructor(set: JSONWebKeySet) {
    this.#keys = readKeys(set);
  }

  async find(kid: string): Promise<VerifyingKey | undefined> {
    return (await this.#keys).get(kid);
  }
}

export interface FetchedKeysOptions {
  address: ObserverAddress;
  /** Least time between two requests, ms: nobody can make the kit ask all the time by naming unknown keys. */
  refetchMs: number;
  /** A key that is no longer published stops counting after so long, ms. */
  maxAgeMs: number;
  requestMs: number;
  /** Monotonic, ms. */
  elapsedMs: () => number;
}

/** Keys that the observer publishes, asked for at its own address and nowhere else, when an unknown one is named. */
export class FetchedKeys implements KeySource {
  readonly #options: FetchedKeysOptions;
  #keys = new Map<string, VerifyingKey>();
  #triedAt = Number.NEGATIVE_INFINITY;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;

  constructor(options: FetchedKeysOptions) {
    this.#options = options;
  }

  /** @throws what keeps the keys from being fetched, when they must be */
  async find(kid: string): Promise<VerifyingKey | undefined> {
    const { elapsedMs, maxAgeMs } = this.#options;
    const known = this.#keys.get(kid);
    if (known === undefined) await this.#refresh();
    // An old set is good until the new one is there: commands do not wait for that.
    else if (elapsedMs() - this.#fetchedAt > maxAgeMs) this.#refresh().catch(() => {});
    return this.#keys.get(kid);
  }

  #refresh(): Promise<void> {
    const { elapsedMs, refetchMs } = this.#options;
    if (this.#running !== undefined) return this.#running;
    if (elapsedMs() - this.#triedAt < refetchMs) return Promise.resolve();
    this.#triedAt = elapsedMs();
    this.#running = this.#fetch().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #fetch(): Promise<void> {
    const { address, requestMs, elapsedMs } = this.#options;
    const { status, text } = await withDeadline(requestMs, undefined, (signal) => getText(address, JWKS_PATH, signal));
    if (status !== 200) throw new Error(`the observer answered ${status} when asked for its public keys`);
    const keys = await readKeys(parseJson(text));
    if (keys.size === 0) throw new Error('the observer publishes no key that can be used');
    this.#keys = keys;
    this.#fetchedAt = elapsedMs();
  }
}

/** Every key of a set that can verify; whatever else is in it is left out. */
async function readKeys(set: unknown): Promise<Map<string, VerifyingKey>> {
  const keys = new Map<string, VerifyingKey>();
  const listed = isRecord(set) && Array.isArray(set['keys']) ? set['keys'].slice(0, MAX_KEYS) : [];
  for (const jwk of listed) {
    const read = readPublicKey(jwk);
    if (read === undefined) continue;
    try {
      const key = await importJWK(read.jwk, read.algorithm);
      if (!(key instanceof Uint8Array)) keys.set(read.kid, { algorithm: read.algorithm, key });
    } catch {
      // No key after all.
    }
  }
  return keys;
}

/** The public part alone, with the algorithm that its type is for. */
function readPublicKey(value: unknown): { kid: string; algorithm: SigningAlgorithm; jwk: JWK } | undefined {
  if (!isRecord(value)) return undefined;
  const { kid, kty, crv, x, n, e } = value;
  if (typeof kid !== 'string') return undefined;
  if (kty === 'OKP' && crv === 'Ed25519' && typeof x === 'string') {
    return { kid, algorithm: 'EdDSA', jwk: { kty, crv, x } };
  }
  if (kty === 'RSA' && typeof n === 'string' && typeof e === 'string') {
    return { kid, algorithm: 'RS256', jwk: { kty, n, e } };
  }
  return undefined;
}
