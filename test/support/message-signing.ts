import { createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { DEFAULT_ISSUER, typeOf, type SignedClaims, type SignedKind } from '../../src/model/signed-message.js';

/** A key pair of the test's own. */
export interface TestKey {
  kid: string;
  privateKey: KeyObject;
}

/** Which the fake observer publishes and signs with. */
export const TEST_KEY = newTestKey('test-key');
/** Audience of what tests sign; kits in tests have this id. */
export const TEST_GATEWAY = 'gateway';

export interface MessageChange {
  kind?: SignedKind;
  key?: TestKey;
  header?: Record<string, unknown>;
  claims?: Partial<SignedClaims>;
}

let counter = 0;

export function newTestKey(kid: string): TestKey {
  return { kid, privateKey: generateKeyPairSync('ed25519').privateKey };
}

/** Public keys as an observer publishes them. */
export function publishedKeys(...keys: TestKey[]): { keys: Record<string, unknown>[] } {
  const publicJwk = ({ kid, privateKey }: TestKey) => {
    return { ...createPublicKey(privateKey).export({ format: 'jwk' }), kid, alg: 'EdDSA', use: 'sig' };
  };
  return { keys: keys.map(publicJwk) };
}

/**
 * A message as the observer signs it, made here without the library that the product uses. Counters rise with every
 * call.
 */
export function signMessage(kind: SignedKind, body: unknown, sequence: number, change: MessageChange = {}): string {
  const { key = TEST_KEY } = change;
  const iat = Math.floor(Date.now() / 1000);
  counter++;
  const claims: SignedClaims = {
    iss: DEFAULT_ISSUER,
    aud: TEST_GATEWAY,
    iat,
    exp: iat + 60,
    jti: `1.${counter}`,
    epoch: 1,
    counter,
    sequence,
    body,
    ...change.claims,
  };
  const header = { alg: 'EdDSA', kid: key.kid, typ: typeOf(kind), ...change.header };
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key.privateKey).toString('base64url')}`;
}

export function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
