import { describe, expect, it } from 'vitest';
import type { AttemptObservation } from '../../../src/model/observation.js';
import type { Principal } from '../../../src/model/principal.js';
import type { CheckAnswer, CheckRequest } from '../../../src/model/wire.js';
import { Checker } from '../../../src/respond/checker.js';

const GATEWAY: Principal = { id: 'gw', role: 'gateway', tenant: 't', streams: new Set(['action']), agents: ['*'] };
const ANSWER: CheckAnswer = {
  decision: 'deny',
  wouldBe: 'deny',
  reason: 'r',
  riskNats: 1,
  thresholdNats: 2,
  timedOut: false,
};

function request(callId: string): CheckRequest {
  return { time: 1, agentId: 'a', sessionId: 's', callId, tool: 'x', effect: 'write' };
}

function attempt(callId: string): AttemptObservation {
  return {
    id: callId,
    schemaVersion: 1,
    stream: 'action',
    kind: 'tool_attempt',
    time: 1,
    observedAt: 1,
    tenant: 't',
    agentId: 'a',
    principalId: 'gw',
    sessionId: 's',
    callId,
    tool: 'x',
    effect: 'write',
    targets: [],
    argWords: [],
    argBytes: 0,
    decision: 'none',
  };
}

function checker(deadlineMs: number, logged: () => Promise<unknown> = () => Promise.resolve()): Checker {
  return new Checker({
    mode: 'act',
    deadlineMs,
    onTimeout: 'hold',
    submit: ({ callId }) => ({ observation: attempt(callId), logged: logged() }),
  });
}

describe('Checker', () => {
  it('answers with what scoring decided', async () => {
    const subject = checker(10_000);
    const waiting = subject.check(request('c1'), GATEWAY);
    expect(subject.stats().waiting).toBe(1);
    subject.answer('c1', ANSWER);
    expect(await waiting).toEqual(ANSWER);
    expect(subject.stats()).toEqual({ waiting: 0, answered: 1, timedOut: 0 });
  });

  it('gives everybody who asks about the same call the same answer', async () => {
    const subject = checker(10_000);
    const both = [subject.check(request('c1'), GATEWAY), subject.check(request('c1'), GATEWAY)];
    subject.answer('c1', ANSWER);
    expect(await Promise.all(both)).toEqual([ANSWER, ANSWER]);
  });

  it('holds when scoring does not answer before the deadline, and forgets the question', async () => {
    const subject = checker(5);
    expect(await subject.check(request('c1'), GATEWAY)).toMatchObject({ decision: 'hold', timedOut: true });
    expect(subject.stats()).toEqual({ waiting: 0, answered: 1, timedOut: 1 });
    subject.answer('c1', ANSWER);
  });

  it('never waits longer than the gateway does', async () => {
    const subject = checker(60_000);
    expect(await subject.check({ ...request('c1'), deadlineMs: 5 }, GATEWAY)).toMatchObject({ timedOut: true });
  });

  it('keeps the deadline when the log hangs', async () => {
    const subject = checker(5, () => new Promise(() => {}));
    expect(await subject.check(request('c1'), GATEWAY)).toMatchObject({ decision: 'hold', timedOut: true });
  });

  it('fails when the attempt cannot be logged', async () => {
    const subject = checker(5, () => Promise.reject(new Error('log full')));
    await expect(subject.check(request('c1'), GATEWAY)).rejects.toThrow('log full');
  });
});
