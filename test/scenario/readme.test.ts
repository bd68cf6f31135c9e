import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordedLines, recordedSession } from '../support/recorded-lines.js';
import { repositoryRoot } from '../support/recorded.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const README = readFileSync(join(repositoryRoot, 'README.md'), 'utf8');
const ADDRESS = 'http://127.0.0.1:7700';
const START = Date.parse('2026-03-02T08:00:00Z');

/** The code blocks of one language, in order. */
function blocks(language: string): string[] {
  return [...README.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, name, text]) =>
    name === language && text !== undefined ? [text.trim()] : [],
  );
}

const shell = blocks('sh');
/** Blocks that are not run here, with the place that runs them. */
const ELSEWHERE: Record<string, { script?: string; runs?: string; in: string }> = {
  // No engine for containers is needed for the tests; that file says what is held to what instead.
  'docker compose up': { in: 'test/unit/compose.test.ts' },
  'npm run demo': { script: 'demo', runs: 'bin/parallax.js demo', in: 'test/scenario/demo.test.ts' },
  'npm test': { script: 'test', runs: 'vitest run', in: '.ci/run' },
  'npm run bench': { script: 'bench', runs: 'node dist/bench/', in: 'test/integration/bench.test.ts' },
};

/** Follows the README in a folder that looks like a fresh clone, its port apart. */
describe('what the README says', () => {
  const directory = temporaryDirectory();
  let url = '';
  let observer: ChildProcess | undefined;
  let gateway: ChildProcess | undefined;

  beforeAll(async () => {
    for (const name of ['bin', 'scripts', 'node_modules', 'package.json']) {
      symlinkSync(join(repositoryRoot, name), join(directory.path, name));
    }
    url = ADDRESS.replace('7700', String(await freePort()));
    observer = spawn('npm', ['start'], {
      cwd: directory.path,
      env: environment(url),
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    });
    await until(() => answers(url));
  }, 180_000);

  afterAll(async () => {
    gateway?.kill('SIGKILL');
    if (observer?.pid !== undefined && observer.exitCode === null) {
      // npm and the service below it.
      process.kill(-observer.pid, 'SIGTERM');
      await once(observer, 'exit');
    }
    directory.remove();
  });

  async function follow(command: string): Promise<{ out: string; err: string }> {
    const text = command.replaceAll(ADDRESS, url);
    const run = promisify(execFile)('bash', ['-euo', 'pipefail', '-c', text], {
      cwd: directory.path,
      env: environment(url),
      timeout: 120_000,
    });
    const { stdout, stderr } = await run;
    return { out: stdout, err: stderr };
  }

  const blockWith = (text: string): string => shell.find((block) => block.includes(text)) ?? `false # no ${text}`;

  it('is run, every command of it, here or where it says', () => {
    const here = [
      'npm start',
      '/v1/check',
      '/v1/observations',
      '/v1/incidents',
      'contain billing-bot',
      'detectors test',
      'clickhouse ddl',
    ];
    const lines = shell.flatMap((block) => (here.some((text) => block.includes(text)) ? [] : block.split('\n')));
    const left = lines.filter(
      (line) => !line.startsWith('npx parallax evaluate') && !line.startsWith('npx parallax replay'),
    );
    expect(left.toSorted()).toEqual(Object.keys(ELSEWHERE).toSorted());
    const { scripts }: { scripts: Record<string, string> } = JSON.parse(
      readFileSync(join(repositoryRoot, 'package.json'), 'utf8'),
    );
    for (const [command, { script, runs, in: file }] of Object.entries(ELSEWHERE)) {
      // What is no script of ours is held to in that file alone.
      const text = script === undefined ? (runs ?? '') : scripts[script];
      expect([command, text]).toEqual([command, expect.stringContaining(runs ?? '')]);
      expect([command, existsSync(join(repositoryRoot, file))]).toEqual([command, true]);
    }
  });

  it('starts an observer that makes its own keys and shows a page', async () => {
    expect(existsSync(join(directory.path, 'parallax-data', 'keys', 'admin.key'))).toBe(true);
    const page = await fetch(url);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('Sign in')]);
  });

  it('connects a gateway in ten lines, and asks over HTTP', async () => {
    const code = (blocks('js')[0] ?? '').split('\n').filter((line) => line !== '');
    expect(code.length).toBeLessThanOrEqual(11);
    const key = readFileSync(join(directory.path, 'parallax-data', 'keys', 'gateway.key'), 'utf8').trim();
    // Inside the package, so that its name resolves as it does where it is installed.
    const file = join(repositoryRoot, 'dist', `readme-gateway-${process.pid}.mjs`);
    const call = `{ time: new Date().toISOString(), agentId: 'billing-bot', sessionId: 's0', callId: 'c0', tool: 'send_money', effect: 'write', args: {} }`;
    writeFileSync(
      file,
      `${(blocks('js')[0] ?? '').replace(ADDRESS, url)}\nconsole.log(await guarded(${call}, () => 'paid'));\nawait parallax.flush(10000);\nconsole.log('reported');\n`,
    );
    gateway = spawn(process.execPath, [file], {
      cwd: repositoryRoot,
      env: { ...environment(url), PARALLAX_KEY: key },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    gateway.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until(() => Promise.resolve(said.includes('reported')));
    expect(said.trim().split('\n')).toEqual(['paid', 'reported']);
    const answer: unknown = JSON.parse((await follow(blockWith('/v1/check'))).out);
    expect(answer).toMatchObject({ decision: 'allow', timedOut: false });
  });

  it('feeds a stream and shows what was found', async () => {
    const report: unknown = JSON.parse((await follow(blockWith('/v1/observations'))).out);
    expect(report).toMatchObject({ accepted: 1 });
    const { out } = await follow(blockWith('/v1/incidents'));
    expect(out).toContain('"incidents"');
    expect(out).toContain('"scoring"');
  });

  it('contains an agent, with the confirmation of the gateway of before', async () => {
    const { out } = await follow(blockWith('contain billing-bot'));
    expect(out).toContain('in force at 1 gateway');
    expect(out).toContain('gateways: gateway enforced');
  });

  it('checks the configuration and the detectors', async () => {
    const [print = 'false', ...cases] = blockWith('detectors test').split('\n');
    expect((await follow(print)).out).toContain('falseAlarmBudget');
    // All cases run in test/integration/detectors.test.ts; here the command as such.
    expect(cases).toEqual(['npx parallax detectors test']);
    expect((await follow(`${cases[0]} --help`)).out).toContain('detectors');
  });

  it('looks at sources, prints the schema and counts what it has of an agent', async () => {
    const [sources = 'false', ddl = 'false', erase = 'false'] = blockWith('clickhouse ddl').split('\n');
    expect((await follow(sources)).out).toContain('agent-runtime');
    expect((await follow(ddl)).out).toContain('CREATE TABLE');
    expect((await follow(erase)).out).toContain('observations');
  });

  it('evaluates and replays recordings', async () => {
    const put = (name: string, content: string | Buffer) => writeFileSync(join(directory.path, name), content);
    const session = (n: number, iban: string) =>
      recordedSession(`s${n}`, { startMs: START + n * 60_000, iban, prompt: `pay bill ${n}` });
    const train = Array.from({ length: 30 }, (_, n) => session(n, `DE${n % 3}`));
    const events = Array.from({ length: 4 }, (_, n) => session(100 + n, 'DE1'));
    put('TRAIN.jsonl.gz', gzipSync(recordedLines(train)));
    put('EVENTS.jsonl.gz', gzipSync(recordedLines(events)));
    const label = { label: 'benign', kind: 'user_task', suite: 'bank', userTask: 'u1', taskSeenInTrain: true };
    const labels = events.map((_, n) => [`s${100 + n}`, { ...label, exposedSeq: null, harmSeq: null }]);
    put('LABELS.json', JSON.stringify(Object.fromEntries(labels)));
    const lines = blockWith('parallax evaluate').split('\n');
    const [evaluate = 'false', replay = 'false'] = lines;
    expect((await follow(evaluate)).out).toContain('benign');
    expect(Object.keys(JSON.parse(readFileSync(join(directory.path, 'scores.json'), 'utf8')))).toHaveLength(4);
    expect((await follow(replay)).out).toContain('sessions');
  }, 180_000);
});

/** Settings of whoever runs the tests must not reach what is started. */
function environment(url: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('PARALLAX_'));
  return { ...Object.fromEntries(own), PARALLAX_HTTP__PORT: new URL(url).port, PARALLAX_URL: url };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/healthz`)).ok;
  } catch {
    return false;
  }
}

async function until(holds: () => Promise<boolean>, limitMs = 120_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('it did not happen in time');
    await sleep(100);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server listening on TCP has an address of this kind.
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
