import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readDockerfile } from '../support/compose.js';
import { freePort } from '../support/free-port.js';
import { repositoryRoot } from '../support/recorded.js';
import { ensureBuilt } from '../support/service-process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const START_MS = 60_000;
const lockSchema = z.object({ packages: z.record(z.string(), z.looseObject({ dev: z.boolean().optional() })) });
const directory = temporaryDirectory();
const app = join(directory.path, 'app');
const instructions = readDockerfile();
const last = Math.max(...instructions.map(({ stage }) => stage));
const final = instructions.filter(({ stage }) => stage === last);

/** What the image holds, put together as the Dockerfile says: no package for development, and no engine. */
beforeAll(() => {
  ensureBuilt();
  for (const { rest } of final.filter(({ name }) => name === 'COPY')) {
    const words = rest.split(/\s+/).filter((word) => !word.startsWith('--from='));
    for (const source of words.slice(0, -1)) {
      const path = source.replace(/^\/app\//, '');
      if (path === 'node_modules') continue;
      mkdirSync(dirname(join(app, path)), { recursive: true });
      cpSync(join(repositoryRoot, path), join(app, path), { recursive: true });
    }
  }
  const { packages } = lockSchema.parse(JSON.parse(readFileSync(join(repositoryRoot, 'package-lock.json'), 'utf8')));
  for (const [path, { dev }] of Object.entries(packages)) {
    // What lies within a package comes with it.
    if (!/^node_modules\/(?:@[^/]+\/)?[^/]+$/.test(path) || dev === true || /node_modules\/@?chdb/.test(path)) continue;
    if (!existsSync(join(repositoryRoot, path))) continue;
    mkdirSync(dirname(join(app, path)), { recursive: true });
    symlinkSync(join(repositoryRoot, path), join(app, path));
  }
});

afterAll(() => directory.remove());

const words = (instruction: string): string[] =>
  z.array(z.string()).parse(JSON.parse(final.find(({ name }) => name === instruction)?.rest ?? '[]'));

describe('the image', () => {
  it('has neither the engine nor a package for development', () => {
    expect(existsSync(join(app, 'node_modules', 'hono'))).toBe(true);
    for (const name of ['chdb', 'vitest', 'typescript'])
      expect(existsSync(join(app, 'node_modules', name))).toBe(false);
  });

  it('serves, is healthy by its own check, and stops when it is told to', { timeout: START_MS }, async () => {
    const port = await freePort();
    const env = {
      PATH: process.env['PATH'],
      PARALLAX_DATA_DIR: join(directory.path, 'data'),
      PARALLAX_HTTP__PORT: String(port),
      // Nobody is there: a store that is away keeps no node from serving.
      PARALLAX_CLICKHOUSE__URL: 'http://127.0.0.1:9',
    };
    const entry = words('ENTRYPOINT').map((word) => word.replace(/^\/app\//, ''));
    const node = spawn(process.execPath, [...entry.slice(1), ...words('CMD').slice(0, 1)], { cwd: app, env });
    const ended = new Promise<number | null>((resolve) => node.once('close', resolve));
    let said = '';
    node.stderr.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    await new Promise<void>((resolve, reject) => {
      node.stdout.on('data', (chunk: Buffer) => {
        if (chunk.toString('utf8').includes('listening')) resolve();
      });
      void ended.then(() => reject(new Error(`it did not start:\n${said}`)));
    });
    const [, check = '[]'] = /CMD (\[.*\])$/.exec(final.find(({ name }) => name === 'HEALTHCHECK')?.rest ?? '') ?? [];
    const [, ...args] = z.array(z.string()).parse(JSON.parse(check));
    const healthCheck = () =>
      execFileSync(
        process.execPath,
        args.map((arg) => arg.replace(':7700/', `:${port}/`)),
      );
    expect(healthCheck).not.toThrow();
    node.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(healthCheck).toThrow('Command failed');
  });
});
