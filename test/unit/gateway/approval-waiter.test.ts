import { afterEach, describe, expect, it } from 'vitest';
import type { GatewayClient } from '../../../src/gateway/client.js';
import type { CheckAnswer } from '../../../src/model/wire.js';
import { eventually } from '../../support/eventually.js';
import { FakeObserver, sse, type FakeObserverOptions } from '../../support/fake-observer.js';
import { attempt, kitFor, revoked } from './kit.js';

const HELD: Partial<CheckAnswer> = { decision: 'hold', reason: 'odd', holdId: 'hold_1' };
const APPROVED: Partial<CheckAnswer> = { decision: 'allow', reason: 'approved by ann: go', approvalId: 'hold_1' };

describe('waiting for a person', () => {
  let observer: FakeObserver;
  let kit: GatewayClient;
  afterEach(async () => {
    await kit.close(0);
    await observer.stop();
  });

  async function start(options: FakeObserverOptions): Promise<void> {
    observer = await new FakeObserver(options).start();
    ({ kit } = kitFor(observer.url));
  }

  it('puts the call into the queue, waits there, and takes the approval up', async () => {
    let looks = 0;
    await start({
      decide: () => (looks < 2 ? HELD : APPROVED),
      hold: async () => ({ state: ++looks < 2 ? 'waiting' : 'approved' }),
    });
    const outcome = await kit.awaitApproval(attempt, { ask: 'money goes out', withinMs: 5_000 });
    expect(outcome).toEqual({ outcome: 'approved', reason: 'approved by ann: go', approvalId: 'hold_1' });
    expect(observer.checks.map(({ id, ask, callId }) => [id, ask, callId])).toEqual([
      ['c1-ask-1', 'money goes out', 'c1'],
      ['c1-ask-2', 'money goes out', 'c1'],
    ]);
  });

  it.each<[string, Record<string, unknown>, unknown]>([
    [
      'a person said no',
      { state: 'rejected', decidedBy: 'ann', decisionReason: 'no' },
      { outcome: 'rejected', by: 'ann', reason: 'no', holdId: 'hold_1' },
    ],
    ['nobody decided', { state: 'lapsed', decidedBy: 'policy' }, { outcome: 'undecided', holdId: 'hold_1' }],
  ])('says so when %s', async (_, hold, outcome) => {
    await start({ decide: () => HELD, hold: async () => hold });
    expect(await kit.awaitApproval(attempt, { withinMs: 5_000 })).toEqual(outcome);
  });

  it('ends with the time that was given, however the observer answers', async () => {
    await start({ decide: () => HELD, hold: async () => ({ state: 'waiting' }) });
    expect(await kit.awaitApproval(attempt, { withinMs: 60 })).toEqual({ outcome: 'undecided', holdId: 'hold_1' });
    expect(observer.holdsAskedFor.length).toBeLessThan(20);
  });

  it('asks again when the observer is away for a moment, and gives up in time when it stays away', async () => {
    await start({ decide: () => APPROVED });
    observer.faults.check.push('reset', { status: 503 });
    expect(await kit.awaitApproval(attempt, { ask: 'r', withinMs: 5_000 })).toMatchObject({ outcome: 'approved' });
    expect(observer.checks).toHaveLength(1);
    observer.faults.check.push(...Array.from({ length: 100 }, () => 'reset' as const));
    expect(await kit.awaitApproval(attempt, { ask: 'r', withinMs: 60 })).toEqual({ outcome: 'undecided' });
  });

  it('takes a mere allow for consent only where the observer alone had held the call', async () => {
    await start({ decide: () => ({ decision: 'allow', reason: 'nothing unusual' }) });
    const request = { withinMs: 60 };
    expect(await kit.awaitApproval(attempt, request)).toEqual({ outcome: 'approved', reason: 'nothing unusual' });
    expect(await kit.awaitApproval(attempt, { ...request, ask: 'r' })).toEqual({ outcome: 'undecided' });
  });

  it('stops waiting when the session is revoked meanwhile, though a person agrees', async () => {
    let agree = (): void => {};
    const agreed = new Promise<void>((resolve) => {
      agree = resolve;
    });
    await start({
      decide: () => (observer.checks.length > 1 ? APPROVED : HELD),
      hold: async () => {
        await agreed;
        return { state: 'approved' };
      },
    });
    await kit.subscribe();
    const waiting = kit.awaitApproval(attempt, { withinMs: 5_000 });
    await eventually('it waits', () => observer.holdsAskedFor.length === 1);
    observer.write(sse('restriction', revoked(1, 's1'), 1));
    await eventually('it is revoked', () => kit.restrictionOn('a', 's1', 'pay') !== undefined);
    agree();
    expect(await waiting).toMatchObject({ outcome: 'denied', decision: { source: 'memory', commandId: 'cmd-s1' } });
  });

  it('leaves nobody waiting when the client gives up, or the kit closes', async () => {
    await start({ decide: () => HELD, hold: () => new Promise(() => {}) });
    const cancel = new AbortController();
    const given = kit.awaitApproval(attempt, { withinMs: 60_000, signal: cancel.signal });
    const closed = kit.awaitApproval({ ...attempt, callId: 'c2' }, { withinMs: 60_000 });
    await eventually('both wait', () => observer.holdsAskedFor.length === 2);
    cancel.abort();
    expect(await given).toEqual({ outcome: 'undecided', holdId: 'hold_1' });
    await kit.close(0);
    expect(await closed).toEqual({ outcome: 'undecided', holdId: 'hold_1' });
  });
});
