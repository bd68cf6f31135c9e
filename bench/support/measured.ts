import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ALL_SPEAKERS } from '../../test/support/session-traffic.js';
import { get, send, type Target } from './load.js';
import { childrenOf, processUsage } from './process-usage.js';
import type { Group } from './traffic.js';

/** Folder of the compiled bench. */
const bench = join(dirname(fileURLToPath(import.meta.url)), '..');
const IN_FLIGHT = 2;

/** A process under measurement: the service or the floor, each with its ClickHouse. */
export interface Running {
  target: Target;
  process: ChildProcess;
  /** The process and its ClickHouse. */
  pids: { parent: number; child: number };
  /** What is not scored yet; of the floor, nothing. */
  unscored: () => Promise<number>;
  /** What is not stored yet. */
  backlog: () => Promise<number>;
  close: () => Promise<void>;
}

/** Starts a script of the bench in an empty data directory. */
export async function start(script: string, args: string[] = []): Promise<Running> {
  const directory = mkdtempSync(join(tmpdir(), 'parallax-bench-'));
  const child = fork(join(bench, script), [directory, ...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: process.env['BENCH_EXEC_ARGV']?.split(' ') ?? [],
  });
  const said: unknown = await firstOf(child);
  const url = typeof said === 'object' && said !== null ? String(Reflect.get(said, 'url')) : '';
  const parent = child.pid ?? 0;
  const [engine = 0] = childrenOf(parent);
  const isService = script !== 'floor.js';
  const keys = isService ? readKeys(directory) : undefined;
  const status = async () =>
    JSON.parse(await get(`${url}/v1/status`, keys?.get('admin') ?? '')) as Record<string, unknown>;
  return {
    target: { url, keyOf: (speaker) => keys?.get(speaker) ?? '' },
    process: child,
    pids: { parent, child: engine },
    unscored: async () => (isService ? number(await status(), 'scoring', 'backlog') : 0),
    backlog: async () => (isService ? serviceBacklog(await status()) : Number((await status())['backlog'])),
    close: async () => {
      child.send('close');
      await once(child, 'exit');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The next message of the process. */
export async function firstOf(child: ChildProcess): Promise<unknown> {
  return Promise.race([
    once(child, 'message').then(([message]: unknown[]) => message),
    once(child, 'exit').then(() => {
      throw new Error('the measured process ended');
    }),
  ]);
}

function readKeys(dataDir: string): Map<string, string> {
  const ids = [...ALL_SPEAKERS, 'admin'];
  return new Map(ids.map((id) => [id, readFileSync(join(dataDir, 'keys', `${id}.key`), 'utf8').trim()]));
}

function serviceBacklog(status: Record<string, unknown>): number {
  const waiting = [number(status, 'storing', 'logBacklog'), number(status, 'storing', 'outboxBacklog')];
  return waiting.reduce((sum, count) => sum + count, number(status, 'scoring', 'backlog'));
}

function number(status: Record<string, unknown>, group: string, name: string): number {
  return Number(Reflect.get(Object(status[group]), name));
}

export interface Cost {
  events: number;
  /** CPU per event, us. */
  parentUs: number;
  mainThreadUs: number;
  childUs: number;
  totalUs: number;
  /** From the first request to the last answer. */
  eventsPerSecond: number;
  /** Until everything is scored (by the floor: parsed). */
  throughPerSecond: number;
}

/** Sends groups and measures CPU until the last row is stored. */
export async function cost(running: Running, groups: readonly Group[], perSecond?: number): Promise<Cost> {
  const usage = () => ({ parent: processUsage(running.pids.parent), child: processUsage(running.pids.child) });
  const before = usage();
  const begun = performance.now();
  const options = perSecond === undefined ? {} : { perSecond };
  const { events, tookMs } = await send(running.target, groups, { inFlight: IN_FLIGHT, ...options });
  while ((await running.unscored()) > 0) await sleep(50);
  const throughMs = performance.now() - begun;
  // The last block waits up to five seconds for more rows.
  while ((await running.backlog()) > 0) await sleep(100);
  const after = usage();
  const us = (ms: number) => (1000 * ms) / events;
  const parentUs = us(after.parent.cpuMs - before.parent.cpuMs);
  const childUs = us(after.child.cpuMs - before.child.cpuMs);
  return {
    events,
    parentUs,
    mainThreadUs: us(after.parent.mainThreadMs - before.parent.mainThreadMs),
    childUs,
    totalUs: parentUs + childUs,
    eventsPerSecond: (1000 * events) / tookMs,
    throughPerSecond: (1000 * events) / throughMs,
  };
}
