import { compactVerify, decodeProtectedHeader, errors } from 'jose';
import type { Clock } from '../lib/clock.js';
import { SIGNED_KINDS, typeOf, type SignedClaims, type SignedKind } from '../model/signed-message.js';
import { isRecord, parseJson } from './json.js';
import type { KeySource } from './key-source.js';
import { describeFault } from './observer-http.js';
import type { RefusalReason } from './port.js';

export interface Refusal {
  reason: RefusalReason;
  /** For the gateway's log. */
  detail: string;
}

export type Verified = { kind: SignedKind; claims: SignedClaims } | { refusal: Refusal };

export interface MessageVerifierOptions {
  keys: KeySource;
  issuer: string;
  /** This gateway's id at the observer. */
  audience: string;
  /** How far the two clocks may be apart, ms. */
  skewMs: number;
  clock: Clock;
}

const KIND_OF_TYPE = new Map<unknown, SignedKind>(SIGNED_KINDS.map((kind) => [typeOf(kind), kind]));
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Whether a message (a compact JWS) is the observer's, for this gateway, and of now. Whether it was here before is
 * ReplayGuard's to say.
 *
 * The algorithm is the key's, never what the message says: so neither `none` nor an HMAC with the public key passes.
 */
export class MessageVerifier {
  readonly #options: MessageVerifierOptions;

  constructor(options: MessageVerifierOptions) {
    this.#options = options;
  }

  /**
   * Never throws.
   *
   * @param expected kind that the message must be of; any where it is left out
   */
  async verify(jws: string, expected?: SignedKind): Promise<Verified> {
    const header = headerOf(jws);
    if (header === undefined) return refuse('malformed', 'it is no compact JWS');
    const { alg, kid, typ } = header;
    const kind = KIND_OF_TYPE.get(typ);
    if (kind === undefined || (expected !== undefined && kind !== expected)) {
      return refuse('type', `typ is ${shown(typ)}${expected === undefined ? '' : `, not ${typeOf(expected)}`}`);
    }
    if (alg !== 'EdDSA' && alg !== 'RS256') return refuse('algorithm', `alg is ${shown(alg)}`);
    if (typeof kid !== 'string') return refuse('unknown-key', 'it names no key');
    let payload: Uint8Array;
    try {
      const found = await this.#options.keys.find(kid);
      if (found === undefined) return refuse('unknown-key', `the observer publishes no key ${shown(kid)}`);
      if (found.algorithm !== alg) return refuse('algorithm', `alg is ${alg}, the key is for ${found.algorithm}`);
      ({ payload } = await compactVerify(jws, found.key, { algorithms: [found.algorithm] }));
    } catch (fault) {
      if (fault instanceof errors.JWSSignatureVerificationFailed) return refuse('signature', 'the signature is wrong');
      if (fault instanceof errors.JOSEError) return refuse('malformed', fault.message);
      return refuse('unknown-key', describeFault(fault));
    }
    const claims = readClaims(payload);
    if (claims === undefined) return refuse('malformed', 'a claim is missing or of another type');
    return this.#refusalOf(claims) ?? { kind, claims };
  }

  #refusalOf({ iss, aud, iat, exp }: SignedClaims): { refusal: Refusal } | undefined {
    const { issuer, audience, skewMs, clock } = this.#options;
    if (iss !== issuer) return refuse('issuer', `it is from ${shown(iss)}, not ${shown(issuer)}`);
    if (aud !== audience) return refuse('audience', `it is for ${shown(aud)}, this gateway is ${shown(audience)}`);
    const now = clock.now();
    if (exp * 1000 + skewMs <= now) return refuse('expired', `it expired ${Math.round(now / 1000 - exp)} s ago`);
    if (iat * 1000 - skewMs > now) return refuse('not-yet', `it is from ${Math.round(iat - now / 1000)} s ahead`);
    return undefined;
  }
}

function refuse(reason: RefusalReason, detail: string): { refusal: Refusal } {
  return { refusal: { reason, detail } };
}

function headerOf(jws: string): { alg?: unknown; kid?: unknown; typ?: unknown } | undefined {
  try {
    return decodeProtectedHeader(jws);
  } catch {
    return undefined;
  }
}

function readClaims(payload: Uint8Array): SignedClaims | undefined {
  const value = parseJson(textOf(payload));
  if (!isRecord(value)) return undefined;
  const { iss, aud, iat, exp, jti, epoch, counter, sequence, body } = value;
  if (typeof iss !== 'string' || typeof aud !== 'string' || typeof jti !== 'string') return undefined;
  if (!isTime(iat) || !isTime(exp) || !isCount(epoch) || !isCount(counter) || !isCount(sequence)) return undefined;
  return { iss, aud, iat, exp, jti, epoch, counter, sequence, body };
}

/** Text that is not UTF-8 is no JSON either. */
function textOf(payload: Uint8Array): string {
  try {
    return decoder.decode(payload);
  } catch {
    return '';
  }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Something from outside, short enough for a log. */
function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'missing').slice(0, 100);
}
