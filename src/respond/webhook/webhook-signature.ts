import { createHmac, createPrivateKey, sign, type KeyObject } from 'node:crypto';

const SECRET_PREFIX = 'whsec_';
/** What Standard Webhooks allows for a secret, bytes. */
const MIN_SECRET_BYTES = 24;
const MAX_SECRET_BYTES = 64;

/** What a webhook is signed with: each secret gives a signature, so that one can be replaced without a gap. */
export interface WebhookKeys {
  secrets: readonly Buffer[];
  /** Ed25519. */
  privateKey?: KeyObject | undefined;
}

/**
 * Value of `webhook-signature` by Standard Webhooks 1.0.2: `v1` is HMAC-SHA256 by each secret, `v1a` is Ed25519.
 *
 * @param id value of `webhook-id`
 * @param timestampS value of `webhook-timestamp`, seconds since the epoch
 */
export function webhookSignature(
  { secrets, privateKey }: WebhookKeys,
  id: string,
  timestampS: number,
  body: string,
): string {
  const signed = Buffer.from(`${id}.${timestampS}.${body}`);
  const signatures = secrets.map((secret) => `v1,${createHmac('sha256', secret).update(signed).digest('base64')}`);
  if (privateKey !== undefined) signatures.push(`v1a,${sign(null, signed, privateKey).toString('base64')}`);
  return signatures.join(' ');
}

/**
 * Reads one or more secrets, separated by white space: `whsec_` and base64 of 24 to 64 bytes.
 *
 * @throws Error that says what is wrong with which of them, without repeating it
 */
export function readWebhookSecrets(text: string): Buffer[] {
  const parts = text.split(/\s+/).filter((part) => part !== '');
  if (parts.length === 0) throw new Error('holds no secret');
  return parts.map((part, i) => {
    const where = parts.length === 1 ? 'the secret' : `secret ${i + 1}`;
    if (!part.startsWith(SECRET_PREFIX)) throw new Error(`${where} does not begin with ${SECRET_PREFIX}`);
    const secret = Buffer.from(part.slice(SECRET_PREFIX.length), 'base64');
    if (secret.length < MIN_SECRET_BYTES || secret.length > MAX_SECRET_BYTES) {
      throw new Error(
        `${where} has ${secret.length} bytes; use ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} random ones`,
      );
    }
    return secret;
  });
}

/** Reads an Ed25519 private key (PEM). @throws Error that says what is wrong */
export function readWebhookKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new Error('is no private key in PEM; make one with "openssl genpkey -algorithm ed25519"');
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new Error(`is a key of type ${key.asymmetricKeyType}, not ed25519`);
  return key;
}
