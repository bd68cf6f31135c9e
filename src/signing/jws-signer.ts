import { CompactSign } from 'jose';
import type { Clock } from '../lib/clock.js';
import { typeOf, type SignedClaims } from '../model/signed-message.js';
import type { ActiveKey } from './key-ring.js';
import type { Epochs, MessageSigner, OutgoingMessage } from './port.js';

export interface JwsSignerOptions {
  keys: { active(): ActiveKey };
  issuer: string;
  epochs: Pick<Epochs, 'of' | 'newest'>;
  /** How long a message may be taken in after it was signed, ms. */
  lifetimeMs: number;
  clock: Clock;
}

const encoder = new TextEncoder();

/** Signs messages as compact JWS. Counters rise by audience, so that none tells a gateway how much others are sent. */
export class JwsSigner implements MessageSigner {
  readonly #options: JwsSignerOptions;
  /** As many as there are keys of gateways and people. */
  readonly #counters = new Map<string, number>();
  #signed = 0;

  constructor(options: JwsSignerOptions) {
    this.#options = options;
  }

  async sign({ kind, audience, sequence, body }: OutgoingMessage): Promise<string> {
    const { keys, issuer, epochs, lifetimeMs, clock } = this.#options;
    const epoch = await epochs.of(audience, kind);
    const { kid, alg, key } = keys.active();
    const counter = (this.#counters.get(audience) ?? 0) + 1;
    this.#counters.set(audience, counter);
    this.#signed++;
    const now = clock.now();
    const claims: SignedClaims = {
      iss: issuer,
      aud: audience,
      iat: Math.floor(now / 1000),
      exp: Math.ceil((now + lifetimeMs) / 1000),
      jti: `${epoch}.${audience}.${counter}`,
      epoch,
      counter,
      sequence,
      body,
    };
    return new CompactSign(encoder.encode(JSON.stringify(claims)))
      .setProtectedHeader({ alg, kid, typ: typeOf(kind) })
      .sign(key);
  }

  /** For the status: which key signs, in which epoch, and how much it has signed. */
  status(): { algorithm: string; kid: string; epoch: number; signed: number } {
    const { alg, kid } = this.#options.keys.active();
    return { algorithm: alg, kid, epoch: this.#options.epochs.newest, signed: this.#signed };
  }
}
