import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Speaker } from '../../src/sources/recorded-session.js';
import type { IntakeReport, WireObservation } from '../../src/model/wire.js';
import { repositoryRoot } from './recorded.js';
import { speakerKeys } from './session-traffic.js';

const START_MS = 60_000;

/** Everything a service needs to start again and again: a folder, a configuration, keys. */
export interface ServiceSetup {
  directory: string;
  dataDir: string;
  configFile: string;
  keys: Record<Speaker | 'admin', string>;
}

/**
 * Writes keys and a configuration into a folder. The port is chosen by the system.
 *
 * @param settings over the generated configuration, group by group
 * @param keys of another setup, so that both know the same
 */
export function prepareService(
  directory: string,
  settings: Record<string, unknown> = {},
  keys: ServiceSetup['keys'] = newKeys(),
): ServiceSetup {
  mkdirSync(join(directory, 'keys'), { recursive: true, mode: 0o700 });
  const file = (id: string) => join(directory, 'keys', `${id}.key`);
  for (const [id, key] of Object.entries(keys)) writeFileSync(file(id), key, { mode: 0o600 });
  const dataDir = join(directory, 'data');
  const configFile = join(directory, 'parallax.yaml');
  const config = {
    dataDir,
    http: { port: 0 },
    // Whoever waits for rows in ClickHouse waits for this.
    clickhouse: { lingerMs: 500 },
    keys: [...speakerKeys(file), { id: 'admin', role: 'admin', secretFile: file('admin') }],
    ...settings,
  };
  // JSON is YAML.
  writeFileSync(configFile, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  return { directory, dataDir, configFile, keys };
}

/** Fixes the secret of an install that has not started yet, so that two installs hash alike. */
export function fixInstallSeed(dataDir: string, seed: number): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  writeFileSync(join(dataDir, 'install-seed'), `${seed}\n`, { mode: 0o600 });
}

function newKeys(): ServiceSetup['keys'] {
  const key = () => randomBytes(24).toString('base64url');
  return { 'agent-runtime': key(), gateway: key(), governance: key(), platform: key(), admin: key() };
}

/** Compiles when nothing is compiled yet: processes run what is in `dist/`. */
export function ensureBuilt(): void {
  if (existsSync(join(repositoryRoot, 'dist', 'src', 'main.js'))) return;
  execFileSync(process.execPath, [
    join(repositoryRoot, 'node_modules', 'typescript', 'bin', 'tsc'),
    '-p',
    repositoryRoot,
  ]);
}

/** How a program ended, and what it said. */
export interface Outcome {
  code: number | null;
  out: string;
  err: string;
}

/** Runs the command line to its end. */
export async function runParallax(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const child = spawnParallax(args, env);
  const [out, err] = [collect(child.stdout), collect(child.stderr)];
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out: out(), err: err() };
}

/** The service as a process of its own. */
export class ServiceProcess {
  readonly setup: ServiceSetup;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly #err: () => string;
  #url = '';
  #metricsUrl = '';

  private constructor(setup: ServiceSetup, child: ChildProcess) {
    this.setup = setup;
    this.#child = child;
    this.#err = collect(child.stderr);
    this.#ended = new Promise((resolve) => child.once('close', resolve));
  }

  /** Starts it and waits until it listens. @throws with its last words when it does not */
  static async start(setup: ServiceSetup, env: NodeJS.ProcessEnv = {}): Promise<ServiceProcess> {
    ensureBuilt();
    const child = spawnParallax(['serve', '--config', setup.configFile], env);
    const service = new ServiceProcess(setup, child);
    let metricsUrl = '';
    const listening = new Promise<string>((resolve) => {
      if (child.stdout === null) return;
      createInterface({ input: child.stdout }).on('line', (line) => {
        const said: { event?: string; url?: string; metricsUrl?: string } = JSON.parse(line);
        metricsUrl = said.metricsUrl ?? metricsUrl;
        if (said.event === 'listening' && said.url !== undefined) resolve(said.url);
      });
    });
    const giveUp = new AbortController();
    const late = sleep(START_MS, undefined, { signal: giveUp.signal }).catch(() => undefined);
    const url = await Promise.race([listening, service.#ended, late]);
    giveUp.abort();
    if (typeof url !== 'string') {
      child.kill('SIGKILL');
      throw new Error(`the service did not start; it said:\n${service.#err().slice(-4_000)}`);
    }
    service.#url = url;
    service.#metricsUrl = metricsUrl;
    return service;
  }

  get url(): string {
    return this.#url;
  }

  /** Of the address without keys, where the configuration has one. */
  get metricsUrl(): string {
    return this.#metricsUrl;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What it wrote to its log so far (the end of it). */
  get log(): string {
    return this.#err();
  }

  /** Ends it at once, as a power cut would. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** Asks it to stop. @returns its exit code */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGTERM');
    return this.#ended;
  }

  async get(path: string, key = this.setup.keys.admin): Promise<unknown> {
    const response = await fetch(this.#url + path, { headers: { authorization: `Bearer ${key}` } });
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  async post(path: string, body: unknown, key = this.setup.keys.admin): Promise<unknown> {
    const response = await this.request(path, JSON.stringify(body), key);
    const text = await response.text();
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  }

  request(path: string, body: string | Uint8Array<ArrayBuffer>, key: string): Promise<Response> {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    return fetch(this.#url + path, { method: 'POST', headers, body });
  }

  /** Sends one emitter's batch. @throws when it was not acknowledged */
  async observe(speaker: Speaker, observations: readonly WireObservation[]): Promise<IntakeReport> {
    const report = await this.post('/v1/observations', observations, this.setup.keys[speaker]);
    // The route answers with this and nothing else.
    return report as IntakeReport;
  }

  async status(): Promise<ServiceStatus> {
    const status = await this.get('/v1/status');
    // Only the parts that tests look at.
    return status as ServiceStatus;
  }

  /** Waits until everything it took in is scored, and with `stored` also in ClickHouse. */
  async settled({ stored = false, limitMs = 60_000 } = {}): Promise<ServiceStatus> {
    const end = Date.now() + limitMs;
    for (;;) {
      const status = await this.status();
      const { scoring, storing } = status;
      if (scoring.backlog <= 0 && (!stored || storing.logBacklog + storing.outboxBacklog === 0)) return status;
      if (Date.now() > end) throw new Error(`not settled: ${JSON.stringify({ scoring, storing })}`);
      await sleep(20);
    }
  }
}

export interface ServiceStatus {
  mode: string;
  log: { head: number };
  scoring: { backlog: number; observations: number; duplicates: number; late: number; future: number; faults: number };
  join: Record<string, number>;
  baselines: Record<string, unknown>;
  checks: { answered: number; timedOut: number };
  storing: { logBacklog: number; outboxBacklog: number; refusedRows: number; lostRecords: number; lastError?: string };
  clickhouse: { status?: string; pid?: number; restarts?: number };
  intake: Record<string, number>;
  memory: { residentBytes: number };
}

/** Settings of whoever runs the tests must not reach the service. */
function spawnParallax(args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('PARALLAX_'));
  return spawn(process.execPath, [join(repositoryRoot, 'bin', 'parallax.js'), ...args], {
    env: { ...Object.fromEntries(own), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

const MAX_KEPT = 200_000;

/** What a stream says, the end of it. */
function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (chunk: string) => {
    text = (text + chunk).slice(-MAX_KEPT);
  });
  return () => text;
}
