import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/lib/clock.js';
import { StoreError } from '../../../src/store/client.js';
import type { Sleep } from '../../../src/store/follower.js';
import { StoringReader } from '../../../src/store/storing-reader.js';
import { MemoryInserter, MemoryLog, MemoryStore } from '../../support/memory-feed.js';
import { sampleIncident, sampleSignal } from '../../support/samples.js';

const observation = (n: number) => ({ type: 'observation' as const, data: Buffer.from(`{"id":"o${n}"}`) });
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** Passes at once, and lets other work run; the time asked for moves the clock. */
function instantSleep(clock: ManualClock): Sleep {
  return async (ms) => {
    clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
}

function setUp(options: { maxRows?: number; maxBatchBytes?: number } = {}) {
  const log = new MemoryLog();
  const store = new MemoryStore();
  const inserter = new MemoryInserter();
  const clock = new ManualClock(1_000);
  const sleep = instantSleep(clock);
  const reader = (): StoringReader =>
    new StoringReader({ log, store, inserter, clock, sleep, partition: 3, lingerMs: 1, ...options });
  const drained = (one: StoringReader): Promise<boolean> =>
    one.drain({ log: log.head, outbox: store.outboxHead }, 60_000, sleep);
  return { log, store, inserter, clock, reader, drained };
}

describe('StoringReader', () => {
  it('sends each kind to its table, leaves out what is not stored, and remembers its place', async () => {
    const { log, store, inserter, reader, drained } = setUp();
    log.add(observation(1), { type: 'tick', data: Buffer.from('{"now":1}') }, observation(2));
    log.add({ type: 'payload', data: Buffer.from('{"id":"o1","content":"x"}') });
    log.add({ type: 'dead-letter', data: Buffer.from('{"id":"d1"}') });
    store.add({ type: 'signal', value: sampleSignal() }, { type: 'incident', value: sampleIncident() });
    const one = reader();
    one.start();
    expect(await drained(one)).toBe(true);
    await one.stop();
    expect(inserter.lines('observations')).toEqual([
      '{"position":1,"partition":3,"id":"o1"}',
      '{"position":3,"partition":3,"id":"o2"}',
    ]);
    expect(inserter.lines('payloads')).toEqual(['{"position":4,"partition":3,"id":"o1","content":"x"}']);
    expect(inserter.lines('dead_letters')).toEqual(['{"position":5,"partition":3,"id":"d1"}']);
    expect(inserter.lines('signals')[0]).toContain('"sequence":1,"partition":3,"id":"sig_1"');
    expect(inserter.lines('incidents').length).toBe(1);
    expect([store.cursor('store-log'), store.cursor('store-outbox')]).toEqual([5, 2]);
    expect(one.status()).toMatchObject({ logBacklog: 0, outboxBacklog: 0, storedRows: 6, retries: 0 });
  });

  it('cuts batches by rows and by bytes', async () => {
    const byRows = setUp({ maxRows: 4 });
    byRows.log.add(...numbers(10).map(observation));
    const one = byRows.reader();
    one.start();
    await byRows.drained(one);
    await one.stop();
    expect(byRows.inserter.blocks.map((block) => block.lines.length)).toEqual([4, 4, 2]);

    const byBytes = setUp({ maxBatchBytes: 30 });
    byBytes.log.add(...numbers(5).map(observation));
    const other = byBytes.reader();
    other.start();
    await byBytes.drained(other);
    await other.stop();
    expect(byBytes.inserter.blocks.map((block) => block.lines.length)).toEqual([2, 2, 1]);
  });

  it('waits for a planned batch that is not here yet, as where another machine planned it', async () => {
    const { log, store, inserter, reader, drained } = setUp();
    store.cursors.set('store-log-planned', 5);
    const one = reader();
    one.start();
    await new Promise((resolve) => setImmediate(resolve));
    log.add(...numbers(3).map(observation));
    await new Promise((resolve) => setImmediate(resolve));
    log.add(...numbers(5).map(observation));
    expect(await drained(one)).toBe(true);
    await one.stop();
    expect(inserter.blocks.map(({ lines }) => lines.length)).toEqual([5, 3]);
    expect(one.status().lostRecords).toBe(0);
  });

  it('sends a planned batch again exactly as it was, although more has come since', async () => {
    const { log, store, inserter, reader, drained } = setUp({ maxRows: 100 });
    log.add(...numbers(7).map(observation));
    // As left behind by a process that died after sending and before noting.
    store.cursors.set('store-log-planned', 5);
    log.add(...numbers(20).map(observation));
    const one = reader();
    one.start();
    await drained(one);
    await one.stop();
    expect(inserter.blocks.map((block) => block.token.split(':')[2])).toEqual(['1-5', '6-27']);
  });

  it('tries again for as long as it takes, says why, and then stores everything once', async () => {
    const { log, inserter, clock, reader, drained } = setUp();
    log.add(...numbers(3).map(observation));
    inserter.failures = numbers(40).map(() => new StoreError('away', 'transient', 0));
    const seen: unknown[] = [];
    const insert = inserter.insert.bind(inserter);
    const one = reader();
    inserter.insert = async (request) => {
      if (inserter.tries === 40) seen.push(one.status());
      await insert(request);
    };
    one.start();
    expect(await drained(one)).toBe(true);
    await one.stop();
    expect(seen).toMatchObject([{ lastError: 'away', logBacklog: 3, retries: 40 }]);
    expect(inserter.lines('observations').length).toBe(3);
    expect(one.status()).toMatchObject({ storedRows: 3, retries: 40 });
    expect(one.status().lastError).toBeUndefined();
    // Bounded growth: 40 failures wait less than 40 times the longest pause.
    expect(clock.now()).toBeGreaterThan(100_000);
  });

  it('survives a cursor that cannot be written', async () => {
    const { log, store, inserter, reader, drained } = setUp();
    log.add(observation(1));
    const setCursor = store.setCursor.bind(store);
    let fails = 3;
    store.setCursor = async (name, value) => {
      if (fails-- > 0) throw new Error('disk');
      await setCursor(name, value);
    };
    const one = reader();
    one.start();
    expect(await drained(one)).toBe(true);
    await one.stop();
    expect(inserter.lines('observations').length).toBe(1);
  });

  it('counts what retention removed before it was stored', async () => {
    const { log, inserter, reader, drained } = setUp();
    log.add(...numbers(10).map(observation));
    log.tail = 5;
    const one = reader();
    one.start();
    expect(await drained(one)).toBe(true);
    await one.stop();
    expect(one.status().lostRecords).toBe(4);
    expect(inserter.lines('observations').length).toBe(6);
  });
});
