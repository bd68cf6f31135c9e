import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Command } from '../../src/model/command.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { repositoryRoot } from '../support/recorded.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const MANUAL = readFileSync(join(repositoryRoot, 'docs', 'gateways.md'), 'utf8');
/** What `contain` says in the manual. */
const REASON = 'looks odd, checking';

interface Block {
  language: string;
  text: string;
  /** The file that the text before it names. */
  file: string | undefined;
}

const BLOCKS: Block[] = [...MANUAL.matchAll(/([^`\n]*(?:`[^`\n]+`[^`\n]*)*)\n+```(\w+)\n([\s\S]*?)^```$/gm)].map(
  ([, before = '', language = '', text = '']) => ({
    language,
    text,
    file: /`([\w-]+\.(?:mjs|yaml))`/.exec(before)?.[1],
  }),
);

/** @returns whether there was anything to signal in the group of a program */
function signal({ pid }: ChildProcess, name: 'SIGTERM' | 0): boolean {
  try {
    return pid !== undefined && process.kill(-pid, name);
  } catch {
    return false;
  }
}

/** Follows docs/gateways.md in an empty folder, ports apart. */
describe('what the manual of gateways says', () => {
  const directory = temporaryDirectory();
  const running: { name: string; child: ChildProcess; said: () => string }[] = [];
  const used = new Set<Block>();
  let ports: Record<string, string> = {};
  let key = '';

  const here = (text: string) => text.replaceAll('7700', ports['7700'] ?? '').replaceAll('7900', ports['7900'] ?? '');
  function use(find: (block: Block) => boolean): string {
    const block = BLOCKS.find((one) => find(one));
    if (block === undefined) throw new Error(`no such block: ${String(find)}`);
    used.add(block);
    return here(block.text);
  }
  const shell = (part: string) => use(({ language, text }) => language === 'sh' && text.includes(part)).trim();
  const write = (file: string, before = '') =>
    writeFileSync(join(directory.path, file), before + use((block) => block.file === file));
  const environment = (more: Record<string, string> = {}) => ({
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '',
    PARALLAX_URL: here('http://127.0.0.1:7700'),
    ...(key === '' ? {} : { PARALLAX_KEY: key }),
    ...more,
  });
  async function follow(command: string): Promise<string> {
    const options = { cwd: directory.path, env: environment(), timeout: 60_000 };
    return (await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', command], options)).stdout;
  }
  function start(name: string, command: string, args: string[], env = environment()) {
    const child = spawn(command, args, { cwd: directory.path, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    running.push({ name, child, said: () => text });
    return () => text;
  }

  beforeAll(async () => {
    for (const name of ['bin', 'dist', 'node_modules', 'package.json']) {
      symlinkSync(join(repositoryRoot, name), join(directory.path, name));
    }
    ports = { 7700: String(await freePort()), 7900: String(await freePort()) };
    for (const file of ['messages.mjs', 'gateway.mjs', 'stream.mjs', 'poll.mjs', 'receiver.mjs', 'gateway.yaml'])
      write(file);
    write('parallax.yaml', `http: { port: ${ports['7700']}, heartbeatMs: 1000 }\ncheck: { deadlineMs: 5000 }\n`);
    await follow(shell('webhook.secret'));
    start('receiver', process.execPath, ['receiver.mjs'], environment({ GATEWAY_ID: 'edge' }));
    start('observer', 'npx', ['parallax', 'serve', '--config', 'parallax.yaml']);
    const isUp = () =>
      fetch(here('http://127.0.0.1:7700/readyz')).then(
        (r) => r.ok,
        () => false,
      );
    await eventually('the observer answers', isUp, 60_000);
    key = (await follow(`${shell('export PARALLAX_KEY')}; echo "$PARALLAX_KEY"`)).trim();
  }, 120_000);

  afterAll(async () => {
    // Each program and what it started, which may live a little longer.
    for (const { child } of running) signal(child, 'SIGTERM');
    for (const { name, child } of running) await eventually(`${name} has ended`, () => !signal(child, 0));
    directory.remove();
  });

  it('asks by the kit and over HTTP', async () => {
    const gateway = start('kit', process.execPath, ['gateway.mjs']);
    await eventually('the kit has decided', () => gateway().includes('\n'));
    expect(gateway()).toMatch(/^allow /);
    expect(JSON.parse(await follow(shell('/v1/check')))).toMatchObject({ decision: 'allow', timedOut: false });
  }, 60_000);

  it('tells a stop by stream, poll and webhook, verified without a library, and hears all of them confirm', async () => {
    const said = {
      stream: start('stream', process.execPath, ['stream.mjs']),
      poll: start('poll', process.execPath, ['poll.mjs']),
      webhook: () => running.find(({ name }) => name === 'receiver')?.said() ?? '',
    };
    for (const [way, text] of Object.entries(said)) {
      await eventually(`the full state by ${way}`, () => text().includes(`${way} [] undefined`));
    }
    expect(await follow(`${shell('curl -sN')} --max-time 2 || true`)).toMatch(/^id: \d+\nevent: state\ndata: ey/);
    await follow(shell('parallax contain'));
    for (const [way, text] of Object.entries(said)) {
      await eventually(`the stop by ${way}`, () => text().includes(REASON));
      expect(text()).toMatch(new RegExp(`^${way} \\[ 'cmd_\\w+' \\] ${REASON}$`, 'm'));
      expect(text()).not.toContain('Error');
    }
    const acknowledged = async () => {
      const headers = { authorization: `Bearer ${key}` };
      const response = await fetch(here('http://127.0.0.1:7700/v1/commands'), { headers });
      // The route answers with this.
      const { commands } = (await response.json()) as { commands: Command[] };
      return commands[0]?.acknowledgements.map(({ gatewayId, effective }) => `${gatewayId} ${effective}`).sort();
    };
    await eventually('both gateways have confirmed', async () => (await acknowledged())?.length === 2);
    expect(await acknowledged()).toEqual(['edge enforced', 'gateway enforced']);
  }, 90_000);

  it('puts an MCP client behind the gateway', async () => {
    const [command = '', ...args] = shell('parallax gateway').split(' ');
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(
      new StdioClientTransport({ command, args, cwd: directory.path, env: environment(), stderr: 'ignore' }),
    );
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain('files__write_file');
    const wrote = await client.callTool({ name: 'files__write_file', arguments: { path: 'a.txt', content: 'hello' } });
    expect(wrote['isError'] ?? false).toBe(false);
    expect(readFileSync(join(directory.path, 'a.txt'), 'utf8')).toBe('hello');
    await client.close();
  }, 90_000);

  it('is run, every block of it', () => {
    expect(BLOCKS.length).toBeGreaterThan(12);
    expect(BLOCKS.filter((block) => !used.has(block))).toEqual([]);
  });
});
