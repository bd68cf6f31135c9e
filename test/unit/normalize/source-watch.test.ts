import { expect, it } from 'vitest';
import { SourceWatch } from '../../../src/normalize/source-watch.js';

const KEY = { id: 'gw', tenant: 't' };
const MINUTE_MS = 60_000;

it('makes few records of a flood, with the whole count in them', () => {
  const watch = new SourceWatch();
  const reports: number[] = [];
  for (let second = 0; second <= 600; second++) {
    for (let i = 0; i < 100; i++) watch.note(KEY, { kind: 'forged-agent', detail: 'as x' }, second * 1_000);
    reports.push(...watch.due(second * 1_000).map(({ count }) => count));
  }
  expect(reports).toEqual([100, 3_100, 9_100, 21_100, 45_100]);
});

it('begins a new run after a rest, and keeps kinds, streams and emitters apart', () => {
  const watch = new SourceWatch();
  const note = (id: string, now: number, stream?: 'metric' | 'reasoning') =>
    watch.note({ ...KEY, id }, { kind: 'shed', detail: 'd', ...(stream === undefined ? {} : { stream }) }, now);
  note('gw', 0, 'metric');
  note('gw', 0, 'reasoning');
  note('other', 0, 'metric');
  const first = watch.due(0);
  expect(first).toHaveLength(3);
  expect(new Set(first.map(({ id }) => id)).size).toBe(3);
  expect(watch.due(16 * MINUTE_MS)).toEqual([]);
  note('gw', 17 * MINUTE_MS, 'metric');
  expect(watch.due(17 * MINUTE_MS)).toMatchObject([{ since: 17 * MINUTE_MS, count: 1, principalId: 'gw' }]);
});

it('bounds what an emitter wrote and makes it harmless', () => {
  const watch = new SourceWatch();
  watch.note(KEY, { kind: 'forged-agent', detail: `\u202e${'x'.repeat(10_000)}` }, 0);
  const [report] = watch.due(0);
  expect(report?.detail.length).toBeLessThan(320);
  expect(report?.detail).toContain('\\u202e');
});
