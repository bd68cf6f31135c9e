import { createHash, verify, type KeyObject } from 'node:crypto';
import type { Principal } from '../model/principal.js';
import type { SourceTroubleKind } from '../model/source-trouble.js';
import { ApiError } from './errors.js';

/** What a signature is made over begins with it, so that it can never be one over something else. */
const CONTEXT = 'parallax-batch-v1';
const SIGNATURE_BYTES = 64;

/** A request that may be signed. */
export interface SignedBatch {
  method: string;
  path: string;
  /** After decompression. */
  body: Buffer;
  /** Header by lower-case name. */
  header: (name: string) => string | undefined;
}

/** Public keys of one emitter, by the id that its requests name. */
export interface EmitterKeys {
  publicKeys: ReadonlyMap<string, KeyObject>;
  /** Whether what is not signed is refused. */
  required: boolean;
}

export interface SignedBatchesOptions {
  /** By id of the API key; an emitter that is not in it signs nothing that could be checked. */
  emitters: ReadonlyMap<string, EmitterKeys>;
  /** Latest sequence number taken from each emitter, by id of its API key. */
  sequences: ReadonlyMap<string, number>;
  /** Told of what is wrong with an emitter. */
  trouble: (principal: Principal, trouble: { kind: SourceTroubleKind; detail: string; count?: number }) => void;
}

interface Progress {
  last: number | undefined;
  inFlight: Set<number>;
}

/**
 * Checks who made a batch and that it is the next one: an Ed25519 signature (RFC 8032) over method, path, sequence number
 * and digest of the body, by a key that whoever steals the API key does not have.
 *
 * A number counts as used when its batch is in the log, so that one that was turned away can be sent again. An emitter sends
 * one batch after the other.
 */
export class SignedBatches {
  readonly #options: SignedBatchesOptions;
  readonly #progress: Map<string, Progress>;
  #changed = false;

  constructor(options: SignedBatchesOptions) {
    this.#options = options;
    this.#progress = new Map([...options.sequences].map(([id, last]) => [id, { last, inFlight: new Set<number>() }]));
  }

  /**
   * @returns to be called when the batch is in the log (true) or is not (false)
   * @throws ApiError 401 for a signature that is missing or does not hold, 409 for a number that was used
   */
  admit(principal: Principal, batch: SignedBatch): (isTaken: boolean) => void {
    const emitter = this.#options.emitters.get(principal.id);
    if (emitter === undefined) return () => {};
    const keyId = batch.header('parallax-key-id');
    if (keyId === undefined && !emitter.required) return () => {};
    const sequence = sequenceOf(batch.header('parallax-sequence'));
    const problem = problemOf(emitter, keyId, sequence, batch);
    if (problem !== undefined || sequence === undefined) {
      const detail = `a batch in the name of ${principal.id} is not signed by it: ${problem ?? ''}`;
      this.#options.trouble(principal, { kind: 'bad-signature', detail });
      throw new ApiError(401, 'signature', `the signature of the batch does not hold: ${problem ?? ''}`, {
        fix: 'send Parallax-Key-Id, Parallax-Sequence and Parallax-Signature as docs/emitters.md describes them',
      });
    }
    return this.#take(principal, sequence);
  }

  /** Latest sequence number of each emitter, where one has changed since the last call. */
  takeChanged(): Record<string, number> | undefined {
    if (!this.#changed) return undefined;
    this.#changed = false;
    return Object.fromEntries(
      [...this.#progress].flatMap(([id, { last }]) => (last === undefined ? [] : [[id, last]])),
    );
  }

  #take(principal: Principal, sequence: number): (isTaken: boolean) => void {
    let progress = this.#progress.get(principal.id);
    if (progress === undefined) {
      progress = { last: undefined, inFlight: new Set() };
      this.#progress.set(principal.id, progress);
    }
    const { last, inFlight } = progress;
    if (inFlight.has(sequence)) {
      throw new ApiError(409, 'in-flight', 'the batch of this number is being taken in', {
        fix: 'wait for its answer before it is sent again',
      });
    }
    if (last !== undefined && sequence <= last) {
      const detail = `${principal.id} sent batch ${sequence} again, or out of its order; ${last} was the latest`;
      this.#options.trouble(principal, { kind: 'replay', detail });
      throw new ApiError(409, 'replayed', `a batch with number ${sequence} or a later one was taken in already`, {
        fix: 'number batches upwards; one that was answered is in the log and need not be sent again',
      });
    }
    const expected = Math.max(last ?? sequence - 1, ...inFlight) + 1;
    inFlight.add(sequence);
    return (isTaken) => {
      inFlight.delete(sequence);
      if (!isTaken) return;
      const missing = sequence - expected;
      if (missing > 0) {
        const detail = `${missing} ${missing === 1 ? 'batch' : 'batches'} of ${principal.id} before batch ${sequence} did not arrive`;
        this.#options.trouble(principal, { kind: 'gap', detail, count: missing });
      }
      progress.last = Math.max(progress.last ?? 0, sequence);
      this.#changed = true;
    };
  }
}

/** What an emitter signs. */
export function signedText({ method, path, body }: Pick<SignedBatch, 'method' | 'path' | 'body'>, sequence: number) {
  const digest = createHash('sha256').update(body).digest('hex');
  return Buffer.from([CONTEXT, method, path, sequence, digest].join('\n'));
}

function problemOf(
  { publicKeys }: EmitterKeys,
  keyId: string | undefined,
  sequence: number | undefined,
  batch: SignedBatch,
): string | undefined {
  if (keyId === undefined) return 'it is not signed';
  const key = publicKeys.get(keyId);
  if (key === undefined) return 'Parallax-Key-Id names no key of this emitter';
  if (sequence === undefined) return 'Parallax-Sequence is no whole number';
  // The binary form of CloudEvents has half of an event in headers, which nothing would vouch for.
  if (batch.header('ce-specversion') !== undefined) return 'an event in the binary form cannot be signed as a whole';
  const signature = Buffer.from(batch.header('parallax-signature') ?? '', 'base64');
  const isGood = signature.length === SIGNATURE_BYTES && verify(null, signedText(batch, sequence), key, signature);
  return isGood ? undefined : 'Parallax-Signature is not one of this key over this request';
}

function sequenceOf(text: string | undefined): number | undefined {
  const value = text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(value) ? value : undefined;
}
