import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/lib/package-root.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { sampleEffects } from '../support/store-sample.js';

const TOTAL = 60_000;
/** One in a hundred was sent twice: see store-process.ts. */
const DISTINCT = TOTAL - TOTAL / 100;

interface Report {
  engine?: number;
  acknowledged?: number;
  drained?: boolean;
  outboxHead?: number;
  rows?: Record<string, string>;
  status?: { refusedRows: number; lostRecords: number; retries: number };
}

/** The service of store-process.ts, and what it has said. */
class Service {
  readonly reports: Report[] = [];
  readonly ended: Promise<number | null>;
  readonly process: ChildProcess;

  constructor(directory: string) {
    const child = spawn(
      process.execPath,
      [join(packageRoot(), 'dist/test/support/store-process.js'), directory, String(TOTAL)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    this.process = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const report: Report = JSON.parse(line);
      this.reports.push(report);
    });
    this.ended = new Promise((resolve) => child.once('close', resolve));
  }

  get acknowledged(): number {
    return this.reports.reduce((most, report) => Math.max(most, report.acknowledged ?? 0), 0);
  }

  get engine(): number | undefined {
    return this.reports.find((report) => report.engine !== undefined)?.engine;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition() && this.process.exitCode === null) await sleep(5);
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It had gone already.
  }
}

function expectExact(report: Report | undefined): void {
  expect(report?.drained).toBe(true);
  expect(report?.status).toMatchObject({ refusedRows: 0, lostRecords: 0 });
  expect(report?.rows).toMatchObject({ ids: String(DISTINCT), last: String(TOTAL), merged: String(DISTINCT) });
  const rows = Number(report?.rows?.['rows']);
  // Merges take doubles away at any time: never more rows than records, never fewer than ids.
  expect(rows).toBeLessThanOrEqual(TOTAL);
  expect(rows).toBeGreaterThanOrEqual(DISTINCT);
  expect(Number(report?.rows?.['signals'])).toBe((report?.outboxHead ?? 0) / sampleEffects(0).length);
}

describe('storing through crashes', () => {
  it('counts exactly by id after the ClickHouse child was killed again and again in the middle of inserts', async () => {
    const directory = temporaryDirectory();
    const service = new Service(directory.path);
    await service.until(() => service.engine !== undefined);
    let engine = service.engine ?? 0;
    for (let kill = 1; kill <= 5; kill++) {
      await service.until(() => service.acknowledged >= kill * 9_000);
      await sleep(kill * 7);
      killQuietly(engine);
      engine = (await childOf(service.process.pid ?? 0, engine)) ?? engine;
    }
    expect(await service.ended).toBe(0);
    expectExact(service.reports.at(-1));
    // The kills were felt.
    expect(service.reports.at(-1)?.status?.retries).toBeGreaterThan(0);
    directory.remove();
  });

  it('counts exactly by id after the service itself was killed again and again', async () => {
    const directory = temporaryDirectory();
    let acknowledged = 0;
    for (let kill = 1; kill <= 5; kill++) {
      const service = new Service(directory.path);
      await service.until(() => service.acknowledged >= kill * 9_000);
      await sleep(kill * 11);
      service.process.kill('SIGKILL');
      await service.ended;
      expect(service.acknowledged).toBeGreaterThanOrEqual(acknowledged);
      acknowledged = service.acknowledged;
    }
    const last = new Service(directory.path);
    expect(await last.ended).toBe(0);
    expect(acknowledged).toBeGreaterThan(0);
    expectExact(last.reports.at(-1));
    directory.remove();
  });
});

/** The engine that replaces the killed one: the service's only child process. Linux only; elsewhere undefined. */
async function childOf(parent: number, killed: number): Promise<number | undefined> {
  if (!existsSync('/proc/self/stat')) return undefined;
  for (let look = 0; look < 500; look++) {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name) || Number(name) === killed) continue;
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        if (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(parent)) return Number(name);
      } catch {
        // Ended while we looked.
      }
    }
    await sleep(20);
  }
  return undefined;
}
