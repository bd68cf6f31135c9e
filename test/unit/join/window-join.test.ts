import { concatMap, from, Subject } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { joinWindows } from '../../../src/join/window-join.js';
import type { JoinInput, JoinOutput } from '../../../src/join/port.js';
import type { Observation } from '../../../src/model/observation.js';
import * as e from './events.js';

const { T0 } = e;
const obs = (...values: Observation[]): JoinInput[] => values.map(e.input);
/** Moves the watermark beyond everything so far without touching the agent's windows. */
const later = (time: number): JoinInput => e.input(e.metric({ time, agentId: 'other', sessionId: 'other' }));

describe('joinWindows', () => {
  it('gives a window when the watermark passes its end, in virtual time', () => {
    const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
    scheduler.run(({ cold, expectObservable }) => {
      const slices: Record<string, JoinInput[]> = {
        a: obs(e.prompt({ time: T0 + 1_000 }), e.message({ time: T0 + 2_000 }, ['c1'])),
        b: obs(e.call({ time: T0 + 3_000, callId: 'c1' })),
        c: [later(T0 + 64_999)],
        d: [later(T0 + 65_000)],
      };
      const windows = cold('a 99ms b 9s c 54s d', slices).pipe(
        joinWindows(e.newJoin()),
        concatMap((out) =>
          from(e.windowsOf(out).map(({ start, counts, emitters }) => [start, counts.calls, emitters])),
        ),
      );
      expectObservable(windows).toBe('1ms 99ms 1ms 9s 1ms 54s w', { w: [T0, 1, ['p']] });
    });
  });

  it('counts what the four streams said', () => {
    const out = e.run([
      ...obs(
        e.governance({ time: T0 }, 'session_start'),
        e.prompt({ time: T0 + 1 }),
        e.message({ time: T0 + 2 }, ['c1', 'c2', 'c3'], 40),
        e.attempt({ time: T0 + 3, callId: 'c1', principalId: 'gw' }),
        e.call({ time: T0 + 4, callId: 'c1', principalId: 'gw' }),
        e.call({ time: T0 + 5, callId: 'c2', principalId: 'gw' }, 'deny'),
        e.call({ time: T0 + 6, callId: 'c9', principalId: 'gw' }, 'error'),
        e.call({ time: T0 + 7, principalId: 'gw' }),
        e.metric({ time: T0 + 8 }),
      ),
      e.input(e.metric({ time: T0 + 70_000, agentId: 'other' })),
      e.input(e.metric({ time: T0 + 70_000, agentId: 'other', principalId: 'gw' })),
    ]);
    const [window] = e.windowsOf(out);
    expect(window?.counts).toEqual({
      prompts: 1,
      messages: 1,
      declared: 3,
      calls: 4,
      writes: 4,
      denied: 1,
      errors: 1,
      governance: 1,
      metrics: 1,
      tokens: 40,
      late: 0,
    });
    expect(window?.declaredNotAttempted).toEqual(['c3']);
    expect(window?.attemptedNotDeclared).toEqual(['c9']);
    expect(window?.emitters).toEqual(['gw', 'p']);
    expect(window?.streams).toEqual({
      reasoning: 'present',
      action: 'present',
      governance: 'present',
      metric: 'present',
    });
  });

  it('gives the same windows for events out of order within the bound as for sorted ones', () => {
    const events = Array.from({ length: 200 }, (_, i) => {
      const time = T0 + i * 700;
      if (i % 5 === 0) return e.message({ time, id: `e${i}` }, [`c${i + 1}`]);
      return e.call({ time, id: `e${i}`, callId: `c${i}` });
    });
    const shuffled = events
      .map((event, i) => ({ event, at: event.time + ((i * 2_654_435_761) % 4_999) }))
      .sort((a, b) => a.at - b.at)
      .map(({ event }) => event);
    expect(shuffled.map(({ id }) => id)).not.toEqual(events.map(({ id }) => id));
    const end = later(T0 + 1_000_000);
    expect(e.windowsOf(e.run([...obs(...shuffled), end]))).toEqual(e.windowsOf(e.run([...obs(...events), end])));
  });

  it('revises with the same id for an event within lateness, once for a burst', () => {
    const join = e.newJoin();
    const [first] = e.windowsOf(join.push([...obs(e.call({ time: T0, callId: 'c1' })), later(T0 + 70_000)]));
    const burst = [e.message({ time: T0 + 1 }, ['c1']), e.prompt({ time: T0 + 2 }), e.prompt({ time: T0 + 3 })];
    const revisions = e.windowsOf(join.push([...obs(...burst), later(T0 + 71_000)]));
    expect(first).toMatchObject({ revision: 0, attemptedNotDeclared: ['c1'], streams: { reasoning: 'absent' } });
    expect(revisions).toHaveLength(1);
    expect(revisions[0]).toMatchObject({
      id: first?.id,
      revision: 1,
      counts: { calls: 1, prompts: 2, late: 3 },
      streams: { reasoning: 'late', action: 'present' },
    });
    expect(join.stats()).toMatchObject({ lateInWindow: 3, revisions: 1, lateDropped: 0 });
  });

  it('gives an event beyond lateness to the side, counted, and changes no window', () => {
    const join = e.newJoin();
    join.push([...obs(e.call({ time: T0 })), later(T0 + 125_000)]);
    const tooLate = e.prompt({ time: T0 + 10 });
    const out = join.push([...obs(tooLate), later(T0 + 126_000)]);
    expect(e.windowsOf(out)).toEqual([]);
    expect(e.only(out, 'late')).toEqual([{ type: 'late', value: tooLate, cause: 'window-final' }]);
    expect(out[0]).toEqual(e.input(tooLate));
    expect(join.stats().lateDropped).toBe(1);
  });

  it('counts a call whose parts lie in different windows once, where it began', () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const parts = [
        e.attempt({ time: T0 + 59_000, callId: 'c1' }),
        e.call({ time: T0 + 61_000, callId: 'c1' }, 'deny'),
      ];
      const sorted = order.flatMap((i) => parts[i] ?? []);
      const windows = e.windowsOf(e.run([...obs(...sorted), later(T0 + 200_000)]));
      expect(windows.map(({ counts }) => [counts.calls, counts.writes, counts.denied])).toEqual([
        [1, 1, 0],
        [0, 0, 1],
      ]);
    }
  });

  it('carries declared calls over until they are attempted', () => {
    const windows = e.windowsOf(
      e.run([
        ...obs(
          e.message({ time: T0 }, ['c1', 'c2']),
          e.message({ time: T0 + 60_000 }),
          e.call({ time: T0 + 120_000, callId: 'c1' }),
        ),
        later(T0 + 300_000),
      ]),
    );
    expect(windows.map((w) => w.declaredNotAttempted)).toEqual([['c1', 'c2'], ['c1', 'c2'], ['c2']]);
    expect(windows.map((w) => w.attemptedNotDeclared)).toEqual([[], [], []]);
  });

  it('bounds the calls it remembers and still counts every one', () => {
    const join = e.newJoin();
    const flood = Array.from({ length: 5_000 }, (_, i) => e.call({ time: T0 + i, callId: `c${i}` }));
    const [window] = e.windowsOf(join.push([...obs(...flood), later(T0 + 100_000)]));
    expect(window?.counts.calls).toBe(5_000);
    expect(window?.attemptedNotDeclared).toHaveLength(64);
    expect(window?.evidenceIds).toHaveLength(32);
    expect(join.stats().callsForgotten).toBeGreaterThan(4_000);
  });

  it('marks a stream that falls silent while the session goes on acting', () => {
    const out = e.run([
      ...obs(e.prompt({ time: T0 }), e.call({ time: T0 + 1 }), e.call({ time: T0 + 61_000 })),
      later(T0 + 200_000),
    ]);
    expect(e.windowsOf(out).map(({ streams }) => streams.reasoning)).toEqual(['present', 'silent']);
    expect(e.windowsOf(out).map(({ streams }) => streams.metric)).toEqual(['absent', 'absent']);
  });

  it('misses a stream the agent used in another session, or that is expected of it', () => {
    const events = [
      ...obs(e.prompt({ time: T0, sessionId: 's1' }), e.call({ time: T0 + 1, sessionId: 's2' })),
      later(T0 + 90_000),
    ];
    const second = (out: JoinOutput[]) => e.windowsOf(out).find(({ sessionId }) => sessionId === 's2');
    expect(second(e.run(events))?.streams).toMatchObject({ reasoning: 'silent', metric: 'absent' });
    const expecting = e.run(events, { expects: (_, agentId) => (agentId === 'a' ? ['metric'] : []) });
    expect(second(expecting)?.streams).toMatchObject({ reasoning: 'silent', metric: 'silent' });
  });

  it('closes windows and sessions by ticks alone when everything is silent', () => {
    const join = e.newJoin();
    const today = T0 + 400 * 86_400_000;
    join.push(obs(e.prompt({ time: T0, observedAt: today })));
    expect(e.windowsOf(join.push([e.tick(today + 59_000)]))).toEqual([]);
    expect(e.windowsOf(join.push([e.tick(today + 66_000)]))).toHaveLength(1);
    expect(join.watermark('t')).toBe(T0 - 5_000 + 66_000);
    const closed = e.only(join.push([e.tick(today + 31 * 60_000)]), 'session-closed');
    expect(closed).toMatchObject([{ value: { reason: 'timeout', events: 1 } }]);
    expect(join.stats()).toMatchObject({ openWindows: 0, openSessions: 0 });
  });

  it('flags an event from a clock a day ahead, counts it now and lets it move nothing', () => {
    const join = e.newJoin();
    const wrong = e.call({ time: T0 + 86_400_000, observedAt: T0 + 2_000, principalId: 'wrong' });
    const out = join.push([...obs(e.prompt({ time: T0 + 1_000 }), wrong), e.input(e.prompt({ time: T0 + 3_000 }))]);
    expect(e.only(out, 'future')).toEqual([
      { type: 'future', value: wrong, aheadMs: 86_398_000, placedAt: T0 + 1_000 },
    ]);
    expect(join.watermark('t')).toBe(T0 - 2_000);
    const [window] = e.windowsOf(join.push([later(T0 + 70_000)]));
    expect(window?.counts).toMatchObject({ calls: 1, prompts: 2 });
  });

  it('lets no tenant hold another back', () => {
    const join = e.newJoin();
    join.push(obs(e.prompt({ time: T0 - 86_400_000, tenant: 'backfill', observedAt: T0 })));
    const out = join.push([...obs(e.prompt({ time: T0 })), later(T0 + 66_000)]);
    expect(e.windowsOf(out).map(({ tenant }) => tenant)).toEqual(['t']);
  });

  it('takes an event twice only once, but not one of another emitter with the same id', () => {
    const join = e.newJoin();
    const event = e.prompt({ time: T0, id: 'same' });
    const foreign = e.prompt({ time: T0, id: 'same', principalId: 'other' });
    const out = join.push(obs(event, event, foreign));
    expect(out.map(({ type }) => type)).toEqual(['observation', 'duplicate', 'observation']);
    expect(join.stats()).toMatchObject({ observations: 2, duplicates: 1 });
  });

  it('survives a record that throws, reports it and goes on with its neighbours', () => {
    const join = e.newJoin();
    const slices = new Subject<JoinInput[]>();
    const out: JoinOutput[] = [];
    const endings: string[] = [];
    slices.pipe(joinWindows(join)).subscribe({
      next: (outputs) => out.push(...outputs),
      error: () => endings.push('error'),
      complete: () => endings.push('complete'),
    });
    const broken = e.input(e.prompt({ time: Number.NaN }));
    // A shape that no parser lets through, to make the join itself throw half-way.
    const hollow = e.input(Object.assign(e.message({ time: T0 }), { declared: null }));
    slices.next([e.input(e.prompt({ time: T0 })), broken, hollow, e.input(e.prompt({ time: T0 + 1 }))]);
    slices.next([later(T0 + 70_000)]);
    expect(endings).toEqual([]);
    expect(e.only(out, 'fault').map(({ input }) => input)).toEqual([broken, hollow]);
    expect(e.windowsOf(out)[0]?.counts.prompts).toBe(2);
    expect(join.stats().faults).toBe(2);
  });

  it('passes other records through in their place', () => {
    const verdict: JoinInput = {
      type: 'verdict',
      value: { time: T0, tenant: 't', incidentId: 'i', verdict: 'true-positive', by: 'me' },
    };
    const out = e.run([e.input(e.prompt({ time: T0 })), verdict, later(T0 + 70_000)]);
    expect(out.map(({ type }) => type)).toEqual(['observation', 'verdict', 'observation', 'window']);
  });
});
