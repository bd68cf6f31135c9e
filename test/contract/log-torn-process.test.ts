import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.js';
import { EmbeddedEnvironment } from '../../src/log/embedded-environment.js';
import { EmbeddedLog } from '../../src/log/embedded-log.js';
import { EmbeddedScoringStore } from '../../src/log/embedded-scoring-store.js';
import { sampleEffectCount, sampleRecord } from '../support/log-record-sample.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { readAll } from './log-contract.js';

const WRITER = fileURLToPath(new URL('../../dist/test/support/log-writer-process.js', import.meta.url));
const KILLS = 10;

/** Runs the writer, kills it at a random moment after it acknowledged something, and gives the highest position it did. */
async function writeUntilKilled(directory: string, mode: 'log' | 'scoring'): Promise<number> {
  const child = spawn(process.execPath, [WRITER, directory, mode], { stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  let complaints = '';
  let killing = false;
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
    if (killing) return;
    killing = true;
    setTimeout(() => child.kill('SIGKILL'), Math.random() * 300);
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.on('close', (...ended) => resolve(ended)),
  );
  expect([code, signal, complaints]).toEqual([null, 'SIGKILL', '']);
  // The last line may be cut.
  const acknowledged = printed.slice(0, printed.lastIndexOf('\n')).split('\n').map(Number);
  return Math.max(...acknowledged);
}

describe.skipIf(!existsSync(WRITER))('a process killed while it writes (needs `npx tsc -p tsconfig.json`)', () => {
  let directory: { path: string; remove: () => void };

  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => directory.remove());

  it('leaves every acknowledged record, intact, in order and without gaps', async () => {
    let before = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const acknowledged = await writeUntilKilled(directory.path, 'log');
      const environment = EmbeddedEnvironment.open({ directory: directory.path, clock: systemClock, reserveBytes: 0 });
      const log = new EmbeddedLog(environment);
      expect(acknowledged).toBeGreaterThan(before);
      expect(log.head).toBeGreaterThanOrEqual(acknowledged);
      const entries = readAll(log);
      expect(entries.length).toBe(log.head - log.tail + 1);
      const wrong = entries.filter(({ position, type, data }, index) => {
        const expected = sampleRecord(position);
        return position !== log.tail + index || type !== expected.type || Buffer.compare(expected.data, data) !== 0;
      });
      expect(wrong).toEqual([]);
      before = log.head;
      await environment.close();
    }
  }, 120_000);

  it('leaves position, state and outbox of one and the same commit', async () => {
    let before = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const acknowledged = await writeUntilKilled(directory.path, 'scoring');
      const environment = EmbeddedEnvironment.open({ directory: directory.path, clock: systemClock, reserveBytes: 0 });
      const store = new EmbeddedScoringStore(environment);
      const { nextPosition } = store;
      expect(acknowledged).toBeGreaterThan(before);
      expect(nextPosition).toBeGreaterThanOrEqual(acknowledged);
      expect(Buffer.from(store.get('state/position') ?? []).toString()).toBe(String(nextPosition));
      const keys = [...store.entries('state/')].map(({ key }) => key);
      const newest = Array.from({ length: 10 }, (_, index) => nextPosition - index).filter((position) => position > 1);
      expect(keys.toSorted()).toEqual(['state/position', ...newest.map((position) => `state/${position}`)].toSorted());
      // Positions begin at 2: the first commit moves from 1 to 2.
      let total = 0;
      for (let position = 2; position <= nextPosition; position++) total += sampleEffectCount(position);
      expect(store.outboxHead).toBe(total);
      const newestEffect = store.outbox(total - 1, 10);
      expect(newestEffect.map(({ sequence }) => sequence)).toEqual(total === 0 ? [] : [total]);
      expect(store.outbox(0, total + 1).map(({ sequence }) => sequence)).toEqual(
        Array.from({ length: total }, (_, index) => index + 1),
      );
      before = nextPosition;
      await environment.close();
    }
  }, 120_000);
});
