import { createHmac, generateKeyPairSync, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  readWebhookKey,
  readWebhookSecrets,
  webhookSignature,
} from '../../../../src/respond/webhook/webhook-signature.js';

const pem = (type: 'ed25519' | 'x25519') => {
  // The types do not take the name of either kind.
  const { privateKey, publicKey } = type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519');
  return { publicKey, text: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
};
const secret = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`;

describe('the signature of a webhook', () => {
  it('is that of the standard’s own example', () => {
    // standard-webhooks/standard-webhooks, spec/standard-webhooks.md, "Signature scheme".
    const keys = { secrets: [Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')] };
    const body = '{"test": 2432232314}';
    expect(webhookSignature(keys, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, body)).toBe(
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    );
  });

  it('has one part for each secret and one for the key, and changes with id, time and body', () => {
    const { text, publicKey } = pem('ed25519');
    const secrets = readWebhookSecrets(`${secret(24)}\n ${secret(64)} `);
    const keys = { secrets, privateKey: readWebhookKey(text) };
    const parts = webhookSignature(keys, 'id', 5, 'body').split(' ');
    const signed = Buffer.from('id.5.body');
    expect(parts.slice(0, 2)).toEqual(
      secrets.map((one) => `v1,${createHmac('sha256', one).update(signed).digest('base64')}`),
    );
    const [version, signature = ''] = (parts[2] ?? '').split(',');
    expect(version).toBe('v1a');
    expect(verify(null, signed, publicKey, Buffer.from(signature, 'base64'))).toBe(true);
    const others = [webhookSignature(keys, 'ie', 5, 'body'), webhookSignature(keys, 'id', 6, 'body')];
    for (const other of [...others, webhookSignature(keys, 'id', 5, 'bodz')]) {
      for (const part of other.split(' ')) expect(parts).not.toContain(part);
    }
  });

  it.each([
    ['', /holds no secret/],
    ['geheim-geheim-geheim-geheim', /does not begin with whsec_/],
    [secret(23), /has 23 bytes/],
    [`${secret(24)} ${secret(65)}`, /secret 2 has 65 bytes/],
  ])('refuses the secret %j without repeating it', (text, reason) => {
    const read = () => readWebhookSecrets(text);
    expect(read).toThrow(reason);
    expect(read).not.toThrow(text === '' ? 'whsec_BwcH' : text);
  });

  it('refuses what is no Ed25519 key', () => {
    expect(() => readWebhookKey('nonsense')).toThrow(/no private key in PEM/);
    expect(() => readWebhookKey(pem('x25519').text)).toThrow(/of type x25519, not ed25519/);
  });
});
