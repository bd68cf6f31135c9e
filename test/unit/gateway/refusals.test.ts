import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RefusalReason } from '../../../src/gateway/port.js';
import { typeOf } from '../../../src/model/signed-message.js';
import { eventually } from '../../support/eventually.js';
import { FakeObserver, rawEvent, sse } from '../../support/fake-observer.js';
import { encode, newTestKey, publishedKeys, signMessage, TEST_KEY } from '../../support/message-signing.js';
import { kitFor, revoked } from './kit.js';

const EPOCH = 5;
const DAY_S = 86_400;
const STRANGER = newTestKey('stranger');
/** Published beside the first, but for another algorithm. */
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });
const nowS = () => Math.floor(Date.now() / 1000);
/** What every attack wants: all is free again. Of the epoch in force, newer than everything, unless changed. */
const free = (change: Parameters<typeof signMessage>[3] = {}) =>
  signMessage('state', { restrictions: [] }, 90, { ...change, claims: { epoch: EPOCH, ...change.claims } });

function resigned(change: (parts: { header: Record<string, unknown>; payload: string }) => string): string {
  const [header = '', payload = ''] = free().split('.');
  const decoded: unknown = JSON.parse(Buffer.from(header, 'base64url').toString());
  return change({ header: { ...(decoded as Record<string, unknown>) }, payload });
}

function hmacWithPublicKey(): string {
  const pem = createPublicKey(TEST_KEY.privateKey).export({ type: 'spki', format: 'pem' });
  return resigned(({ header, payload }) => {
    const signed = `${encode({ ...header, alg: 'HS256' })}.${payload}`;
    return `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`;
  });
}

const CORPUS: [string, RefusalReason, () => string][] = [
  ['no JWS', 'malformed', () => 'nonsense'],
  ['plain JSON', 'malformed', () => JSON.stringify({ restrictions: [] })],
  ['a cut signature', 'signature', () => free().slice(0, -6)],
  ['a cut payload', 'malformed', () => free().split('.').slice(0, 2).join('.')],
  [
    'alg none',
    'algorithm',
    () => resigned(({ header, payload }) => `${encode({ ...header, alg: 'none' })}.${payload}.`),
  ],
  ['an HMAC made with the public key', 'algorithm', hmacWithPublicKey],
  [
    'the algorithm of another key',
    'algorithm',
    () => {
      return resigned(({ header, payload }) => {
        const signed = `${encode({ ...header, alg: 'RS256' })}.${payload}`;
        return `${signed}.${sign('sha256', Buffer.from(signed), RSA.privateKey).toString('base64url')}`;
      });
    },
  ],
  ['a critical extension', 'malformed', () => free({ header: { crit: ['x'], x: 1 } })],
  ['no key named', 'unknown-key', () => free({ header: { kid: undefined } })],
  ['a key that is not published', 'unknown-key', () => free({ key: STRANGER })],
  ['another key under a published name', 'signature', () => free({ key: { ...STRANGER, kid: TEST_KEY.kid } })],
  [
    'its own public key in the header',
    'signature',
    () => free({ key: { ...STRANGER, kid: TEST_KEY.kid }, header: { jwk: publishedKeys(STRANGER).keys[0] } }),
  ],
  [
    'a changed payload',
    'signature',
    () => resigned(({ header, payload }) => `${encode(header)}.${payload}AA.${free().split('.')[2] ?? ''}`),
  ],
  ['a token made for something else', 'type', () => free({ header: { typ: 'JWT' } })],
  ['a message of another kind', 'type', () => free({ header: { typ: typeOf('restriction') } })],
  ['another issuer', 'issuer', () => free({ claims: { iss: 'somebody' } })],
  ['another gateway’s message', 'audience', () => free({ claims: { aud: 'another' } })],
  ['an expired message', 'expired', () => free({ claims: { iat: nowS() - 600, exp: nowS() - 61 } })],
  ['a message of yesterday', 'expired', () => free({ claims: { iat: nowS() - DAY_S, exp: nowS() - DAY_S + 60 } })],
  ['a message from the future', 'not-yet', () => free({ claims: { iat: nowS() + 120, exp: nowS() + 180 } })],
  ['an older epoch', 'older-epoch', () => free({ claims: { epoch: EPOCH - 1 } })],
  ['no epoch', 'malformed', () => free({ claims: { epoch: undefined as never } })],
  ['an epoch that is no number', 'malformed', () => free({ claims: { epoch: '9' as never } })],
  ['a counter that is no whole number', 'malformed', () => free({ claims: { counter: 0.5 } })],
  ['counter nought', 'replayed', () => free({ claims: { counter: 0 } })],
  [
    'a payload that is no JSON',
    'malformed',
    () => resigned(({ header }) => signedText(header, Buffer.from('{x').toString('base64url'))),
  ],
  [
    'a payload that is not UTF-8',
    'malformed',
    () => resigned(({ header }) => signedText(header, Buffer.from([0xff, 0xfe]).toString('base64url'))),
  ],
  [
    'a state of another shape',
    'malformed',
    () => signMessage('state', { restrictions: [{}] }, 90, { claims: { epoch: EPOCH } }),
  ],
];

function signedText(header: Record<string, unknown>, payload: string): string {
  const signed = `${encode(header)}.${payload}`;
  return `${signed}.${sign(null, Buffer.from(signed), TEST_KEY.privateKey).toString('base64url')}`;
}

describe('messages that are not the observer’s, not for this gateway or not of now', () => {
  let observer: FakeObserver;
  let made: ReturnType<typeof kitFor>;
  const isRevoked = () => made.kit.restrictionOn('a', 's1', 'read') !== undefined;
  const inForce = () => sse('state', { restrictions: [revoked(1, 's1')] }, 10, { claims: { epoch: EPOCH } });

  beforeEach(async () => {
    observer = await new FakeObserver().start();
    observer.publicKeys = {
      keys: [...publishedKeys(TEST_KEY).keys, { ...RSA.publicKey.export({ format: 'jwk' }), kid: 'rsa', alg: 'RS256' }],
    };
    observer.greeting = inForce;
    made = kitFor(observer.url, { limits: { retryBaseMs: 5, retryMaxMs: 20, keyRefetchMs: 0 } });
    await made.kit.subscribe();
  });
  afterEach(async () => {
    await made.kit.close(0);
    await observer.stop();
  });

  it.each(CORPUS)('%s is refused: %s', async (_name, reason, make) => {
    expect(isRevoked()).toBe(true);
    observer.write(rawEvent('state', make(), 90));
    await eventually('it is refused', () => made.kit.refusals()[reason] > 0);
    expect(made.events).toContainEqual({ type: 'message-refused', reason, detail: expect.any(String) });
    expect(made.kit.counters().messagesRefused).toBe(1);
    if (reason !== 'replayed') await eventually('a new connection', () => made.kit.counters().streamConnects === 2);
    expect(isRevoked()).toBe(true);
  });

  it('a change of a new epoch before its full state is refused, and the full state asked for', async () => {
    observer.greeting = () =>
      sse('state', { restrictions: [revoked(2, 's1', 's2')] }, 12, { claims: { epoch: EPOCH + 1 } });
    observer.write(sse('restriction', revoked(2), 11, { claims: { epoch: EPOCH + 1 } }));
    await eventually('the new state', () => made.kit.restrictionOn('a', 's2', 'read') !== undefined);
    expect(made.kit.refusals()['unknown-epoch']).toBe(1);
    expect(observer.subscriptions.at(-1)).toEqual({ lastEventId: undefined });
    expect(isRevoked()).toBe(true);
  });

  it('the same message a second time changes nothing, and the stream goes on', async () => {
    const lifted = sse('restriction', revoked(2), 11, { claims: { epoch: EPOCH } });
    observer.write(lifted);
    await eventually('it is lifted', () => !isRevoked());
    observer.write(sse('restriction', revoked(3, 's1'), 12, { claims: { epoch: EPOCH } }));
    await eventually('it is revoked again', isRevoked);
    observer.write(lifted + lifted);
    await eventually('both are refused', () => made.kit.refusals().replayed === 2);
    expect(isRevoked()).toBe(true);
    expect(made.kit.counters().streamLosses).toBe(0);
  });

  it.each([
    ['59 s ahead', 59, true],
    ['59 s behind', -59, true],
    ['two minutes ahead', 121, false],
    ['three minutes behind', -181, false],
  ])('a clock of the gateway %s of the observer’s', async (_name, aheadS, isTaken) => {
    await made.kit.close(0);
    made = kitFor(observer.url, { clock: { now: () => Date.now() + aheadS * 1000 } });
    const subscribed = made.kit.subscribe();
    await eventually('taken or refused', () => isRevoked() || made.kit.counters().messagesRefused > 0);
    expect(isRevoked()).toBe(isTaken);
    await made.kit.close(0);
    expect(await subscribed).toBe(isTaken);
  });
});

describe('the observer’s keys', () => {
  let observer: FakeObserver;
  let made: ReturnType<typeof kitFor>;
  const [second, third] = [newTestKey('second'), newTestKey('third')];
  const isRevoked = (sessionId: string) => made.kit.restrictionOn('a', sessionId, 'read') !== undefined;

  beforeEach(async () => {
    observer = await new FakeObserver().start();
    observer.greeting = () => sse('state', { restrictions: [revoked(1, 's1')] }, 10);
  });
  afterEach(async () => {
    await made.kit.close(0);
    await observer.stop();
  });

  it('are asked for once, and again when an unknown one is named', async () => {
    made = kitFor(observer.url, { limits: { retryBaseMs: 5, retryMaxMs: 20, keyRefetchMs: 0 } });
    await made.kit.subscribe();
    expect(observer.keyRequests).toBe(1);
    observer.write(sse('restriction', revoked(2, 's1', 's2'), 11));
    await eventually('the first key still', () => isRevoked('s2'));
    expect(observer.keyRequests).toBe(1);
    observer.publicKeys = publishedKeys(TEST_KEY, second);
    observer.write(sse('restriction', revoked(3, 's1', 's3'), 12, { key: second }));
    await eventually('the second key', () => isRevoked('s3'));
    expect(observer.keyRequests).toBe(2);
    expect(made.kit.counters()).toMatchObject({ messagesRefused: 0, streamLosses: 0 });
  });

  it('are not asked for all the time, whatever is named', async () => {
    let elapsed = 0;
    made = kitFor(observer.url, {
      // Streams that bring nothing it believes would make it poll instead.
      delivery: 'stream',
      elapsedMs: () => elapsed,
      limits: { retryBaseMs: 1, retryMaxMs: 1, keyRefetchMs: 5_000 },
    });
    await made.kit.subscribe();
    observer.greeting = () => sse('restriction', revoked(3, 's3'), 12, { key: third });
    observer.cutStreams();
    await eventually('ten refusals', () => made.kit.refusals()['unknown-key'] >= 10);
    expect(observer.keyRequests).toBe(1);
    elapsed = 5_001;
    observer.publicKeys = publishedKeys(third);
    await eventually('the third key', () => isRevoked('s3'));
    expect(observer.keyRequests).toBe(2);
  });

  it('stop counting when they are no longer published', async () => {
    let elapsed = 0;
    made = kitFor(observer.url, {
      elapsedMs: () => elapsed,
      limits: { retryBaseMs: 5, retryMaxMs: 20, keyRefetchMs: 0 },
    });
    await made.kit.subscribe();
    observer.publicKeys = publishedKeys(second);
    elapsed = 10 * 60_000 + 1;
    observer.write(sse('alive', {}, 10));
    await eventually('they are asked for again', () => observer.keyRequests === 2);
    observer.write(sse('restriction', revoked(2), 11, { key: second }));
    await eventually('the second key', () => !isRevoked('s1'));
    observer.write(sse('restriction', revoked(3, 's4'), 12));
    await eventually('the first is unknown', () => made.kit.refusals()['unknown-key'] > 0);
    expect(isRevoked('s4')).toBe(false);
  });

  it('that are pinned count alone, and nothing is fetched', async () => {
    made = kitFor(observer.url, { pinnedKeys: publishedKeys(second) });
    observer.greeting = () => sse('state', { restrictions: [revoked(1, 's1')] }, 10, { key: second });
    await made.kit.subscribe();
    observer.publicKeys = publishedKeys(third);
    observer.write(sse('restriction', revoked(2), 11, { key: third }));
    await eventually('it is refused', () => made.kit.refusals()['unknown-key'] === 1);
    expect(isRevoked('s1')).toBe(true);
    expect(observer.keyRequests).toBe(0);
  });

  it.each([
    ['answers 503', { status: 503 }],
    ['cuts the connection', 'reset' as const],
    ['sends people elsewhere', { status: 302, headers: { location: 'http://127.0.0.1:1/keys' } }],
    ['publishes nonsense', { status: 200, body: '<html>' }],
    [
      'publishes secrets',
      { status: 200, body: JSON.stringify({ keys: [{ kty: 'oct', k: 'AAAA', kid: 'test-key' }] }) },
    ],
  ])('are asked for again when the observer %s', async (_name, fault) => {
    observer.faults.keys.push(fault);
    made = kitFor(observer.url, { limits: { retryBaseMs: 5, retryMaxMs: 20, keyRefetchMs: 0 } });
    expect(await made.kit.subscribe()).toBe(true);
    expect(made.kit.refusals()['unknown-key']).toBe(1);
    expect(isRevoked('s1')).toBe(true);
  });
});
