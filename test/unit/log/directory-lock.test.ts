import { spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acquireDirectoryLock } from '../../../src/log/directory-lock.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

describe('the directory lock', () => {
  let directory: { path: string; remove: () => void };

  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => directory.remove());

  it('keeps a second owner out until it is released', () => {
    const lock = acquireDirectoryLock(directory.path);
    expect(() => acquireDirectoryLock(directory.path)).toThrow(/held by this process already/);
    lock.release();
    lock.release();
    const again = acquireDirectoryLock(directory.path);
    expect(readdirSync(directory.path)).toHaveLength(1);
    again.release();
    expect(readdirSync(directory.path)).toEqual([]);
  });

  it('takes over from a process that is gone, and from one whose number was used again', () => {
    // No process has this number; and this one's parent did not start at tick 1.
    writeFileSync(join(directory.path, 'owner-4194999-77.lock'), '');
    writeFileSync(join(directory.path, `owner-${process.ppid}-1.lock`), '');
    writeFileSync(join(directory.path, 'owner-notes.txt'), 'not a lock');
    acquireDirectoryLock(directory.path);
    expect(readdirSync(directory.path).filter((name) => name.endsWith('.lock'))).toEqual([
      expect.stringMatching(`owner-${process.pid}-`),
    ]);
  });

  it('names the living process that holds the directory, and leaves nothing behind', async () => {
    const source = new URL('../../../dist/src/log/directory-lock.js', import.meta.url).href;
    const script = `const { acquireDirectoryLock } = await import(${JSON.stringify(source)});
      acquireDirectoryLock(${JSON.stringify(directory.path)}); console.log('held'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
    const closed = new Promise((resolve) => child.on('close', resolve));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    expect(() => acquireDirectoryLock(directory.path)).toThrow(`held by process ${child.pid}`);
    expect(readdirSync(directory.path)).toHaveLength(1);
    child.kill('SIGKILL');
    await closed;
    acquireDirectoryLock(directory.path).release();
    expect(readdirSync(directory.path)).toEqual([]);
  });
});
