import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compactVerify, createLocalJWKSet, decodeJwt, decodeProtectedHeader } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/lib/clock.js';
import type { SigningAlgorithm } from '../../../src/model/signed-message.js';
import { oneEpoch } from '../../../src/signing/epoch.js';
import { JwsSigner } from '../../../src/signing/jws-signer.js';
import { KeyRing } from '../../../src/signing/key-ring.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const OVERLAP_MS = 10_000;
const START_MS = 1_700_000_000_000;

describe('the signing keys', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let clock: ManualClock;
  const file = () => join(directory.path, 'keys', 'signing.json');
  const open = (algorithm: SigningAlgorithm = 'EdDSA') =>
    KeyRing.open({ file: file(), algorithm, overlapMs: OVERLAP_MS, clock });
  const kids = (ring: KeyRing) => ring.published().keys.map((key) => key.kid);
  const sign = (ring: KeyRing) =>
    new JwsSigner({ keys: ring, issuer: 'parallax', epochs: oneEpoch(7, 0), lifetimeMs: 60_000, clock }).sign({
      kind: 'restriction',
      audience: 'gw',
      sequence: 3,
      body: { agentId: 'a' },
    });
  const verify = (ring: KeyRing, jws: string) => compactVerify(jws, createLocalJWKSet(ring.published()));

  beforeEach(() => {
    directory = temporaryDirectory();
    clock = new ManualClock(START_MS);
  });
  afterEach(() => directory.remove());

  it.each(['EdDSA', 'RS256'] as const)('signs with %s, and publishes what verifies it', async (algorithm) => {
    const ring = await open(algorithm);
    const jws = await sign(ring);
    const { payload } = await verify(ring, jws);
    expect(decodeProtectedHeader(jws)).toEqual({ alg: algorithm, kid: kids(ring)[0], typ: 'parallax-restriction+jwt' });
    expect(JSON.parse(Buffer.from(payload).toString())).toEqual({
      iss: 'parallax',
      aud: 'gw',
      iat: START_MS / 1000,
      exp: START_MS / 1000 + 60,
      jti: '7.gw.1',
      epoch: 7,
      counter: 1,
      sequence: 3,
      body: { agentId: 'a' },
    });
  });

  it('keeps the private key in a file of the owner’s alone, and publishes no part of it', async () => {
    const ring = await open();
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    const stored = readFileSync(file(), 'utf8');
    const secret = /"d": "([^"]+)"/.exec(stored)?.[1] ?? '';
    expect(secret.length).toBeGreaterThan(20);
    expect(JSON.stringify(ring.published())).not.toContain(secret);
    expect(ring.published().keys.every((key) => key.d === undefined && key.alg === 'EdDSA')).toBe(true);
  });

  it('is the same after a restart', async () => {
    const first = await open();
    const jws = await sign(first);
    const second = await open();
    expect(kids(second)).toEqual(kids(first));
    await expect(verify(second, jws)).resolves.toBeDefined();
  });

  it('signs with a new key at once, publishes the old one for the overlap, and forgets how to sign with it', async () => {
    const ring = await open();
    const before = await sign(ring);
    const [old] = kids(ring);
    const { kid } = await ring.rotate(0);
    expect(kids(ring)).toEqual([old, kid]);
    expect(decodeProtectedHeader(await sign(ring)).kid).toBe(kid);
    await expect(verify(ring, before)).resolves.toBeDefined();
    expect(readFileSync(file(), 'utf8').match(/"d":/g)).toHaveLength(1);
    clock.advance(OVERLAP_MS);
    expect(kids(ring)).toEqual([kid]);
    await expect(verify(ring, before)).rejects.toThrow('no applicable key found');
  });

  it('publishes a key ahead of its time, also over a restart', async () => {
    const ring = await open();
    const [old] = kids(ring);
    const { kid, activeFrom } = await ring.rotate(60_000);
    expect(activeFrom).toBe(START_MS + 60_000);
    expect(kids(ring)).toEqual([old, kid]);
    expect(ring.active().kid).toBe(old);
    const reopened = await open();
    expect(reopened.active().kid).toBe(old);
    clock.advance(60_000);
    expect(reopened.active().kid).toBe(kid);
    expect(kids(reopened)).toEqual([old, kid]);
    clock.advance(OVERLAP_MS);
    expect(kids(reopened)).toEqual([kid]);
  });

  it('keeps signing when the clock goes back behind a rotation', async () => {
    const ring = await open();
    const { kid } = await ring.rotate(0);
    clock.advance(-3_600_000);
    expect(ring.active().kid).toBe(kid);
  });

  it('rotates when the configuration asks for another algorithm', async () => {
    const [old] = kids(await open('EdDSA'));
    const ring = await open('RS256');
    expect(kids(ring)).toEqual([old, ring.active().kid]);
    expect(ring.active().alg).toBe('RS256');
  });

  it('refuses a damaged file and says what to do, without quoting it', async () => {
    await open();
    writeFileSync(file(), readFileSync(file(), 'utf8').replace('"kid"', '"kit"'));
    const message = await open().catch((error: unknown) => String(error));
    expect(message).toContain(`${file()}: holds no signing keys that can be read`);
    expect(message).not.toMatch(/"[dx]"/);
  });
});

describe('the counter', () => {
  it('rises for each audience alone', async () => {
    const directory = temporaryDirectory();
    const clock = new ManualClock(START_MS);
    const options = { file: join(directory.path, 'k'), algorithm: 'EdDSA' as const, overlapMs: 1, clock };
    const keys = await KeyRing.open(options);
    const signer = new JwsSigner({ keys, issuer: 'parallax', epochs: oneEpoch(1, 0), lifetimeMs: 1_000, clock });
    const counterFor = async (audience: string) => {
      const claims = decodeJwt(await signer.sign({ kind: 'alive', audience, sequence: 0, body: {} }));
      return claims['counter'];
    };
    const seen = [await counterFor('a'), await counterFor('b'), await counterFor('a'), await counterFor('a')];
    expect(seen).toEqual([1, 1, 2, 3]);
    directory.remove();
  });
});
