import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RecordedOutcome } from '../../../src/gateway/reference/tools.js';
import type { CheckAnswer } from '../../../src/model/wire.js';
import { eventually } from '../../support/eventually.js';
import { FakeObserver, sse } from '../../support/fake-observer.js';
import { APPROVER_KEY, CALLER_KEY, startGateway, type GatewayStack } from '../../support/gateway-stack.js';
import { revoked } from './kit.js';

const outcomes: RecordedOutcome[] = [
  { sessionId: 's1', callId: 'c1', tool: 'read_bill', effect: 'read', resultClass: 1, text: 'pay DE9' },
  { sessionId: 's1', callId: 'c2', tool: 'send_money', effect: 'write', resultClass: 0, error: 'ValueError' },
  { sessionId: 's1', callId: 'c3', tool: 'delete_all', effect: 'write', resultClass: 0, refused: 'policy_tool' },
];
const call = { agentId: 'a', sessionId: 's1', time: 1_700_000_000_000 };
const read = { ...call, callId: 'c1', seq: 3, tool: 'read_bill', effect: 'read', args: {} };
const write = { ...call, callId: 'c2', seq: 5, tool: 'send_money', effect: 'write', args: { iban: 'DE9' } };

describe('reference gateway', () => {
  let observer: FakeObserver;
  let stack: GatewayStack;
  let decision: Partial<CheckAnswer>;

  beforeEach(async () => {
    decision = {};
    observer = await new FakeObserver({ decide: () => decision }).start();
  });
  afterEach(async () => {
    await stack.stop();
    await observer.stop();
  });
  const post = async (path: string, body: unknown, key = CALLER_KEY): Promise<{ status: number; body: unknown }> => {
    const response = await fetch(stack.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  };

  it('executes what is allowed and reports call and result under its own key', async () => {
    stack = await startGateway(observer.url, outcomes);
    expect((await post('/call', read)).body).toMatchObject({
      executed: true,
      decision: 'allow',
      result: { resultClass: 1, text: 'pay DE9' },
      check: { source: 'passed' },
    });
    expect((await post('/call', write)).body).toMatchObject({ executed: true, result: { error: 'ValueError' } });
    expect(observer.checks.map((c) => c.callId)).toEqual(['c2']);
    expect(observer.received.map((r) => r.key)).toEqual(['gateway-key', 'gateway-key', 'gateway-key']);
    expect(observer.records()).toMatchObject([
      { kind: 'tool_call', callId: 'c1', seq: 3, decision: 'allow', effect: 'read', resultClass: 1, time: call.time },
      { kind: 'tool_result', callId: 'c1', seq: 4, text: 'pay DE9' },
      { kind: 'tool_call', callId: 'c2', seq: 5, decision: 'allow', error: 'ValueError', args: { iban: 'DE9' } },
    ]);
  });

  it('refuses what the observer denies, and names the incident in its audit', async () => {
    stack = await startGateway(observer.url, outcomes);
    decision = { decision: 'deny', wouldBe: 'deny', incidentId: 'inc-1', reason: 'new target' };
    expect((await post('/call', write)).body).toMatchObject({
      executed: false,
      refusedBy: 'observer',
      reason: 'new target',
    });
    expect(observer.records()).toMatchObject([
      { kind: 'tool_call', decision: 'deny', rawDecision: 'deny', ruleId: 'parallax:inc-1', reason: 'new target' },
    ]);
    expect(observer.records()[0]).not.toHaveProperty('resultClass');
  });

  it('refuses a held call when no person decides in time', async () => {
    stack = await startGateway(observer.url, outcomes, { holdMs: 20 });
    decision = { decision: 'hold', wouldBe: 'hold' };
    expect((await post('/call', write)).body).toMatchObject({
      executed: false,
      decision: 'timeout',
      refusedBy: 'hold',
    });
    expect(observer.records()).toMatchObject([{ decision: 'timeout', rawDecision: 'hold' }]);
  });

  it.each([
    [true, { executed: true, decision: 'allow' }, { decision: 'allow', rawDecision: 'hold', approvalId: 'hold-1' }],
    [false, { executed: false, refusedBy: 'person' }, { decision: 'deny', rawDecision: 'hold' }],
  ])('lets a person decide about a held call (approve: %s), but not its caller', async (approve, answer, audit) => {
    stack = await startGateway(observer.url, outcomes, { holdMs: 60_000 });
    decision = { decision: 'hold', wouldBe: 'hold', incidentId: 'inc-1' };
    const waiting = post('/call', write);
    await eventually('the call is held', () => stack.gateway.holds.list().length === 1);
    expect((await post('/holds/hold-1', { approve: true, by: 'agent' })).status).toBe(401);
    expect((await post('/holds/hold-9', { approve, by: 'ada' }, APPROVER_KEY)).status).toBe(404);
    expect((await post('/holds/hold-1', { approve, by: 'ada' }, APPROVER_KEY)).status).toBe(200);
    expect((await waiting).body).toMatchObject(answer);
    expect(observer.records()).toMatchObject([audit]);
  });

  it('does not execute an approved call of a session that was revoked meanwhile', async () => {
    stack = await startGateway(observer.url, outcomes, { holdMs: 60_000 });
    decision = { decision: 'hold', wouldBe: 'hold' };
    const waiting = post('/call', write);
    await eventually('the call is held', () => stack.gateway.holds.list().length === 1);
    observer.write(sse('restriction', revoked(1, 's1'), 1));
    await eventually('in force', () => stack.kit.counters().restrictionsHeld === 1);
    await post('/holds/hold-1', { approve: true, by: 'ada' }, APPROVER_KEY);
    expect((await waiting).body).toMatchObject({ executed: false, refusedBy: 'command' });
    expect(observer.records()).toMatchObject([{ decision: 'deny', ruleId: 'parallax:cmd-s1' }]);
  });

  it('lets its own policy refuse first, without asking', async () => {
    stack = await startGateway(observer.url, outcomes);
    const refused = { ...write, callId: 'c3', tool: 'delete_all' };
    expect((await post('/call', refused)).body).toMatchObject({
      executed: false,
      refusedBy: 'policy',
      reason: 'policy_tool',
    });
    expect(observer.checks).toHaveLength(0);
    expect(observer.records()).toMatchObject([{ decision: 'deny', reason: 'policy_tool' }]);
  });

  it('only enforces commands in `subscribe`, and nothing in `none`', async () => {
    decision = { decision: 'deny', wouldBe: 'deny' };
    observer.greeting = () => sse('state', { restrictions: [revoked(1, 's1')] }, 1);
    stack = await startGateway(observer.url, outcomes, { enforce: 'subscribe' });
    expect((await post('/call', read)).body).toMatchObject({ executed: false, refusedBy: 'command' });
    expect((await post('/call', { ...write, sessionId: 's2' })).body).toMatchObject({ executed: true });
    await stack.stop();
    stack = await startGateway(observer.url, outcomes, { enforce: 'none' });
    expect((await post('/call', read)).body).toMatchObject({ executed: true });
    expect(observer.checks).toHaveLength(0);
  });

  it('does not let an untrusted caller date its calls, call a write a read or name its own sources', async () => {
    stack = await startGateway(observer.url, outcomes, { trustCaller: false });
    const targets = [{ field: 'iban', kind: 'iban', value: 'DE9', origin: 'prompt' }];
    await post('/call', { ...write, effect: 'read', time: 5, targets });
    await post('/call', { ...write, tool: 'unheard_of', effect: 'read' });
    expect(observer.checks.map((c) => c.effect)).toEqual(['write', 'unknown']);
    const [record] = observer.records('tool_call');
    expect(record).toMatchObject({ effect: 'write' });
    expect(record).not.toHaveProperty('targets');
    expect(record).not.toHaveProperty('seq');
    expect(Number(record?.['time'])).toBeGreaterThan(call.time);
  });

  it('gives every call an audit id of its own, whatever ids the caller repeats', async () => {
    stack = await startGateway(observer.url, outcomes);
    await post('/call', read);
    await post('/call', read);
    expect(new Set(observer.records().map((r) => r['id'])).size).toBe(4);
  });

  it('keeps strangers and unreadable calls out', async () => {
    stack = await startGateway(observer.url, outcomes);
    expect((await post('/call', read, 'stranger')).status).toBe(401);
    expect(await post('/call', '{"agentId":')).toMatchObject({ status: 400 });
    expect(await post('/call', { ...read, tool: 7 })).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining('tool:') },
    });
    expect(await post('/call', { ...read, id: 'mine' })).toMatchObject({ status: 400 });
    const large = await fetch(`${stack.url}/call`, { method: 'POST', body: 'x'.repeat(600_000) });
    expect(large.status).toBe(413);
    expect(observer.received).toHaveLength(0);
  });
});
