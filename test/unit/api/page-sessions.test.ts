import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadKeys, type KeyRing } from '../../../src/api/keys.js';
import { PageSessions, SESSION_MS } from '../../../src/api/page-sessions.js';
import { ManualClock } from '../../../src/lib/clock.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const SECRET = 'secret-of-the-analyst';

function ring(secret = SECRET, id = 'kim'): KeyRing {
  const secretSha256 = createHash('sha256').update(secret).digest('hex');
  return loadKeys([{ id, role: 'analyst', tenant: 'default', streams: [], agents: ['*'], secretSha256 }], {});
}

describe('sessions of the page', () => {
  const directory = temporaryDirectory();
  const file = join(directory.path, 'page-sessions.json');
  const clock = new ManualClock(1_000);
  const sessions = (keys = ring()) => new PageSessions({ keys, clock, file });
  afterEach(() => directory.remove());

  it('outlive a restart but not their key, their time or a damaged file, and give nothing away', () => {
    const opened = sessions().open(SECRET);
    const id = opened?.id ?? '';
    expect(opened?.principal.id).toBe('kim');
    const found = sessions().find(id);
    expect(found?.principal.role).toBe('analyst');
    expect(found?.token).toMatch(/^[\w-]{43}$/);

    const stored = readFileSync(file, 'utf8');
    for (const hidden of [id, SECRET, found?.token ?? '?', createHash('sha256').update(SECRET).digest('hex')]) {
      expect(stored).not.toContain(hidden);
    }
    expect(statSync(file).mode & 0o777).toBe(0o600);

    expect(sessions(ring('another-secret-for-kim')).find(id)).toBeUndefined();
    expect(sessions(ring(SECRET, 'lee')).find(id)).toBeUndefined();
    expect([undefined, '', 'x'.repeat(43)].map((other) => sessions().find(other))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    clock.advance(SESSION_MS - 1);
    expect(sessions().find(id)).toBeDefined();
    clock.advance(1);
    expect(sessions().find(id)).toBeUndefined();

    writeFileSync(file, '{"broken"');
    expect(sessions().find(id)).toBeUndefined();
    expect(sessions().open('not-the-secret-of-anybody')).toBeUndefined();
  });
});
