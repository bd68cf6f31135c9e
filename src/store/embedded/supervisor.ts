import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock, type Clock } from '../../lib/clock.js';
import { packageRoot } from '../../lib/package-root.js';
import type { ChildOrder, ChildReport } from './child-protocol.js';
import { DEFAULT_LIMITS, type EmbeddedLimits } from './limits.js';
import { pingEmbedded } from './ping.js';

export interface EmbeddedOptions {
  /** Folder of the engine's data; one process may use it at a time. */
  dataDir: string;
  database: string;
  limits?: Partial<EmbeddedLimits>;
  /** Of the engine itself, in its command line form: `--backups.allowed_path=/backups/`. */
  engineArguments?: readonly string[];
  clock?: Clock;
  /** Told of starts, ends and what the engine prints. Lines are bounded. */
  onNotice?: (level: 'info' | 'warn', message: string) => void;
  /** Longest wait for the child to open its data, ms. */
  startTimeoutMs?: number;
  /** Between two looks at the child, ms. */
  healthIntervalMs?: number;
  /** Looks that may fail in a row before the child is replaced. */
  healthFailures?: number;
}

export interface EmbeddedState {
  status: 'starting' | 'ready' | 'restarting' | 'stopped';
  pid: number | undefined;
  /** Times the child was started again after it had ended by itself. */
  restarts: number;
  version: string;
  lastError: string | undefined;
}

const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 10_000;
/** A child that lived this long counts as sound again. */
const SOUND_AFTER_MS = 60_000;
const STOP_GRACE_MS = 6_000;
const PING_TIMEOUT_MS = 5_000;

interface Launched {
  /** Resolves with how the child ended. */
  ended: Promise<string>;
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * Keeps the embedded ClickHouse running: starts it, looks after it, replaces it after a crash. Port and secrets stay
 * the same over restarts, so clients simply connect again.
 */
export class EmbeddedClickHouse {
  readonly writer = { username: 'writer', password: randomBytes(24).toString('base64url') };
  readonly reader = { username: 'reader', password: randomBytes(24).toString('base64url') };
  readonly database: string;
  readonly #options: EmbeddedOptions;
  readonly #clock: Clock;
  readonly #stopSignal = new AbortController();
  #child: Child | undefined;
  #port = 0;
  #status: EmbeddedState['status'] = 'starting';
  #restarts = 0;
  #version = '';
  #lastError: string | undefined;
  #readyAt = 0;
  #keeping: Promise<void> | undefined;

  private constructor(options: EmbeddedOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.database = options.database;
  }

  /**
   * Starts the child and waits until it answers.
   *
   * @throws Error when the first start fails, with the child's own words
   */
  static async start(options: EmbeddedOptions): Promise<EmbeddedClickHouse> {
    const embedded = new EmbeddedClickHouse(options);
    mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
    const first = await embedded.#launchFirst();
    embedded.#keeping = embedded.#keep(first);
    return embedded;
  }

  /** Loopback URL, the same for the life of this object. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  state(): EmbeddedState {
    return {
      status: this.#status,
      pid: this.#child?.pid,
      restarts: this.#restarts,
      version: this.#version,
      lastError: this.#lastError,
    };
  }

  /** Ends the child: asks first (SIGTERM), then kills. Safe to call twice. */
  async stop(): Promise<void> {
    this.#stopSignal.abort();
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
      await this.#keeping;
      clearTimeout(kill);
    }
    await this.#keeping;
    this.#status = 'stopped';
  }

  /** The engine of a process that was just killed may hold the data directory for another moment. */
  async #launchFirst(): Promise<Launched> {
    for (let triesLeft = 20; ; triesLeft--) {
      try {
        return await this.#launch();
      } catch (error) {
        if (triesLeft === 0 || !(error instanceof Error) || !/lock/i.test(error.message)) throw error;
        await sleep(500);
      }
    }
  }

  /** Starts a new child each time one ends, with a growing pause while it ends quickly. */
  async #keep(first: Launched): Promise<void> {
    let launched: Launched | undefined = first;
    let pauseMs = BACKOFF_MIN_MS;
    while (true) {
      if (launched !== undefined) {
        const watching = new AbortController();
        const watch = this.#watchHealth(watching.signal);
        this.#lastError = await launched.ended;
        watching.abort();
        await watch;
        if (this.#clock.now() - this.#readyAt > SOUND_AFTER_MS) pauseMs = BACKOFF_MIN_MS;
      }
      if (this.#stopSignal.signal.aborted) return;
      this.#status = 'restarting';
      this.#restarts++;
      this.#notice('warn', `embedded ClickHouse ended (${this.#lastError}); starting it again in ${pauseMs} ms`);
      await sleep(pauseMs, undefined, { signal: this.#stopSignal.signal }).catch(() => {});
      if (this.#stopSignal.signal.aborted) return;
      pauseMs = Math.min(pauseMs * 2, BACKOFF_MAX_MS);
      launched = await this.#launch().catch((error: unknown) => {
        this.#lastError = error instanceof Error ? error.message : String(error);
        return undefined;
      });
    }
  }

  /** Resolves when the child is ready. */
  async #launch(): Promise<Launched> {
    const child: Child = spawn(process.execPath, [serverEntry()], {
      stdio: ['pipe', 'pipe', 'pipe'],
      // Nothing of the parent's environment: a statement can read the engine's variables, and keys may lie in ours.
      // The engine's calls block threads of this pool; one each for the lanes, and some for the rest.
      env: { UV_THREADPOOL_SIZE: '8', TZ: 'UTC' },
    });
    this.#child = child;
    child.stdin.on('error', () => {});
    let lastLine = '';
    forEachLine(child.stderr, (line) => {
      lastLine = line;
      this.#notice('warn', `embedded ClickHouse: ${line}`);
    });
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    });
    child.stdin.write(`${JSON.stringify(this.#order())}\n`);
    const ready = await this.#awaitReady(child, ended, () => lastLine);
    this.#port = ready.port;
    this.#version = ready.version;
    this.#readyAt = this.#clock.now();
    this.#status = 'ready';
    this.#notice('info', `embedded ClickHouse ${ready.version} ready, process ${child.pid}`);
    return { ended };
  }

  async #awaitReady(
    child: Child,
    ended: Promise<string>,
    lastLine: () => string,
  ): Promise<Extract<ChildReport, { type: 'ready' }>> {
    const timeoutMs = this.#options.startTimeoutMs ?? 60_000;
    const giveUp = new AbortController();
    const report = new Promise<ChildReport>((resolve) => {
      forEachLine(child.stdout, (line) => {
        const message = parseReport(line);
        if (message === undefined) this.#notice('warn', `embedded ClickHouse: ${line}`);
        else resolve(message);
      });
    });
    const failure = ended.then((how): ChildReport => ({ type: 'failed', message: how }));
    const late = sleep(timeoutMs, undefined, { signal: giveUp.signal }).then(
      (): ChildReport => ({ type: 'failed', message: `not ready after ${timeoutMs} ms` }),
      (): ChildReport => ({ type: 'failed', message: 'given up' }),
    );
    const outcome = await Promise.race([report, failure, late]);
    giveUp.abort();
    if (outcome.type === 'ready') return outcome;
    child.kill('SIGKILL');
    await ended;
    throw new Error(
      `embedded ClickHouse did not start: ${outcome.message} ${lastLine()}; check that no other process uses ${this.#options.dataDir}`,
    );
  }

  async #watchHealth(signal: AbortSignal): Promise<void> {
    const intervalMs = this.#options.healthIntervalMs ?? 5_000;
    const allowed = this.#options.healthFailures ?? 6;
    const limits = this.#limits();
    const longestMs = (Math.max(limits.writerSeconds, limits.readerSeconds) + 60) * 1000;
    let failures = 0;
    while (!signal.aborted) {
      await sleep(intervalMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        const busyMs = await pingEmbedded(this.url, PING_TIMEOUT_MS);
        failures = busyMs < longestMs ? 0 : failures + 1;
      } catch {
        failures++;
      }
      if (failures < allowed || signal.aborted) continue;
      this.#notice('warn', `embedded ClickHouse does not answer; replacing process ${this.#child?.pid}`);
      this.#child?.kill('SIGKILL');
      return;
    }
  }

  #order(): ChildOrder {
    return {
      dataDir: resolve(this.#options.dataDir),
      database: this.database,
      port: this.#port,
      writer: this.writer,
      reader: this.reader,
      limits: this.#limits(),
      engineArguments: this.#options.engineArguments ?? [],
    };
  }

  #limits(): EmbeddedLimits {
    return { ...DEFAULT_LIMITS, ...this.#options.limits };
  }

  #notice(level: 'info' | 'warn', message: string): void {
    this.#options.onNotice?.(level, message);
  }
}

/** The child always runs compiled code, also when this file runs from the sources. */
function serverEntry(): string {
  const entry = join(packageRoot(), 'dist/src/store/embedded/server-main.js');
  if (!existsSync(entry)) throw new Error(`${entry} is missing; build first with "npm run build"`);
  return entry;
}

function parseReport(line: string): ChildReport | undefined {
  if (!line.startsWith('{"type":')) return undefined;
  const message: ChildReport = JSON.parse(line);
  return message;
}

const MAX_LINE_CHARS = 2_000;

/** Calls back for each line; a line without end is cut, so that it cannot grow in memory. */
function forEachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = (lines.pop() ?? '').slice(0, MAX_LINE_CHARS);
    for (const line of lines) if (line !== '') onLine(line.slice(0, MAX_LINE_CHARS));
  });
  stream.on('error', () => {});
}
