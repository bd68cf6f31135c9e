import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeObserver, sse } from '../../support/fake-observer.js';
import type { CheckAnswer } from '../../../src/model/wire.js';
import { attempt, kitFor, revoked } from './kit.js';

describe('check', () => {
  let observer: FakeObserver;
  let decision: Partial<CheckAnswer>;
  const closers: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    decision = {};
    observer = await new FakeObserver({ decide: () => decision }).start();
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

  it('asks about writes and lets reads pass', async () => {
    const { kit } = make(observer.url);
    decision = { decision: 'hold', wouldBe: 'hold', incidentId: 'inc-1', riskNats: 12 };
    expect(await kit.check(attempt)).toMatchObject({
      decision: 'hold',
      source: 'observer',
      incidentId: 'inc-1',
      riskNats: 12,
      timedOut: false,
    });
    expect(await kit.check({ ...attempt, effect: 'read' })).toMatchObject({ decision: 'allow', source: 'passed' });
    expect(observer.checks).toHaveLength(1);
    expect(observer.checks[0]).toMatchObject({ ...attempt, deadlineMs: 4_000 });
  });

  it('asks about a call of unknown effect, and about reads where configured', async () => {
    const { kit } = make(observer.url, { ask: ['read', 'unknown'] });
    const { effect, ...unknown } = attempt;
    expect(effect).toBe('write');
    expect((await kit.check(unknown)).source).toBe('observer');
    expect((await kit.check({ ...attempt, effect: 'read' })).source).toBe('observer');
  });

  it('answers from memory what is already restricted, reads included, without asking', async () => {
    const { kit } = make(observer.url);
    observer.greeting = () => sse('state', { restrictions: [revoked(1, 's1')] }, 3);
    expect(await kit.subscribe()).toBe(true);
    for (const effect of ['read', 'write'] as const) {
      expect(await kit.check({ ...attempt, effect })).toMatchObject({
        decision: 'deny',
        source: 'memory',
        commandId: 'cmd-s1',
        restriction: 'revoke-session',
      });
    }
    expect(observer.checks).toHaveLength(0);
  });

  it('lets a command that overtakes the answer win', async () => {
    const { kit } = make(observer.url);
    await kit.subscribe();
    decision = { decision: 'allow' };
    observer.faults.check.push({ delayMs: 200 });
    const answer = kit.check(attempt);
    observer.write(sse('restriction', revoked(1, 's1'), 1));
    expect(await answer).toMatchObject({ decision: 'deny', source: 'memory' });
  });

  it.each([
    ['hangs', 'hang' as const, 'no answer within 150 ms', true],
    ['cuts the connection', 'reset' as const, 'fetch failed', false],
    ['answers 500', { status: 500 }, 'the observer answered 500', false],
    ['answers 429', { status: 429 }, 'the observer answered 429', false],
    ['answers garbage', { status: 200, body: '<html>' }, 'could not be read', false],
    ['answers an unknown decision', { status: 200, body: '{"decision":"maybe"}' }, 'could not be read', false],
    ['answers without end', { status: 200, body: 'x'.repeat(2_000_000) }, 'longer than', false],
  ])('falls to the posture of the effect when the observer %s', async (_name, fault, cause, timedOut) => {
    // Only what hangs is waited for in full.
    const deadlineMs = fault === 'hang' ? 150 : 20_000;
    const { kit, events } = make(observer.url, { deadlineMs, posture: { auth: 'open' } });
    observer.faults.check.push(fault, fault);
    const closed = await kit.check(attempt);
    expect(closed).toMatchObject({ decision: 'deny', source: 'posture', timedOut });
    expect(closed.reason).toContain(cause);
    const open = await kit.check({ ...attempt, effect: 'auth' });
    expect(open).toMatchObject({ decision: 'allow', source: 'posture' });
    expect(events.map((e) => e.type)).toEqual(['check-unanswered', 'check-unanswered']);
    expect(kit.counters()).toMatchObject({ asked: 2, answered: 0, postureOpen: 1, postureClosed: 1 });
  });

  it('falls to the posture when there is no observer at all', async () => {
    const { kit } = make('http://127.0.0.1:1');
    expect(await kit.check(attempt)).toMatchObject({ decision: 'deny', source: 'posture' });
  });

  it('does not carry the key along a redirect', async () => {
    const { kit } = make(observer.url);
    observer.faults.check.push({ status: 307, headers: { location: `${observer.url}/v1/observations` } });
    expect((await kit.check(attempt)).source).toBe('posture');
    expect(observer.received).toHaveLength(0);
  });

  it('survives a throwing log', async () => {
    const { kit } = make('http://127.0.0.1:1', {
      onEvent: () => {
        throw new Error('the log is full');
      },
    });
    expect((await kit.check(attempt)).source).toBe('posture');
    expect(kit.counters().hookErrors).toBe(1);
  });
});
