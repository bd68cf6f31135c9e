import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { beginEpoch } from '../../../src/signing/epoch.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const NOW_MS = 1_700_000_000_000;

describe('an epoch', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  const file = () => join(directory.path, 'epoch');
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => directory.remove());

  it('is on disk when it begins, and rises with every start, also within one moment', () => {
    const first = beginEpoch(file(), NOW_MS);
    expect(Number(readFileSync(file(), 'utf8'))).toBe(first);
    expect(beginEpoch(file(), NOW_MS)).toBe(first + 1);
  });

  it('rises although the clock went back', () => {
    const first = beginEpoch(file(), NOW_MS);
    expect(beginEpoch(file(), NOW_MS - 3_600_000)).toBe(first + 1);
  });

  it('rises although the directory was restored from an old copy', () => {
    beginEpoch(file(), NOW_MS);
    const copy = readFileSync(file(), 'utf8');
    const newest = beginEpoch(file(), NOW_MS + 60_000);
    writeFileSync(file(), copy);
    expect(beginEpoch(file(), NOW_MS + 120_000)).toBeGreaterThan(newest);
  });

  it.each(['', 'nonsense', '-1', '1e400'])('goes by the clock where the file holds %j', (text) => {
    writeFileSync(file(), text);
    expect(beginEpoch(file(), NOW_MS)).toBe(NOW_MS);
  });
});
