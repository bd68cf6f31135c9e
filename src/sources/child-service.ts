import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReplayError, isRecord } from './observer-client.js';

export interface ChildServiceOptions {
  name: string;
  command: readonly [string, ...string[]];
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** The child's own log goes here. */
  logFile: string;
  /** Longest wait for the listening line, ms. */
  startMs: number;
  /** Between the polite and the final signal, ms. */
  stopMs: number;
}

export interface ChildService {
  url: string;
  pid: number;
  /** Resolves when the process has ended by itself or by `stop`. */
  ended: Promise<void>;
  /** @returns whether it ended by itself when it was asked to */
  stop(): Promise<boolean>;
}

/**
 * Starts a service and waits for the line `{"event":"listening","url":"..."}` on its standard output.
 *
 * @throws ReplayError with the end of its log when it ends or says nothing in time
 */
export async function startService(options: ChildServiceOptions): Promise<ChildService> {
  const { name, command, cwd, env, logFile, startMs } = options;
  const [program, ...args] = command;
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = createWriteStream(logFile, { mode: 0o600 });
  const tail: string[] = [];
  const keep = (line: string): void => {
    log.write(`${line}\n`);
    tail.push(line.slice(0, 500));
    if (tail.length > TAIL_LINES) tail.shift();
  };
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      log.end();
      resolve();
    });
    child.once('error', (fault) => {
      keep(fault.message);
      resolve();
    });
  });
  createInterface({ input: child.stderr }).on('line', keep);
  const listening = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const url = listeningUrl(line);
      if (url === undefined) keep(line);
      else resolve(url);
    });
  });
  const giveUp = new AbortController();
  const late = sleep(startMs, undefined, { signal: giveUp.signal }).catch(() => undefined);
  const url = await Promise.race([listening, ended, late]);
  giveUp.abort();
  if (typeof url !== 'string' || child.pid === undefined) {
    await stopChild(child, ended, options.stopMs);
    throw new ReplayError(`the ${name} did not start; its last words:\n${tail.join('\n') || '(none)'}`);
  }
  return { url, pid: child.pid, ended, stop: () => stopChild(child, ended, options.stopMs) };
}

const TAIL_LINES = 20;

async function stopChild(child: ChildProcess, ended: Promise<void>, stopMs: number): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return true;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await ended;
  clearTimeout(timer);
  return child.signalCode !== 'SIGKILL';
}

function listeningUrl(line: string): string | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) && value['event'] === 'listening' && typeof value['url'] === 'string'
      ? value['url']
      : undefined;
  } catch {
    return undefined;
  }
}
