import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { FakeObserver } from '../../support/fake-observer.js';
import { auditCall, auditResult, kitFor } from './kit.js';

describe('observe', () => {
  let observer: FakeObserver;
  const closers: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    observer = await new FakeObserver().start();
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
    await observer.stop();
  });
  const make = (...args: Parameters<typeof kitFor>) => {
    const made = kitFor(...args);
    closers.push(() => made.kit.close(0));
    return made;
  };
  const ids = () => observer.records().map((r) => r['id']);
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

  it('sends in order, in bounded batches, under its own key', async () => {
    const { kit } = make(observer.url, { limits: { auditBatchRecords: 4 } });
    for (const n of range(0, 25)) kit.observe([auditCall(n)]);
    expect(await kit.flush(10_000)).toBe(true);
    expect(ids()).toEqual(range(0, 25).map((n) => `call-${n}`));
    expect(Math.max(...observer.batches)).toBeLessThanOrEqual(4);
    expect(observer.received[0]?.key).toBe('gateway-key');
    expect(kit.counters()).toMatchObject({ auditDelivered: 25, auditPending: 0, auditDropped: 0 });
  });

  it('tries again in the same order through 500, 429, resets and a refused key', async () => {
    const { kit, events } = make(observer.url);
    observer.faults.observations.push({ status: 500 }, { status: 429, headers: { 'retry-after': '0' } }, 'reset', {
      status: 401,
    });
    kit.observe([auditCall(1), auditCall(2)]);
    kit.observe([auditCall(3)]);
    expect(await kit.flush(10_000)).toBe(true);
    expect(ids()).toEqual(['call-1', 'call-2', 'call-3']);
    expect(events.filter((e) => e.type === 'audit-delayed')).toHaveLength(4);
  });

  it('halves a batch that is too large and drops only what is too large by itself', async () => {
    const { kit } = make(observer.url);
    observer.faults.observations.push({ status: 413 }, { status: 413 }, { status: 413 });
    kit.observe(range(0, 4).map((n) => auditCall(n)));
    expect(await kit.flush(10_000)).toBe(false);
    expect(ids()).toEqual(['call-1', 'call-2', 'call-3']);
    expect(kit.counters()).toMatchObject({ auditDropped: 1, auditDelivered: 3 });
  });

  it('counts and names what the observer refuses', async () => {
    const { kit, events } = make(observer.url);
    kit.observe([auditCall(1), auditCall(2, ''), auditCall(3)]);
    expect(await kit.flush(10_000)).toBe(false);
    expect(ids()).toEqual(['call-1', 'call-3']);
    expect(kit.counters()).toMatchObject({ auditDelivered: 2, auditRefused: 1 });
    expect(events.find((e) => e.type === 'audit-refused')).toMatchObject({ field: 'tool' });
  });

  it('gives up on a batch that the observer will never take, and says so', async () => {
    const { kit, events } = make(observer.url);
    observer.faults.observations.push({ status: 400 });
    kit.observe([auditCall(1)]);
    expect(await kit.flush(10_000)).toBe(false);
    expect(events).toContainEqual({ type: 'audit-dropped', records: 1, cause: 'the observer answered 400' });
  });

  it('sheds result texts first when the buffer is full, then the oldest, and counts them', async () => {
    const { kit } = make(observer.url, { limits: { auditRecords: 3, auditBatchRecords: 1 } });
    observer.faults.observations.push({ delayMs: 100 });
    kit.observe([auditCall(0)]);
    kit.observe([auditCall(1), auditResult(1), auditCall(2), auditCall(3), auditCall(4)]);
    expect(kit.counters().auditDropped).toBe(2);
    await kit.flush(10_000);
    expect(ids()).toEqual(['call-0', 'call-2', 'call-3', 'call-4']);
  });

  it('counts a record that cannot be written as JSON', () => {
    const { kit } = make(observer.url);
    const args: Record<string, unknown> = {};
    args['self'] = args;
    kit.observe([{ ...auditCall(1), args } as ReturnType<typeof auditCall>]);
    expect(kit.counters()).toMatchObject({ auditDropped: 1, auditPending: 0 });
  });

  it('does not wait beyond the limit of a flush, and delivers when the observer comes back', async () => {
    const { kit } = make(observer.url, { limits: { requestMs: 300 } });
    observer.faults.observations.push('hang');
    kit.observe([auditCall(1)]);
    expect(await kit.flush(10)).toBe(false);
    await eventually('delivered after all', () => kit.counters().auditDelivered === 1);
    expect(await kit.flush(0)).toBe(true);
  });

  it('counts what is left at close, and what comes after', async () => {
    const { kit } = make('http://127.0.0.1:1');
    kit.observe([auditCall(1), auditCall(2)]);
    await kit.close(20);
    kit.observe([auditCall(3)]);
    expect(kit.counters()).toMatchObject({ auditDropped: 3, auditPending: 0 });
  });
});
