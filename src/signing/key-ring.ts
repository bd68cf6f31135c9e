import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type CryptoKey,
  type JSONWebKeySet,
} from 'jose';
import { z } from 'zod';
import type { Clock } from '../lib/clock.js';
import { replaceFile } from '../lib/replace-file.js';
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from '../model/signed-message.js';
import type { ShownKey, SigningKeys } from './port.js';

const RSA_BITS = 3072;

const publicJwkSchema = z.strictObject({
  kty: z.enum(['OKP', 'RSA']),
  crv: z.string().exactOptional(),
  x: z.string().exactOptional(),
  n: z.string().exactOptional(),
  e: z.string().exactOptional(),
});
const keySchema = z.strictObject({
  kid: z.string().min(1),
  alg: z.enum(SIGNING_ALGORITHMS),
  /** It signs from here on, until the next one does; epoch ms. */
  activeFrom: z.number(),
  publicJwk: publicJwkSchema,
  /** Gone once another key signs. */
  privateJwk: z.looseObject({ kty: z.string(), d: z.string() }).exactOptional(),
});
const ringSchema = z.strictObject({ keys: z.array(keySchema) });
type StoredKey = z.infer<typeof keySchema>;

/** The key that signs now. */
export interface ActiveKey {
  kid: string;
  alg: SigningAlgorithm;
  key: CryptoKey;
}

export interface KeyRingOptions {
  /** Made at the first start, readable by the owner only. */
  file: string;
  algorithm: SigningAlgorithm;
  /** How long the key before stays published after a change, ms. */
  overlapMs: number;
  clock: Clock;
}

/** The file with the keys cannot be used; the message says what to do. */
export class SigningKeysError extends Error {
  override name = 'SigningKeysError';
}

/**
 * The keys that commands are signed with, in one file. A rotation replaces the file as a whole, before the new key
 * signs anything. The private part of a key that another has followed is gone with that, or with the next rotation where
 * the new key was published ahead of its time.
 */
export class KeyRing implements SigningKeys {
  readonly #options: KeyRingOptions;
  /** In the order in which they sign. */
  #keys: StoredKey[];
  /** Ready for use, by kid. */
  readonly #ready = new Map<string, CryptoKey>();

  private constructor(options: KeyRingOptions, keys: StoredKey[]) {
    this.#options = options;
    this.#keys = keys;
  }

  /**
   * Reads the keys, and makes the first. Another algorithm than that of the newest key is a rotation.
   *
   * @throws SigningKeysError when the file is damaged: new keys in its place would lock out every gateway that pins
   */
  static async open(options: KeyRingOptions): Promise<KeyRing> {
    const ring = new KeyRing(options, readKeys(options.file));
    for (const { kid, alg, privateJwk } of ring.#keys) {
      if (privateJwk !== undefined) ring.#ready.set(kid, await readyKey(privateJwk, alg));
    }
    if (ring.#keys.at(-1)?.alg !== options.algorithm) await ring.rotate(0);
    return ring;
  }

  /** The key that signs now. */
  active(): ActiveKey {
    const current = this.#keys[this.#activeIndex()];
    const key = current === undefined ? undefined : this.#ready.get(current.kid);
    if (current === undefined || key === undefined) throw new Error('no key signs now');
    return { kid: current.kid, alg: current.alg, key };
  }

  published(): JSONWebKeySet {
    const keys = this.#keys.slice(this.#firstPublished());
    return { keys: keys.map(({ kid, alg, publicJwk }) => ({ ...publicJwk, kid, alg, use: 'sig' })) };
  }

  async rotate(leadMs: number): Promise<ShownKey> {
    const { algorithm, clock, file } = this.#options;
    const made = await generateKeyPair(algorithm, { extractable: true, modulusLength: RSA_BITS });
    const publicJwk = publicJwkSchema.parse(await exportJWK(made.publicKey));
    const kid = await calculateJwkThumbprint(publicJwk);
    const privateJwk = { ...(await exportJWK(made.privateKey)), kty: publicJwk.kty };
    const activeFrom = clock.now() + leadMs;
    const fresh = keySchema.parse({ kid, alg: algorithm, activeFrom, publicJwk, privateJwk });
    if (fresh.privateJwk !== undefined) this.#ready.set(kid, await readyKey(fresh.privateJwk, algorithm));
    // Whatever else was about to sign later is given up: the newest decision counts.
    const kept = this.#keys.slice(this.#firstPublished()).filter((key) => key.activeFrom <= clock.now());
    const last = kept.length - (leadMs > 0 ? 1 : 0);
    const keys = [...kept.map((key, i) => (i < last ? withoutPrivate(key) : key)), fresh];
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    replaceFile(file, `${JSON.stringify({ keys }, undefined, 2)}\n`);
    this.#keys = keys;
    for (const known of this.#ready.keys()) {
      if (!keys.some((key) => key.kid === known && key.privateJwk !== undefined)) this.#ready.delete(known);
    }
    return { kid, algorithm, activeFrom };
  }

  /** Index of the last key that can sign and whose time has come; the first that can where the clock went back. */
  #activeIndex(): number {
    const now = this.#options.clock.now();
    const last = this.#keys.findLastIndex((key) => key.privateJwk !== undefined && key.activeFrom <= now);
    return last >= 0 ? last : this.#keys.findIndex((key) => key.privateJwk !== undefined);
  }

  /** Index of the oldest key that is still published. */
  #firstPublished(): number {
    const { clock, overlapMs } = this.#options;
    const since = clock.now() - overlapMs;
    const active = this.#activeIndex();
    const first = this.#keys.findIndex((_key, i) => i >= active || (this.#keys[i + 1]?.activeFrom ?? 0) > since);
    return Math.max(0, first);
  }
}

function readKeys(file: string): StoredKey[] {
  if (!existsSync(file)) return [];
  try {
    return ringSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).keys;
  } catch {
    // Without the cause: it could quote a private key.
    throw new SigningKeysError(
      `${file}: holds no signing keys that can be read; restore it from a copy, or remove it to have new ones made (gateways that pin keys then need the new ones)`,
    );
  }
}

function withoutPrivate({ kid, alg, activeFrom, publicJwk }: StoredKey): StoredKey {
  return { kid, alg, activeFrom, publicJwk };
}

async function readyKey(jwk: NonNullable<StoredKey['privateJwk']>, alg: SigningAlgorithm): Promise<CryptoKey> {
  const key = await importJWK(jwk, alg);
  if (key instanceof Uint8Array) throw new SigningKeysError('a signing key is no key pair');
  return key;
}
