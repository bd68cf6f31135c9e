/**
 * What a signed message says. The kind is part of its JOSE `typ`, so that none can be taken for another, nor for a
 * token that somebody made for another purpose.
 *
 * `state`: everything restricted now; `restriction`: one agent's full restrictions; `command`: one command as it stands;
 * `alive`: nothing new up to this place.
 */
export const SIGNED_KINDS = ['state', 'restriction', 'command', 'alive'] as const;
export type SignedKind = (typeof SIGNED_KINDS)[number];

export const SIGNING_ALGORITHMS = ['EdDSA', 'RS256'] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** Where gateways find the public keys. */
export const JWKS_PATH = '/.well-known/jwks.json';

/** Who signs, where an install gives itself no name. */
export const DEFAULT_ISSUER = 'parallax';

/**
 * What an outside system is told, under a kind that no gateway takes in: that scoring goes on.
 */
export const HEARTBEAT_KIND = 'heartbeat';

/** The JOSE `typ` of a kind. */
export function typeOf(kind: SignedKind | typeof HEARTBEAT_KIND): string {
  return `parallax-${kind}+jwt`;
}

/** The payload of a message, a compact JWS. */
export interface SignedClaims {
  iss: string;
  /** Id of the key of the gateway that it is for. */
  aud: string;
  /** Seconds since the epoch, as in every JWT. */
  iat: number;
  exp: number;
  jti: string;
  /** Generation of the observer: rises with every start. */
  epoch: number;
  /** Rises with every message to this audience within an epoch, so that none can be played twice. */
  counter: number;
  /** Place in the observer's outbox up to which the body is true. The same change keeps it however often it is sent. */
  sequence: number;
  body: unknown;
}
