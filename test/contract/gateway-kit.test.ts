import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayClient } from '../../src/gateway/client.js';
import type { Command } from '../../src/model/command.js';
import type { LogRecord } from '../../src/model/log-record.js';
import { secretOf, startApi, type ApiStack } from '../support/api-stack.js';
import { eventually } from '../support/eventually.js';
import { attempt, auditCall, auditResult, kitFor, revokeCommand, revoked } from '../unit/gateway/kit.js';

/** The kit and the real API keep to the same contract, over real HTTP and with a real log. */
describe('the gateway kit against the API', () => {
  let api: ApiStack;
  let kit: GatewayClient;

  beforeEach(async () => {
    api = await startApi();
    ({ kit } = kitFor(api.url, { key: secretOf('gateway') }));
  });
  afterEach(async () => {
    await kit.close(0);
    await api.close();
  });
  const isRevoked = (sessionId: string) => kit.restrictionOn('a', sessionId, 'read') !== undefined;
  function issue(sessionId: string): Command {
    const command = revokeCommand(sessionId);
    api.board.commands.push(command);
    return command;
  }
  const observationsOf = (records: LogRecord[]) =>
    records
      .flatMap((r) => (r.type === 'observation' ? [r.value] : []))
      .map(({ kind, principalId }) => [kind, principalId]);

  it('asks, and gets an answer it understands', async () => {
    expect(await kit.check({ ...attempt, args: { iban: 'DE1' }, seq: 4 })).toMatchObject({
      decision: 'allow',
      source: 'observer',
      reason: 'test',
    });
    expect(api.checks).toMatchObject([{ ...attempt, args: { iban: 'DE1' }, seq: 4 }]);
  });

  it('has its audit records logged under its own principal, refusals named', async () => {
    kit.observe([auditCall(1), auditResult(1), auditCall(2, '')]);
    expect(await kit.flush(10_000)).toBe(false);
    expect(kit.counters()).toMatchObject({ auditDelivered: 2, auditRefused: 1 });
    expect(observationsOf(api.logged())).toEqual([
      ['tool_call', 'gateway'],
      ['tool_result', 'gateway'],
    ]);
  });

  it('takes the state and the changes, and has its acknowledgements recorded', async () => {
    issue('s1');
    api.board.state = [revoked(1, 's1')];
    expect(await kit.subscribe()).toBe(true);
    expect(isRevoked('s1')).toBe(true);
    api.board.push({ type: 'command', value: issue('s2') });
    api.board.push({ type: 'restriction', value: revoked(2, 's1', 's2') });
    await eventually('s2 is revoked', () => isRevoked('s2'));
    api.board.push({ type: 'command', value: { ...revokeCommand('s1'), state: 'undone' } });
    api.board.push({ type: 'restriction', value: revoked(3, 's2') });
    await eventually('three acknowledgements', () => api.journal.acks.length === 3);
    expect(isRevoked('s1')).toBe(false);
    expect(api.journal.acks.map(({ commandId, gatewayId, effective }) => [commandId, gatewayId, effective])).toEqual([
      ['cmd-s1', 'gateway', 'enforced'],
      ['cmd-s2', 'gateway', 'enforced'],
      ['cmd-s1', 'gateway', 'lifted'],
    ]);
  });

  it('enforces what hits the whole agent, from the state, the command and the change, and confirms it', async () => {
    const expiresAt = Date.now() + 3_600_000;
    const entryOf = (commandId: string) => ({ commandId, expiresAt, reason: 'odd' });
    const { sessionId: _, ...base } = revokeCommand('s1');
    const lower: Command = { ...base, id: 'cmd-lower', action: 'downgrade-posture', posture: 'approval' };
    const suspend: Command = { ...base, id: 'cmd-off', action: 'suspend-agent' };
    api.board.commands.push(lower, suspend);
    const lowered = { ...revoked(1), downgrades: [{ posture: 'approval' as const, ...entryOf(lower.id) }] };
    api.board.state = [lowered];
    expect(await kit.subscribe()).toBe(true);
    expect(await kit.check(attempt)).toMatchObject({
      decision: 'hold',
      source: 'memory',
      restriction: 'downgrade-posture',
      reason: expect.stringContaining('this agent needs approval for everything but reading until'),
    });
    expect(await kit.check({ ...attempt, effect: 'read' })).toMatchObject({ decision: 'allow', source: 'passed' });
    expect(api.checks).toEqual([]);
    api.board.push({ type: 'command', value: suspend });
    await eventually('it is suspended', () => kit.restrictionOn('a', 'other', 'look', 'read') !== undefined);
    expect(kit.restrictionOn('b', 'other', 'look', 'read')).toBeUndefined();
    // What ends before it was confirmed is confirmed as lifted alone.
    await eventually('both are confirmed', () => api.journal.acks.length === 2);
    api.board.push({ type: 'restriction', value: { ...lowered, version: 2, suspensions: [entryOf(suspend.id)] } });
    api.board.push({ type: 'restriction', value: { ...lowered, version: 3 } });
    await eventually('three acknowledgements', () => api.journal.acks.length === 3);
    expect(api.journal.acks.map(({ commandId, effective }) => [commandId, effective])).toEqual([
      ['cmd-lower', 'enforced'],
      ['cmd-off', 'enforced'],
      ['cmd-off', 'lifted'],
    ]);
    expect(kit.restrictionOn('a', 'other', 'pay', 'write')?.decision).toBe('hold');
  });

  it('lives on heartbeats alone', async () => {
    await kit.close(0);
    ({ kit } = kitFor(api.url, { key: secretOf('gateway'), limits: { silenceMs: 2_000 } }));
    await kit.subscribe();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(kit.counters()).toMatchObject({ streamConnects: 1, streamLosses: 0 });
  });

  it('misses nothing and confirms nothing twice while its connection comes and goes', async () => {
    await kit.close(0);
    // Less patience than the observer's heartbeats take: the kit reconnects all the time.
    ({ kit } = kitFor(api.url, {
      key: secretOf('gateway'),
      limits: { retryBaseMs: 5, retryMaxMs: 20, silenceMs: 100 },
    }));
    await kit.subscribe();
    const sessions = ['s1', 's2', 's3', 's4', 's5'];
    for (const [n, sessionId] of sessions.entries()) {
      await eventually('another connection', () => kit.counters().streamConnects > n);
      api.board.push({ type: 'command', value: issue(sessionId) });
      api.board.push({ type: 'restriction', value: revoked(n + 1, ...sessions.slice(0, n + 1)) });
    }
    await eventually('all are revoked', () => sessions.every(isRevoked));
    await eventually('all are acknowledged', () => api.journal.acks.length >= sessions.length);
    const losses = kit.counters().streamLosses;
    await eventually('more connections', () => kit.counters().streamLosses > losses + 2);
    expect(api.journal.acks.map((a) => a.commandId)).toEqual(sessions.map((s) => `cmd-${s}`));
  });

  it('says so when its key may not ask', async () => {
    await kit.close(0);
    const mute = kitFor(api.url, { key: secretOf('viewer') });
    kit = mute.kit;
    expect(await kit.check(attempt)).toMatchObject({ decision: 'deny', source: 'posture' });
    expect(mute.events).toMatchObject([{ type: 'check-unanswered', cause: 'the observer answered 403' }]);
  });
});
