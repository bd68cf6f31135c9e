import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../support/recorded.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const LIMIT_MS = 240_000;
/** The demos' own place for temporary files: others may run one at the same time. */
const temporary = temporaryDirectory();
const folders = () => readdirSync(temporary.path).filter((name) => name.startsWith('parallax-demo-'));

interface Told {
  code: number | null;
  out: string;
  err: string;
}

/** Runs the command as a user does. @param whenTold called with everything said so far, whenever more is said */
function demo(args: string[], whenTold?: (out: string, stop: () => void) => void): Promise<Told> {
  const child = spawn(process.execPath, [join(repositoryRoot, 'bin', 'parallax.js'), 'demo', ...args], {
    cwd: temporary.path,
    env: { ...process.env, PARALLAX_MODE: 'observe', TMPDIR: temporary.path },
  });
  return new Promise((resolve) => {
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString('utf8');
      whenTold?.(out, () => child.kill('SIGINT'));
    });
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString('utf8');
    });
    child.once('close', (code) => resolve({ code, out, err }));
  });
}

/** The rows of the table at the end: number, mark, rest. */
function rows(out: string): { ok: boolean; text: string }[] {
  const lines = out.split('\n');
  const head = lines.findIndex((line) => line.trimStart().startsWith('story'));
  return lines
    .slice(head + 1)
    .filter((line) => /^ *\d+ {2}(ok|NO) /.test(line))
    .map((line) => ({ ok: / ok /.test(line.slice(0, 8)), text: line.slice(8) }));
}

describe('parallax demo', () => {
  beforeAll(() => {
    if (existsSync(join(repositoryRoot, 'dist', 'src', 'demo', 'demo.js'))) return;
    execFileSync(process.execPath, [
      join(repositoryRoot, 'node_modules', 'typescript', 'bin', 'tsc'),
      '-p',
      repositoryRoot,
    ]);
  });

  afterAll(() => temporary.remove());

  it(
    'tells seven stories that come out as expected, stays up with --keep, and cleans up',
    { timeout: LIMIT_MS },
    async () => {
      const before = new Set(folders());
      let page: Promise<Response> | undefined;
      let mails: string[] = [];
      let left: string[] = [];
      const { code, out } = await demo(['--keep'], (told, stop) => {
        if (page !== undefined || !told.includes('Ctrl-C')) return;
        const url = /page +(http:\S+)/.exec(told)?.[1] ?? '';
        const mailDir = /mail +(\/\S+)/.exec(told.slice(told.indexOf('Where to look')))?.[1] ?? '';
        mails = readdirSync(mailDir);
        left = folders().filter((name) => !before.has(name));
        page = fetch(url);
        void page.finally(stop);
      });
      expect(rows(out).map(({ ok }) => ok)).toEqual(Array.from({ length: 8 }, () => true));
      expect(code).toBe(0);
      expect(out).toContain('Everything came out as expected.');
      // A pipe gets plain lines: no colour, no cursor movement, nothing that an agent could have smuggled in.
      expect(Array.from(out).filter((char) => char < ' ' && char !== '\n')).toEqual([]);
      expect(out).toMatch(/learned \d+ sessions of the days before\. Calibrated for 1\.00 % false alarms/);
      expect(out).toMatch(/blocked .*refused from memory after \d+\.\d ms/);
      expect(out).toMatch(/decided +revoke-session .*: enforced, confirmed by gateway after \d+ ms/);
      expect(out).toMatch(/mail +to oncall@demo\.example: \[Parallax\] /);
      expect((await page)?.status).toBeLessThan(500);
      expect(mails.length).toBeGreaterThan(4);
      expect(left).toHaveLength(1);
      expect(folders().filter((name) => left.includes(name))).toEqual([]);
    },
  );

  it.each([2, 3, 4, 5, 6])('holds in world %i', { timeout: LIMIT_MS }, async (seed) => {
    const { code, out, err } = await demo(['--seed', String(seed)]);
    expect({ seed, missed: rows(out).filter(({ ok }) => !ok), err: code === 0 ? '' : err }).toEqual({
      seed,
      missed: [],
      err: '',
    });
    expect(rows(out)).toHaveLength(8);
    expect(code).toBe(0);
  });

  it('says NO and exits 1 where nothing is enforced', { timeout: LIMIT_MS }, async () => {
    const { code, out } = await demo(['--mode', 'observe']);
    const missed = rows(out).filter(({ ok }) => !ok);
    expect(missed.map(({ text }) => text.slice(0, 16))).toContain('A hijacked agent');
    expect(rows(out)).toHaveLength(8);
    expect(out).toContain('did not come out as expected');
    expect(code).toBe(1);
  });

  it('stops in the middle and leaves nothing behind', { timeout: LIMIT_MS }, async () => {
    const before = new Set(folders());
    let left: string[] = [];
    const { code } = await demo([], (told, stop) => {
      left = folders().filter((name) => !before.has(name));
      if (told.includes('Parallax demo')) stop();
    });
    expect(left.length).toBeGreaterThan(0);
    expect(folders().filter((name) => left.includes(name))).toEqual([]);
    expect(code).not.toBe(0);
  });

  it.each([
    [['--seed', 'x'], '--seed: use a whole number'],
    [['--mode', 'later'], '--mode: use act or observe'],
    [['now'], 'the demo takes no "now"'],
    [['--train', 'a.jsonl'], '--train: give the recordings'],
    [['--data', '/nowhere/a.jsonl'], '/nowhere/a.jsonl'],
  ])('explains %j', async (args, says) => {
    const { code, err } = await demo(args);
    expect(err).toContain(says);
    expect(code).not.toBe(0);
  });
});
