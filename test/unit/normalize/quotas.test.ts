import { describe, expect, it } from 'vitest';
import type { Stream } from '../../../src/model/observation.js';
import { Quotas, type Admission, type Quota } from '../../../src/normalize/quotas.js';

const KEY = { id: 'emitter' };

function quotas(quota: Partial<Quota>): Quotas {
  return new Quotas((id) => (id === KEY.id ? { burstSeconds: 1, ...quota } : undefined));
}

/** How many of so many records had which end. */
function send(to: Quotas, count: number, { stream = 'reasoning', agentId = 'a', now = 0 }: Sent = {}) {
  const ends: Record<Admission, number> = { keep: 0, 'without-payload': 0, shed: 0 };
  for (let i = 0; i < count; i++) ends[to.admit(KEY, { agentId, stream }, now)]++;
  return ends;
}

interface Sent {
  stream?: Stream;
  agentId?: string;
  now?: number;
}

describe('a quota', () => {
  it('is no limit where none is set', () => {
    const none = new Quotas(() => undefined);
    expect(send(none, 1_000)).toEqual({ keep: 1_000, 'without-payload': 0, shed: 0 });
    expect(none.shed()).toEqual([]);
  });

  it('takes content first, then reasoning and metrics', () => {
    const held = quotas({ agentRecordsPerSecond: 100 });
    expect(send(held, 200)).toEqual({ keep: 51, 'without-payload': 49, shed: 100 });
    expect(send(held, 10, { stream: 'metric' }).shed).toBe(10);
    expect(held.shed()).toEqual([
      { principalId: 'emitter', stream: 'reasoning', observations: 100, payloads: 0 },
      { principalId: 'emitter', stream: 'metric', observations: 10, payloads: 0 },
    ]);
  });

  it.each(['action', 'governance'] as const)('never sheds the %s stream, however much comes', (stream) => {
    const held = quotas({ recordsPerSecond: 10, agentRecordsPerSecond: 10 });
    expect(send(held, 10_000, { stream }).shed).toBe(0);
    // It counts, though: what may be shed pays for it, for no longer than one bucket takes to fill.
    expect(send(held, 1, { now: 500 }).shed).toBe(1);
    expect(send(held, 1, { now: 2_500 }).shed).toBe(0);
  });

  it('gives back what time brings, and no more than a burst', () => {
    const held = quotas({ agentRecordsPerSecond: 10 });
    send(held, 100);
    expect(send(held, 100, { now: 500 }).shed).toBe(95);
    expect(send(held, 100, { now: 3_600_000 }).shed).toBe(90);
    // A clock that was set back gives nothing.
    expect(send(held, 10, { now: 0 }).shed).toBe(10);
  });

  it('of the key is shared fairly: a loud agent does not silence the others', () => {
    const held = quotas({ recordsPerSecond: 100 });
    let loud = 0;
    let quiet = 0;
    for (let second = 0; second < 10; second++) {
      for (let i = 0; i < 50; i++) {
        const now = second * 1_000 + i * 20;
        loud += 20 - send(held, 20, { agentId: 'loud', now }).shed;
        if (i % 10 === 0) quiet += 1 - send(held, 1, { agentId: `quiet-${i / 10}`, now }).shed;
      }
    }
    expect(quiet).toBe(50);
    expect(loud).toBeGreaterThan(500);
    expect(loud).toBeLessThanOrEqual(1_100);
  });

  it('is not widened by inventing agents', () => {
    const held = quotas({ recordsPerSecond: 100, agentRecordsPerSecond: 100 });
    let taken = 0;
    for (let i = 0; i < 50_000; i++) taken += 1 - send(held, 1, { agentId: `invented-${i}`, now: i / 10 }).shed;
    // 5 s at 100 a second and a burst; equal parts may double it for a moment.
    expect(taken).toBeLessThan(1_300);
  });
});

it('tells a stream that is mostly missing from one that is a little thinned out', () => {
  const held = quotas({ agentRecordsPerSecond: 100 });
  send(held, 105);
  expect(held.isBlind('emitter', 'reasoning')).toBeUndefined();
  send(held, 200);
  expect(held.isBlind('emitter', 'reasoning')).toMatchObject({ seen: 305, shed: 205 });
  expect(held.isBlind('emitter', 'metric')).toBeUndefined();
});
