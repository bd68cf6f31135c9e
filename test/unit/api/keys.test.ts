import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { loadKeys } from '../../../src/api/keys.js';
import type { KeyConfig } from '../../../src/config.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const directory = temporaryDirectory();
afterAll(directory.remove);

const key = (change: Partial<KeyConfig>): KeyConfig => ({
  id: 'k',
  role: 'viewer',
  tenant: 'default',
  streams: [],
  agents: ['*'],
  ...change,
});
const SECRET = 'a-secret-of-some-length';

describe('loadKeys', () => {
  it('reads secrets from the environment, a file, or takes a digest', () => {
    const file = join(directory.path, 'secret');
    writeFileSync(file, 'the-secret-in-the-file\n');
    const secretSha256 = createHash('sha256').update('only-its-digest-is-here').digest('hex');
    const ring = loadKeys(
      [
        key({ id: 'env', secretEnv: 'MY_KEY' }),
        key({ id: 'file', secretFile: file }),
        key({ id: 'sha', secretSha256, role: 'gateway', tenant: 'acme', streams: ['action'], agents: ['a-*'] }),
      ],
      { MY_KEY: SECRET },
    );
    expect(ring.size).toBe(3);
    expect(ring.authenticate(`Bearer ${SECRET}`)?.id).toBe('env');
    expect(ring.authenticate('bearer the-secret-in-the-file')?.id).toBe('file');
    expect(ring.authenticate('Bearer only-its-digest-is-here')).toEqual({
      id: 'sha',
      role: 'gateway',
      tenant: 'acme',
      streams: new Set(['action']),
      agents: ['a-*'],
    });
  });

  it.each([
    undefined,
    '',
    SECRET,
    'Bearer',
    'Bearer ',
    `Basic ${SECRET}`,
    `Bearer ${SECRET}x`,
    `Bearer ${'x'.repeat(5_000)}`,
  ])('knows nobody by %j', (header) => {
    expect(loadKeys([key({ secretEnv: 'MY_KEY' })], { MY_KEY: SECRET }).authenticate(header)).toBeUndefined();
  });

  it.each<[string, KeyConfig[]]>([
    ['MISSING: is not set', [key({ secretEnv: 'MISSING' })]],
    ['holds 5 characters', [key({ secretEnv: 'SHORT' })]],
    ['cannot be read', [key({ secretFile: join(directory.path, 'nothing') })]],
    ['needs at least one stream', [key({ secretEnv: 'MY_KEY', role: 'ingest' })]],
    ['id: use letters', [key({ secretEnv: 'MY_KEY', id: 'a/b' })]],
    ['is used twice', [key({ secretEnv: 'MY_KEY' }), key({ secretEnv: 'OTHER' })]],
    ['has the same secret as "k"', [key({ secretEnv: 'MY_KEY' }), key({ id: 'l', secretEnv: 'MY_KEY' })]],
  ])('refuses: %s', (message, configs) => {
    const env = { MY_KEY: SECRET, SHORT: 'short', OTHER: 'another-long-secret' };
    const load = () => loadKeys(configs, env);
    expect(load).toThrow(message);
    expect(load).not.toThrow(SECRET);
  });
});
