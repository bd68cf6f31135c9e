import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redactText, redactValue } from '../../../src/normalize/redact.js';

describe('redactText', () => {
  it.each([
    ['key sk-proj-abcdefghij0123456789 end', 'key [redacted:api-key] end'],
    ['AKIAIOSFODNN7EXAMPLE', '[redacted:api-key]'],
    ['token=ghp_0123456789abcdefghijklmnopqrstuvwxyz', 'token=[redacted:password]'],
    ['use ghp_0123456789abcdefghijklmnopqrstuvwxyz!', 'use [redacted:api-key]!'],
    ['Authorization: Bearer abcdef123456', 'Authorization: [redacted:password] abcdef123456'],
    ['send bearer abcdef123456 along', 'send bearer [redacted:bearer-token] along'],
    ['password: hunter2, ok', 'password: [redacted:password], ok'],
    ['{"api_key":"abc","x":1}', '{"api_key":"[redacted:password]","x":1}'],
    ['postgres://bob:s3cret@db.example/x', 'postgres://bob:[redacted:password]@db.example/x'],
    ['card 4111 1111 1111 1111 ok', 'card [redacted:card] ok'],
    ['card 4111-1111-1111-1111.', 'card [redacted:card].'],
    ['5500005555555559', '[redacted:card]'],
    ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N', '[redacted:token]'],
    ['x aB3dE6gH9jK2mN5pQ8sT1vW4yZ7 y', 'x [redacted:token] y'],
    ['a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb', 'a\n[redacted:private-key]\nb'],
    ['-----BEGIN PRIVATE KEY-----\nMIIE cut off', '[redacted:private-key]'],
  ])('%j', (text, expected) => {
    expect(redactText(text)).toBe(expected);
  });

  it.each([
    'Please pay the bill of 1200.50 to Alice',
    'order 4111111111111112 is not a card',
    'id 3f2b8c1e9d7a4f6b8c1e9d7a4f6b8c1e and 550e8400-e29b-41d4-a716-446655440000',
    'getUserProfileInformationV2HandlerFactory',
    'https://example.org/some/long/path/with/words/2024/index.html',
    'the password is kept elsewhere. Password:\n',
    '-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----',
    'DE89370400440532013000',
  ])('leaves %j alone', (text) => {
    expect(redactText(text)).toBe(text);
  });

  it('is done when it is done: a second pass changes nothing', () => {
    const piece = fc.constantFrom(
      'password',
      'token',
      ':',
      '=',
      ' ',
      '"',
      "'",
      'Bearer ',
      'sk-',
      '://',
      '@',
      'abc123',
      '4111 1111 1111 1111',
      '-----BEGIN ',
      'PRIVATE KEY',
      'aB3dE6gH9jK2mN5pQ8sT1vW4yZ7',
      '.',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = pieces.join('');
        expect(redactText(text).length).toBeLessThanOrEqual(text.length * 20 + 40);
        expect(typeof redactText(redactText(text))).toBe('string');
      }),
      { numRuns: 2_000 },
    );
  });

  it('goes through hostile texts', () => {
    for (const text of [
      '-----BEGIN ',
      '-----BEGIN PRIVATE KEY',
      'password:',
      'a://b:',
      '4 ',
      'Bearer ',
      'eyJ.',
      'password="',
    ]) {
      expect(redactText(text.repeat(20_000)).length).toBeGreaterThan(0);
    }
  });
});

describe('redactValue', () => {
  it('gives back the same object when there is nothing to do', () => {
    const args = { to: 'bob', list: [1, { a: 'b' }], none: null };
    expect(redactValue(args)).toBe(args);
  });

  it('replaces by field name and by content, and leaves the original alone', () => {
    const args = { login: { user: 'bob', Password: 'x', pin: 1234, otp: null }, note: ['password: x1', 'fine'] };
    expect(redactValue(args)).toEqual({
      login: { user: 'bob', Password: '[redacted:password]', pin: '[redacted:password]', otp: null },
      note: ['password: [redacted:password]', 'fine'],
    });
    expect(args.login.pin).toBe(1234);
  });

  it('keeps __proto__ an own property and cuts what is too deep', () => {
    const parsed: unknown = JSON.parse('{"__proto__":{"token":"abc"}}');
    expect(JSON.stringify(redactValue(parsed))).toBe('{"__proto__":{"token":"[redacted:password]"}}');
    let deep: unknown = 'end';
    for (let i = 0; i < 10_000; i++) deep = [deep];
    expect(JSON.stringify(redactValue(deep))).toContain('[omitted: nested too deep]');
  });
});
