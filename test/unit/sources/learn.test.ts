import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isScored, learn, waitUntilScored } from '../../../src/sources/learn.js';
import { ObserverClient } from '../../../src/sources/observer-client.js';
import { FakeObserver } from '../../support/fake-observer.js';
import { recordedLines, recordedSession } from '../../support/recorded-lines.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const START = Date.parse('2025-02-03T00:00:00Z');
const keys = { 'agent-runtime': 'runtime', gateway: 'gateway', governance: 'governance', platform: 'platform' };

describe('learning from recordings', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let observer: FakeObserver;
  let client: ObserverClient;

  beforeEach(async () => {
    directory = temporaryDirectory();
    observer = await new FakeObserver().start();
    client = new ObserverClient({ url: observer.url, fetch: globalThis.fetch, sleep: async () => {} });
  });
  afterEach(async () => {
    await observer.stop();
    directory.remove();
  });

  it('posts all files in the order of time, each stream under its own key, once in spite of faults', async () => {
    const files = [0, 1].map((n) => {
      const file = join(directory.path, `${n}.jsonl`);
      writeFileSync(file, recordedLines([recordedSession(`s${n}`, { startMs: START + 30 * n })]));
      return file;
    });
    observer.faults.observations.push({ status: 503 }, 'reset');
    expect(await learn({ observer: client, keys, files })).toEqual({ events: 14, refused: [] });
    const times = observer.records().map((r) => Number(r['time']));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times).toHaveLength(14);
    const streams = new Map(observer.received.map(({ key, record }) => [record['stream'], key]));
    expect(Object.fromEntries(streams)).toEqual({
      governance: 'governance',
      reasoning: 'runtime',
      action: 'gateway',
      metric: 'platform',
    });
  });

  it('waits until nothing is left to be scored, but not for ever', async () => {
    const wait = { key: 'admin', limitMs: 1_000, sleep: async () => {} };
    observer.backlogs.push(7, 2);
    await waitUntilScored(client, { ...wait, elapsedMs: () => 0 });
    expect(observer.backlogs).toEqual([]);
    let nowMs = 0;
    observer.backlogs.push(7, 7, 7, 7);
    const late = waitUntilScored(client, { ...wait, elapsedMs: () => (nowMs += 600) });
    await expect(late).rejects.toThrow('has not scored everything within 1000 ms: {"scoring":{"backlog":7}}');
  });

  it('does not take silence for an answer', () => {
    expect([{}, { scoring: {} }, { scoring: { backlog: '0' } }, undefined].map(isScored)).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(isScored({ scoring: { backlog: 0 } })).toBe(true);
  });
});
