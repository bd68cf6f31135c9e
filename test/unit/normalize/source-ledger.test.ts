import { describe, expect, it } from 'vitest';
import { SourceLedger } from '../../../src/normalize/source-ledger.js';

const KEY = { id: 'runtime', tenant: 't' };
const MINUTE_MS = 60_000;

it('shows what came in the last minutes, by format and stream, and forgets what is older', () => {
  const ledger = new SourceLedger([], 0);
  for (let minute = 0; minute < 20; minute++) {
    ledger.heard(KEY, { format: 'native', stream: 'reasoning', lagMs: minute }, minute * MINUTE_MS);
  }
  ledger.heard(KEY, { format: 'otlp', stream: 'metric', lagMs: 7 }, 19 * MINUTE_MS);
  expect(ledger.report('t', 19 * MINUTE_MS)[0]?.heard).toEqual([
    { format: 'native', stream: 'reasoning', records: 15, lastSeen: 19 * MINUTE_MS, lagMs: 19 },
    { format: 'otlp', stream: 'metric', records: 1, lastSeen: 19 * MINUTE_MS, lagMs: 7 },
  ]);
  expect(ledger.report('t', 60 * MINUTE_MS)[0]?.heard.map(({ records }) => records)).toEqual([0, 0]);
  expect(ledger.report('elsewhere', 0)).toEqual([]);
});

it('lists the most frequent reasons for refusals and holds a bounded number of them', () => {
  const ledger = new SourceLedger([], 0);
  const refuse = (reason: string) => ledger.refused(KEY, { format: 'native', field: 'time', reason }, 0);
  for (let i = 0; i < 1_000; i++) refuse(`reason ${i}`);
  for (let i = 0; i < 5; i++) refuse('reason 7');
  const [source] = ledger.report('t', 0);
  expect(source?.refusedInAll).toBe(1_005);
  expect(source?.refused[0]).toEqual({ format: 'native', field: 'time', reason: 'reason 7', count: 6 });
  expect(source?.refused).toHaveLength(5);
});

describe('silence', () => {
  it('is told of emitters with an expected interval, also of one that never spoke', () => {
    const ledger = new SourceLedger(
      [
        { ...KEY, silentAfterMs: MINUTE_MS },
        { id: 'free', tenant: 't' },
      ],
      0,
    );
    expect(ledger.silent(MINUTE_MS)).toEqual([]);
    expect(ledger.silent(MINUTE_MS + 1)).toEqual([
      { id: 'runtime', tenant: 't', forMs: MINUTE_MS + 1, expectedMs: MINUTE_MS },
    ]);
    ledger.arrived(KEY, 2 * MINUTE_MS);
    expect(ledger.silent(3 * MINUTE_MS)).toEqual([]);
  });

  it('is learned from the emitter itself where nothing is configured', () => {
    const ledger = new SourceLedger([], 0);
    for (let i = 0; i < 100; i++) ledger.arrived(KEY, i * 30_000);
    const last = 99 * 30_000;
    expect(ledger.report('t', last + 119_000)[0]?.silent).toBeUndefined();
    expect(ledger.report('t', last + 130_000)[0]?.silent).toMatchObject({ forMs: 130_000, isLearned: true });
    // One that was heard a few times has no rhythm.
    ledger.arrived({ ...KEY, id: 'new' }, 0);
    expect(ledger.report('t', last)[0]?.silent).toBeUndefined();
  });
});
