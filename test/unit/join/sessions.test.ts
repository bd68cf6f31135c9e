import { describe, expect, it } from 'vitest';
import type { JoinInput } from '../../../src/join/port.js';
import type { Observation } from '../../../src/model/observation.js';
import * as e from './events.js';

const { T0 } = e;
const MINUTE = 60_000;
const obs = (...values: Observation[]): JoinInput[] => values.map(e.input);
const later = (time: number): JoinInput => e.input(e.metric({ time, agentId: 'other', sessionId: `o${time}` }));

describe('sessions', () => {
  it('closes once, after its last window, at session_end', () => {
    const join = e.newJoin();
    const out = join.push([
      ...obs(
        e.prompt({ time: T0 + 1 }),
        e.governance({ time: T0 + 2 }, 'session_end'),
        e.metric({ time: T0 + 3 }, 'session_summary'),
      ),
      later(T0 + 2 * MINUTE),
      later(T0 + 60 * MINUTE),
    ]);
    const about = out.filter((o) => (o.type === 'session-closed' || o.type === 'window') && o.value.agentId === 'a');
    expect(about.map(({ type }) => type)).toEqual(['window', 'session-closed']);
    expect(e.only(out, 'session-closed')[0]?.value).toEqual({
      tenant: 't',
      agentId: 'a',
      sessionId: 's',
      firstTime: T0 + 1,
      lastTime: T0 + 3,
      events: 3,
      reason: 'ended',
    });
  });

  it('closes at the session summary, and by timeout of event time', () => {
    const out = e.run([
      ...obs(
        e.prompt({ time: T0, sessionId: 'x' }),
        e.prompt({ time: T0, sessionId: 'y' }),
        e.metric({ time: T0 + 1, sessionId: 'x' }, 'session_summary'),
      ),
      later(T0 + 29 * MINUTE),
      later(T0 + 31 * MINUTE),
    ]);
    const closed = e.only(out, 'session-closed').map(({ value }) => [value.sessionId, value.reason]);
    expect(closed).toEqual([
      ['x', 'summary'],
      ['y', 'timeout'],
    ]);
  });

  it('ends a session by its gap whether or not others moved the watermark in between', () => {
    const first = e.prompt({ time: T0 });
    const second = e.prompt({ time: T0 + 120 * MINUTE });
    for (const between of [[], [later(T0 + 60 * MINUTE)]]) {
      const join = e.newJoin();
      const out = join.push([e.input(first), ...between, e.input(second), later(T0 + 200 * MINUTE)]);
      const closed = e.only(out, 'session-closed').filter(({ value }) => value.agentId === 'a');
      expect(closed.map(({ value }) => [value.events, value.lastTime])).toEqual([[1, T0]]);
      expect(join.stats().afterClose).toBe(1);
    }
  });

  it('joins an event beyond the gap when one under way closes the gap', () => {
    const events = [T0, T0 + 30 * MINUTE + 1_000, T0 + 29 * MINUTE + 59_000];
    const out = e.run([...events.map((time) => e.input(e.prompt({ time }))), later(T0 + 200 * MINUTE)]);
    const [closed] = e.only(out, 'session-closed').filter(({ value }) => value.agentId === 'a');
    expect(closed?.value).toMatchObject({ events: 3, lastTime: T0 + 30 * MINUTE + 1_000 });
  });

  it('never opens a closed session again for learning, but still joins and flags what it does', () => {
    const join = e.newJoin();
    join.push([...obs(e.prompt({ time: T0 }), e.governance({ time: T0 + 1 }, 'session_end')), later(T0 + 10 * MINUTE)]);
    expect(join.stats().openWindows).toBeLessThanOrEqual(1);
    const act = e.call({ time: T0 + 10 * MINUTE });
    const out = join.push([e.input(act), later(T0 + 12 * MINUTE), later(T0 + 90 * MINUTE)]);
    expect(e.only(out, 'late')).toEqual([{ type: 'late', value: act, cause: 'session-closed' }]);
    expect(e.windowsOf(out).filter(({ agentId }) => agentId === 'a')).toHaveLength(1);
    expect(e.only(out, 'session-closed').filter(({ value }) => value.agentId === 'a')).toEqual([]);
    expect(join.stats().afterClose).toBe(1);
  });

  it('closes in the order of the closing times', () => {
    const events = ['c', 'a', 'b'].map((sessionId, i) => e.input(e.prompt({ time: T0 + i, sessionId })));
    const ends = [
      e.input(e.governance({ time: T0 + 4 * MINUTE, sessionId: 'a' }, 'session_end')),
      e.input(e.governance({ time: T0 + 2 * MINUTE, sessionId: 'b' }, 'session_end')),
      e.input(e.governance({ time: T0 + 3 * MINUTE, sessionId: 'c' }, 'session_end')),
    ];
    const out = e.run([...events, ...ends, later(T0 + 20 * MINUTE)], { outOfOrderMs: 10 * MINUTE });
    expect(e.only(out, 'session-closed').map(({ value }) => value.sessionId)).toEqual(['b', 'c', 'a']);
  });

  it('closes what an agent does outside any session when it pauses, and forgets it', () => {
    const join = e.newJoin();
    const { sessionId: _, ...lone } = e.governance({ time: T0 });
    const out = join.push([e.input(lone), later(T0 + 90 * MINUTE)]);
    expect(e.windowsOf(out)).toHaveLength(1);
    expect(e.windowsOf(out)[0]).not.toHaveProperty('sessionId');
    const [closed, ...more] = e.only(out, 'session-closed');
    expect(closed?.value).toMatchObject({ agentId: lone.agentId, events: 1, reason: 'timeout' });
    expect(closed?.value).not.toHaveProperty('sessionId');
    expect(more).toEqual([]);
    expect(join.stats().openSessions).toBe(1);
  });

  it('keeps apart sessions whose ids could be confused', () => {
    const join = e.newJoin();
    join.push(
      obs(
        e.prompt({ time: T0, agentId: '1:a', sessionId: 'b' }),
        e.prompt({ time: T0, agentId: '1:', sessionId: 'ab' }),
        e.prompt({ time: T0, agentId: '1', sessionId: ':ab' }),
      ),
    );
    expect(join.stats().openSessions).toBe(3);
  });

  it('stays within its caps under a spray of 200,000 sessions, and the sprayer pays for it', () => {
    const join = e.newJoin({ maxSessions: 5_000, maxWindows: 4_000, maxIds: 1_000 });
    join.push(obs(e.prompt({ time: T0, tenant: 'quiet', sessionId: 'mine' })));
    let closed = 0;
    let windows = 0;
    for (let i = 0; i < 200_000; i += 250) {
      const spray = Array.from({ length: 250 }, (_, k) =>
        e.input(e.prompt({ time: T0 + i / 100, agentId: `agent${i + k}`, sessionId: `s${i + k}` })),
      );
      const out = join.push(spray);
      closed += e.only(out, 'session-closed').length;
      windows += e.windowsOf(out).length;
      join.drainChanges();
    }
    const stats = join.stats();
    expect(stats.openSessions).toBeLessThanOrEqual(5_000);
    expect(stats.openWindows).toBeLessThanOrEqual(4_000);
    expect(stats.rememberedClosed).toBeLessThanOrEqual(5_000);
    expect(stats.knownAgents).toBeLessThanOrEqual(10_000);
    expect(closed).toBe(200_001 - stats.openSessions);
    expect(windows).toBe(200_001 - stats.openWindows);
    expect(stats.sessionsEvicted).toBe(closed);
    expect(stats.windowsEvicted).toBeGreaterThan(0);
    expect(stats.closedForgotten).toBeGreaterThan(0);
    const mine = join.push(obs(e.prompt({ time: T0 + 1, tenant: 'quiet', sessionId: 'mine' })));
    expect(mine.map(({ type }) => type)).toEqual(['observation']);
  });

  it('gives each evicted session exactly once, with its windows first', () => {
    const join = e.newJoin({ maxSessions: 2 });
    const out = join.push(obs(...['a', 'b', 'c', 'a'].map((sessionId, i) => e.prompt({ time: T0 + i, sessionId }))));
    const told = out.flatMap((o) =>
      o.type === 'window' || o.type === 'session-closed' ? [`${o.type} ${o.value.sessionId ?? ''}`] : [],
    );
    expect(told).toEqual(['window a', 'session-closed a', 'window b', 'session-closed b']);
    expect(e.only(out, 'late').map(({ cause }) => cause)).toEqual(['session-closed']);
    expect(join.stats()).toMatchObject({ sessionsEvicted: 2, afterClose: 1 });
  });
});
