import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { signedText } from '../../src/api/signed-batches.js';
import { prompt, startApi, type ApiStack } from '../support/api-stack.js';

const PATH = '/v1/observations';
const own = generateKeyPairSync('ed25519');
const foreign = generateKeyPairSync('ed25519');

let stack: ApiStack;
let troubles: { principalId: string; kind: string; count?: number; detail: string }[];
let isLogFull: boolean;

beforeEach(async () => {
  troubles = [];
  isLogFull = false;
  stack = await startApi({
    batches: {
      emitters: new Map([
        ['runtime', { publicKeys: new Map([['k1', own.publicKey]]), required: true }],
        ['all', { publicKeys: new Map([['k1', own.publicKey]]), required: false }],
      ]),
      sequences: new Map([['all', 40]]),
      trouble: (principal, trouble) => troubles.push({ principalId: principal.id, ...trouble }),
    },
    log: (log) => ({
      append: (records) =>
        isLogFull ? Promise.reject(Object.assign(new Error('full'), { code: 'LOG_FULL' })) : log.append(records),
    }),
  });
});

afterEach(() => stack.close());

interface Sent {
  key?: string;
  path?: string;
  body?: string;
  privateKey?: KeyObject;
  keyId?: string;
  /** What is signed, where it is not what is sent. */
  signed?: { path?: string; body?: string; sequence?: number };
  gzip?: boolean;
  headers?: Record<string, string>;
}

function send(sequence: number, sent: Sent = {}): Promise<Response> {
  const { path = PATH, body = JSON.stringify([prompt({ id: `p${sequence}` })]), signed = {} } = sent;
  const text = signedText(
    { method: 'POST', path: signed.path ?? path, body: Buffer.from(signed.body ?? body) },
    signed.sequence ?? sequence,
  );
  return stack.post(path, sent.gzip === true ? gzipSync(body) : body, {
    key: sent.key ?? 'runtime',
    headers: {
      'parallax-key-id': sent.keyId ?? 'k1',
      'parallax-sequence': String(sequence),
      'parallax-signature': sign(null, text, sent.privateKey ?? own.privateKey).toString('base64'),
      ...(sent.gzip === true ? { 'content-encoding': 'gzip' } : {}),
      ...sent.headers,
    },
  });
}

const observations = () => stack.logged().filter(({ type }) => type === 'observation').length;

it('takes batches that are signed and numbered, compressed or not', async () => {
  for (const [sequence, gzip] of [
    [1, false],
    [2, true],
    [3, false],
  ] as const) {
    expect((await send(sequence, { gzip })).status).toBe(200);
  }
  expect(observations()).toBe(3);
  expect(troubles).toEqual([]);
});

it.each<[string, Sent]>([
  ['another body', { signed: { body: '[]' } }],
  ['another path', { signed: { path: '/v1/logs' } }],
  ['another number', { signed: { sequence: 7 } }],
  ['another key', { privateKey: foreign.privateKey }],
  ['an unknown key', { keyId: 'k2' }],
  ['a signature that is none', { headers: { 'parallax-signature': 'AAAA' } }],
  ['a number that is none', { headers: { 'parallax-sequence': '-1' } }],
])('refuses what was signed with %s, and says so', async (_, sent) => {
  const answer = await send(1, sent);
  expect(answer.status).toBe(401);
  expect(await answer.json()).toMatchObject({ error: { code: 'signature' } });
  expect(troubles).toMatchObject([{ principalId: 'runtime', kind: 'bad-signature' }]);
  expect(observations()).toBe(0);
});

it('refuses what is not signed where that is required, on every way in', async () => {
  const otlp = { key: 'runtime', type: 'application/json' };
  for (const path of [PATH, '/v1/logs', '/v1/traces', '/v1/metrics', '/v1/sources/litellm']) {
    expect((await stack.post(path, {}, otlp)).status).toBe(401);
  }
  expect(troubles).toHaveLength(5);
  // Where it is not required, only what claims to be signed is checked.
  expect((await stack.post(PATH, prompt(), { key: 'all' })).status).toBe(200);
  expect((await send(41, { key: 'all', privateKey: foreign.privateKey })).status).toBe(401);
  expect(troubles).toHaveLength(6);
});

it('refuses a batch that comes again, also one from before a restart', async () => {
  expect((await send(5)).status).toBe(200);
  const again = await send(5);
  expect(again.status).toBe(409);
  expect(await again.json()).toMatchObject({ error: { code: 'replayed' } });
  expect((await send(4)).status).toBe(409);
  expect((await send(40, { key: 'all' })).status).toBe(409);
  expect(troubles.map(({ kind }) => kind)).toEqual(['replay', 'replay', 'replay']);
  expect(observations()).toBe(1);
});

it('takes a batch after a gap, and says how many are missing', async () => {
  await send(1);
  expect((await send(5)).status).toBe(200);
  expect((await send(42, { key: 'all' })).status).toBe(200);
  expect(troubles).toMatchObject([
    { kind: 'gap', count: 3 },
    { kind: 'gap', count: 1 },
  ]);
});

it('lets a batch come again that was turned away', async () => {
  isLogFull = true;
  expect((await send(1)).status).toBe(503);
  isLogFull = false;
  expect((await send(1)).status).toBe(200);
  expect((await send(2, { body: '' })).status).toBe(400);
  expect((await send(2)).status).toBe(200);
  expect(troubles).toEqual([]);
});

it('does not vouch for events whose half lies in headers', async () => {
  const body = JSON.stringify({});
  const headers = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-type': 't', 'ce-source': 's' };
  const answer = await send(1, { path: '/v1/sources/cloudevents', body, headers });
  expect(answer.status).toBe(401);
});
