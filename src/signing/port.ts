import type { JSONWebKeySet } from 'jose';
import type { HEARTBEAT_KIND, SignedKind } from '../model/signed-message.js';

/** What is about to leave for a gateway. */
export interface OutgoingMessage {
  kind: SignedKind | typeof HEARTBEAT_KIND;
  /** Id of the key (or name of the target) that it is for. */
  audience: string;
  /** Place in the outbox up to which the body is true. */
  sequence: number;
  /** Written as JSON. */
  body: unknown;
}

/** Signs at the moment of delivery. A message that is sent again is signed again: its counter and expiry are new. */
export interface MessageSigner {
  /** @returns a compact JWS (RFC 7515); the payload is SignedClaims of model/signed-message.ts */
  sign(message: OutgoingMessage): Promise<string>;
}

/** A key as people are shown it. */
export interface ShownKey {
  kid: string;
  algorithm: string;
  /** It signs from here on, epoch ms. */
  activeFrom: number;
}

/** The keys that messages are signed with. */
export interface SigningKeys {
  /** Public keys: of what is signed now, of what was until a while ago, and of what soon will be. */
  published(): JSONWebKeySet;
  /**
   * Makes a new key and takes it into use. Resolves when it is on disk.
   *
   * @param leadMs time for which it is published before it signs, for gateways that pin keys; 0 uses it at once
   */
  rotate(leadMs: number): Promise<ShownKey>;
}

/** Which epoch a message belongs to. A new one begins with the full state alone. */
export interface Epochs {
  /** Epoch of the next message to an audience; one of kind `state` may begin a new one. A heartbeat begins none. */
  of(audience: string, kind: OutgoingMessage['kind']): number | Promise<number>;
  /** Whether a reader that was last told of the place `after` in the outbox may go on, or needs the full state. */
  mayResume(after: number, audience: string): boolean;
  /** For the status: the newest epoch begun here. */
  readonly newest: number;
}

/** Everything the API needs to send signed messages. */
export interface Signing {
  signer: MessageSigner;
  keys: SigningKeys;
  epochs: Pick<Epochs, 'mayResume'>;
}
