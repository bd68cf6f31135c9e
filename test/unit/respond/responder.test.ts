import { describe, expect, it } from 'vitest';
import type { Command, Restriction } from '../../../src/model/command.js';
import type { Effect } from '../../../src/model/effect.js';
import type { AttemptObservation, ToolCallObservation } from '../../../src/model/observation.js';
import type { RestrictedCall } from '../../../src/respond/restrictions.js';
import { overlayResponse, STANDARD_RESPONSE, type ResponseOverride } from '../../../src/model/response-policy.js';
import { Responder } from '../../../src/respond/responder.js';
import { decodeState } from '../../../src/lib/state-table.js';
import { circumstances, lasting, responderOptions } from '../../support/responses.js';
import { sampleIncident, sampleSignal } from '../../support/samples.js';

const NOW = 10_000_000;

function responder({ response = {}, ...change }: Parameters<typeof responderOptions>[0] = {}): Responder {
  const rungs = { ...lasting(60_000) };
  rungs['freeze-tool'] = { ...rungs['freeze-tool'], toolSessions: 3 };
  const policy = overlayResponse(overlayResponse(STANDARD_RESPONSE, rungs), response);
  return new Responder({ ...responderOptions(change), policyOf: () => policy });
}

function callOf(tool: string, effect: RestrictedCall['effect'] = 'write', sessionId = 's1'): RestrictedCall {
  return { tool, effect, sessionId };
}

function attemptOf(change: Partial<AttemptObservation>): AttemptObservation {
  return {
    id: 'a',
    schemaVersion: 1,
    stream: 'action',
    kind: 'tool_attempt',
    time: 1,
    observedAt: NOW,
    tenant: 'default',
    agentId: 'agent-a',
    principalId: 'gw',
    sessionId: 's1',
    tool: 'send_money',
    effect: 'write',
    targets: [],
    argWords: [],
    argBytes: 0,
    decision: 'none',
    ...change,
  };
}

function commands(effects: Effect[]): Command[] {
  return effects.flatMap((e) => (e.type === 'command' ? [e.value] : []));
}

function restrictions(effects: Effect[]): Restriction[] {
  return effects.flatMap((e) => (e.type === 'restriction' ? [e.value] : []));
}

describe('Responder', () => {
  it('revokes the session of an incident with two independent emitters, once', () => {
    const subject = responder();
    const first = subject.onIncident(sampleIncident(), circumstances(1), NOW);
    expect(commands(first)).toMatchObject([
      { action: 'revoke-session', sessionId: 's1', state: 'sent', dryRun: false },
    ]);
    expect(restrictions(first)).toMatchObject([{ agentId: 'agent-a', revokedSessions: [{ sessionId: 's1' }] }]);
    expect(subject.restrictionOn('default', 'agent-a', callOf('anything'), NOW)).toBeDefined();
    expect(subject.onIncident(sampleIncident({ riskNats: 9 }), circumstances(1), NOW + 1)).toEqual([]);
  });

  it('only proposes when all evidence comes from one hand', () => {
    const effects = responder().onIncident(sampleIncident({ emitters: ['gateway-1'] }), circumstances(1), NOW);
    expect(commands(effects)).toMatchObject([{ state: 'proposed', dryRun: false }]);
    expect(restrictions(effects)).toEqual([]);
  });

  it('acts on a broken invariant even from one emitter', () => {
    const effects = responder().onIncident(
      sampleIncident({ emitters: ['gateway-1'], violation: true }),
      circumstances(1),
      NOW,
    );
    expect(commands(effects)).toMatchObject([{ state: 'sent' }]);
  });

  it('restricts nobody in observe-only and leaves a dry run behind', () => {
    const subject = responder({ mode: 'observe' });
    const effects = subject.onIncident(sampleIncident(), circumstances(1), NOW);
    expect(commands(effects)).toMatchObject([{ state: 'proposed', dryRun: true }]);
    expect(subject.restrictionOn('default', 'agent-a', callOf('send_money'), NOW)).toBeUndefined();
  });

  it('never acts on a listed agent', () => {
    const effects = responder({ response: { neverAct: ['agent-*'] } }).onIncident(
      sampleIncident(),
      circumstances(1),
      NOW,
    );
    expect(commands(effects)).toMatchObject([{ state: 'proposed' }]);
  });

  it('leaves a milder incident to holding', () => {
    expect(responder().onIncident(sampleIncident({ severity: 'medium' }), circumstances(1), NOW)).toEqual([]);
  });

  it('freezes a tool that was misused in several sessions, not before', () => {
    expect(commands(responder().onIncident(sampleIncident(), circumstances(2), NOW))).toMatchObject([
      { action: 'revoke-session' },
    ]);
    const effects = responder().onIncident(sampleIncident(), circumstances(3), NOW);
    expect(commands(effects).map((c) => [c.action, c.tool])).toContainEqual(['freeze-tool', 'send_money']);
  });

  it('freezes no tool that only a detector in shadow has seen', () => {
    const incident = sampleIncident({ signals: [sampleSignal({ shadow: true })] });
    expect(commands(responder().onIncident(incident, circumstances(9), NOW)).map(({ action }) => action)).toEqual([
      'revoke-session',
    ]);
  });

  it('waits for a person above the blast-radius cap, and acts again a minute later', () => {
    const subject = responder({ caps: { commandsPerMinute: 3 } });
    const states = Array.from({ length: 5 }, (_, i) =>
      commands(subject.onIncident(sampleIncident({ id: `inc_${i}`, sessionId: `s${i}` }), circumstances(1), NOW)).map(
        (c) => c.state,
      ),
    );
    expect(states.flat()).toEqual(['sent', 'sent', 'sent', 'proposed', 'proposed']);
    const later = subject.onIncident(sampleIncident({ id: 'inc_9', sessionId: 's9' }), circumstances(1), NOW + 60_001);
    expect(commands(later)).toMatchObject([{ state: 'sent' }]);
  });

  it('lifts everything when the time is up', () => {
    const subject = responder();
    subject.onIncident(sampleIncident(), circumstances(1), NOW);
    const effects = subject.onTime(NOW + 60_000);
    expect(commands(effects)).toMatchObject([{ state: 'expired' }]);
    expect(restrictions(effects)).toMatchObject([{ revokedSessions: [] }]);
    expect(subject.restrictionOn('default', 'agent-a', callOf('x'), NOW)).toBeUndefined();
  });

  it('says so when no gateway confirms, and takes a late confirmation', () => {
    const subject = responder();
    const [command] = commands(subject.onIncident(sampleIncident(), circumstances(1), NOW));
    const again = subject.onTime(NOW + 5_000);
    expect(commands(again)).toMatchObject([{ id: command?.id, state: 'sent', deliveries: 2 }]);
    expect(restrictions(again)).toEqual([]);
    expect(subject.onTime(NOW + 9_999)).toEqual([]);
    const failed = subject.onTime(NOW + 10_000);
    expect(failed).toContainEqual(expect.objectContaining({ type: 'command-event' }));
    expect(commands(failed)).toMatchObject([
      { id: command?.id, state: 'failed' },
      { action: 'suspend-agent', state: 'proposed', reason: expect.stringContaining('not confirmed') },
    ]);
    const ack = {
      time: 1,
      tenant: 'default',
      commandId: command?.id ?? '',
      gatewayId: 'gw',
      effective: 'enforced',
    } as const;
    expect(commands(subject.onAcknowledgement(ack, NOW + 16_000))).toMatchObject([{ state: 'acknowledged' }]);
    expect(subject.onAcknowledgement(ack, NOW + 17_000)).toEqual([]);
  });

  it('waits for every gateway that guards the agent, and for no other', () => {
    const subject = responder();
    for (const principalId of ['gw-1', 'gw-2']) subject.noteCall(attemptOf({ principalId }), NOW - 30_000);
    subject.noteCall(attemptOf({ principalId: 'gw-3', agentId: 'agent-b' }), NOW);
    subject.noteCall(attemptOf({ principalId: 'gw-gone' }), NOW - 60_000);
    const [command] = commands(subject.onIncident(sampleIncident(), circumstances(1), NOW));
    expect(command).toMatchObject({ state: 'sent', awaits: ['gw-1', 'gw-2'] });
    const ack = { time: 1, tenant: 'default', commandId: command?.id ?? '', effective: 'enforced' } as const;
    expect(commands(subject.onAcknowledgement({ ...ack, gatewayId: 'gw-1' }, NOW))).toMatchObject([{ state: 'sent' }]);
    expect(commands(subject.onAcknowledgement({ ...ack, gatewayId: 'gw-2' }, NOW))).toMatchObject([
      { state: 'acknowledged' },
    ]);
  });

  it('suspends where policy may and a revocation is not confirmed, and never because of what a person ordered', () => {
    const climbed = (order: boolean, response: ResponseOverride = {}) => {
      const subject = responder({
        response: { ...response, 'suspend-agent': { mode: 'act', ...response['suspend-agent'] } },
        maxDeliveries: 1,
      });
      if (order) {
        const said = { time: 1, tenant: 'default', agentId: 'agent-a', sessionId: 's1', by: 'ann', reason: 'odd' };
        subject.onOrder({ ...said, order: 'contain', action: 'revoke-session' }, NOW);
      } else subject.onIncident(sampleIncident(), circumstances(1), NOW);
      return commands(subject.onTime(NOW + 5_000)).map(({ action, state }) => [action, state]);
    };
    expect(climbed(false)).toEqual([
      ['revoke-session', 'failed'],
      ['suspend-agent', 'sent'],
    ]);
    for (const asked of [climbed(true), climbed(false, { 'suspend-agent': { neverAct: ['agent-a'] } })]) {
      expect(asked).toEqual([
        ['revoke-session', 'failed'],
        ['suspend-agent', 'proposed'],
      ]);
    }
  });

  it('does with a proposal that nobody decided about what its policy says, within the guard rails', () => {
    const silent = (onTimeout: 'expire' | 'approve' | 'escalate', caps = {}) => {
      const subject = responder({ response: { 'revoke-session': { mode: 'propose', onTimeout } }, caps });
      subject.onIncident(sampleIncident(), circumstances(1), NOW);
      if ('commandsPerMinute' in caps) {
        // Another command of the same minute leaves no room under the cap.
        const other = sampleIncident({ id: 'inc_2', agentId: 'agent-b', severity: 'low' });
        subject.onIncident(other, circumstances(3), NOW + 59_000);
      }
      const [command] = commands(subject.onTime(NOW + 60_000));
      return { subject, command, told: subject.takeTroubles() };
    };
    expect(silent('expire')).toMatchObject({ command: { state: 'expired' }, told: [] });
    const approved = silent('approve');
    expect(approved).toMatchObject({
      command: {
        state: 'sent',
        decidedBy: 'policy',
        decisionReason: 'nobody decided in time',
        expiresAt: NOW + 120_000,
      },
      told: [],
    });
    expect(approved.subject.restrictionOn('default', 'agent-a', callOf('x'), NOW + 60_000)).toBeDefined();
    expect(silent('approve', { commandsPerMinute: 1 })).toMatchObject({ command: { state: 'expired' } });
    const again = silent('escalate');
    expect(again).toMatchObject({
      command: { state: 'proposed', expiresAt: NOW + 120_000 },
      told: [{ kind: 'undecided' }],
    });
    // Told again once and no more.
    expect(commands(again.subject.onTime(NOW + 120_000))).toMatchObject([{ state: 'expired' }]);
  });

  it('believes a gateway no longer that executed what it had confirmed, until it is seen to refuse', () => {
    const subject = responder();
    subject.noteCall(attemptOf({ principalId: 'gw' }), NOW);
    const [command] = commands(subject.onIncident(sampleIncident(), circumstances(1), NOW));
    const commandId = command?.id ?? '';
    const ack = { time: 1, tenant: 'default', commandId, gatewayId: 'gw', effective: 'enforced' } as const;
    subject.onAcknowledgement(ack, NOW);
    const call: ToolCallObservation = { ...attemptOf({ principalId: 'gw' }), kind: 'tool_call', decision: 'allow' };
    expect(commands(subject.onCall(call, NOW + 2_000, commandId))).toMatchObject([
      { state: 'failed', bypassedBy: ['gw'] },
    ]);
    expect(subject.takeTroubles()).toMatchObject([{ kind: 'bypass', gateways: ['gw'], hadConfirmed: true }]);
    expect(subject.onAcknowledgement(ack, NOW + 3_000)).toEqual([]);
    const refused = { ...call, decision: 'deny' as const, ruleId: `parallax:${commandId}` };
    const [proven] = commands(subject.onCall(refused, NOW + 4_000));
    expect(proven).toMatchObject({ state: 'enforced' });
    expect(proven).not.toHaveProperty('bypassedBy');
  });

  it('ignores a confirmation of another tenant or of an unknown command', () => {
    const subject = responder();
    const [command] = commands(subject.onIncident(sampleIncident(), circumstances(1), NOW));
    const base = { time: 1, gatewayId: 'gw', effective: 'enforced' } as const;
    expect(subject.onAcknowledgement({ ...base, tenant: 'other', commandId: command?.id ?? '' }, NOW)).toEqual([]);
    expect(subject.onAcknowledgement({ ...base, tenant: 'default', commandId: 'cmd_none' }, NOW)).toEqual([]);
  });

  it('calls a command enforced after the first refused call that names it', () => {
    const subject = responder();
    const [command] = commands(subject.onIncident(sampleIncident(), circumstances(1), NOW));
    const call: ToolCallObservation = {
      id: 'o',
      schemaVersion: 1,
      stream: 'action',
      kind: 'tool_call',
      time: 1,
      observedAt: NOW,
      tenant: 'default',
      agentId: 'agent-a',
      principalId: 'gw',
      sessionId: 's1',
      tool: 'send_money',
      effect: 'write',
      targets: [],
      argWords: [],
      argBytes: 0,
      decision: 'deny',
      ruleId: `parallax:${command?.id}`,
    };
    expect(commands(subject.onCall(call, NOW))).toMatchObject([{ state: 'enforced' }]);
    expect(subject.onCall(call, NOW)).toEqual([]);
  });

  it('lifts by hand, and a lifted command stays lifted', () => {
    const subject = responder();
    const [command] = commands(subject.onIncident(sampleIncident(), circumstances(1), NOW));
    const order = {
      time: 1,
      tenant: 'default',
      order: 'lift',
      commandId: command?.id ?? '',
      by: 'ann',
      reason: 'false alarm',
    } as const;
    expect(commands(subject.onOrder(order, NOW))).toMatchObject([{ state: 'undone' }]);
    expect(subject.onOrder(order, NOW)).toEqual([]);
    expect(subject.onTime(NOW + 600_000)).toEqual([]);
  });

  it('goes on after a restart from what it handed over', () => {
    const before = responder();
    const [command] = commands(before.onIncident(sampleIncident({ signals: [sampleSignal()] }), circumstances(1), NOW));
    const puts: { key: string; value: Uint8Array }[] = [];
    before.drain(puts, []);
    const held = new Map(puts.map((p) => [p.key, p.value]));
    const after = responder({ load: (key) => held.get(key) });
    after.restore(puts.filter((p) => p.key.startsWith('command/')).map((p) => decodeState(p.value) as Command));
    expect(after.restrictionOn('default', 'agent-a', callOf('x'), NOW)?.commandId).toBe(command?.id);
    expect(after.onIncident(sampleIncident(), circumstances(1), NOW)).toEqual([]);
    expect(commands(after.onTime(NOW + 60_000))).toMatchObject([{ id: command?.id, state: 'expired' }]);
  });

  it('ends commands of the same moment in the same order after a restart', () => {
    const incidents = ['c', 'a', 'b'].map((id) => sampleIncident({ id, sessionId: id }));
    const ended = (restart: boolean) => {
      const held = new Map<string, Uint8Array>();
      const load = (key: string) => held.get(key);
      let subject = responder({ load });
      const issued = incidents.flatMap((incident) => commands(subject.onIncident(incident, circumstances(1), NOW)));
      if (restart) {
        const puts: { key: string; value: Uint8Array }[] = [];
        subject.drain(puts, []);
        for (const { key, value } of puts) held.set(key, value);
        subject = responder({ load });
        subject.restore(issued);
      }
      return commands(subject.onTime(NOW + 60_000)).map(({ id }) => id);
    };
    expect(ended(false)).toHaveLength(3);
    expect(ended(true)).toEqual(ended(false));
  });

  it('remembers over a restart what was sent in the last minute, taken back or not', () => {
    const held = new Map<string, Uint8Array>();
    const load = (key: string) => held.get(key);
    const before = responder({ load, caps: { commandsPerMinute: 1 } });
    const [sent] = commands(before.onIncident(sampleIncident(), circumstances(1), NOW));
    const lift = {
      time: NOW,
      tenant: 'default',
      order: 'lift',
      commandId: sent?.id ?? '',
      by: 'anna',
      reason: 'no',
    } as const;
    const undone = commands(before.onOrder(lift, NOW));
    expect(undone).toMatchObject([{ state: 'undone' }]);
    const puts: { key: string; value: Uint8Array }[] = [];
    before.drain(puts, []);
    for (const { key, value } of puts) held.set(key, value);
    const after = responder({ load, caps: { commandsPerMinute: 1 } });
    after.restore(undone);
    const next = sampleIncident({ id: 'inc_2', sessionId: 's2' });
    expect(commands(after.onIncident(next, circumstances(1), NOW + 1_000))).toMatchObject([{ state: 'proposed' }]);
  });

  it('proposes to suspend a repeat offender, once, and suspends it when a person approves', () => {
    const subject = responder();
    expect(commands(subject.onIncident(sampleIncident(), circumstances(1, 2), NOW)).map((c) => c.action)).not.toContain(
      'suspend-agent',
    );
    const third = sampleIncident({ id: 'inc_3', sessionId: 's3' });
    const proposed = commands(subject.onIncident(third, circumstances(1, 3), NOW)).find(
      (c) => c.action === 'suspend-agent',
    );
    expect(proposed).toMatchObject({ state: 'proposed', reason: expect.stringContaining('repeat offender') });
    const fourth = sampleIncident({ id: 'inc_4', sessionId: 's4', severity: 'medium' });
    expect(subject.onIncident(fourth, circumstances(1, 4), NOW)).toEqual([]);
    const said = { time: 1, tenant: 'default', commandId: proposed?.id ?? '', by: 'ann', reason: 'enough' };
    const effects = subject.onOrder({ ...said, order: 'approve' }, NOW + 30_000);
    expect(commands(effects)).toMatchObject([
      { state: 'approved' },
      { state: 'sent', decidedBy: 'ann', decisionReason: 'enough', issuedAt: NOW + 30_000, expiresAt: NOW + 90_000 },
    ]);
    expect(restrictions(effects)).toMatchObject([{ suspensions: [{ commandId: proposed?.id }] }]);
    const other = callOf('read_mail', 'read', 's99');
    expect(subject.restrictionOn('default', 'agent-a', other, NOW + 30_000)?.action).toBe('suspend-agent');
  });

  it('suspends a repeat offender by itself only where it is told to', () => {
    const subject = responder({ response: { 'suspend-agent': { mode: 'act', priorIncidents: 1 } } });
    const effects = subject.onIncident(sampleIncident({ severity: 'low' }), circumstances(1, 1), NOW);
    expect(commands(effects)).toMatchObject([{ action: 'suspend-agent', state: 'sent' }]);
    expect(
      responder({ response: { 'suspend-agent': { mode: 'off' } } }).onIncident(
        sampleIncident({ severity: 'low' }),
        circumstances(1, 9),
        NOW,
      ),
    ).toEqual([]);
  });

  it('downgrades from the configured severity on, to the configured posture, one at a time', () => {
    const subject = responder({ response: { 'downgrade-posture': { mode: 'act', posture: 'read-only' } } });
    const medium = sampleIncident({ severity: 'medium' });
    expect(commands(subject.onIncident(medium, circumstances(1), NOW))).toMatchObject([
      { action: 'downgrade-posture', posture: 'read-only', state: 'sent' },
    ]);
    expect(subject.onIncident({ ...medium, id: 'inc_2' }, circumstances(1), NOW)).toEqual([]);
    subject.onTime(NOW + 60_000);
    expect(commands(subject.onIncident({ ...medium, id: 'inc_3' }, circumstances(1), NOW + 60_000))).toHaveLength(1);
  });

  it('lets nobody decide about what they proposed themselves, twice, too late, or about a dry run', () => {
    const proposal = (change: Parameters<typeof responderOptions>[0] = {}) => {
      const subject = responder({ response: { neverAct: ['*'] }, ...change });
      const [command] = commands(subject.onIncident(sampleIncident(), circumstances(1), NOW));
      const said = { time: 1, tenant: 'default', commandId: command?.id ?? '', by: 'ann', reason: 'seen' };
      return { subject, said };
    };
    const own = proposal();
    for (const by of ['policy', 'agent-a']) {
      expect(own.subject.onOrder({ ...own.said, by, order: 'approve' }, NOW)).toEqual([]);
    }
    expect(own.subject.onOrder({ ...own.said, tenant: 'other', order: 'approve' }, NOW)).toEqual([]);
    expect(commands(own.subject.onOrder({ ...own.said, order: 'reject' }, NOW))).toMatchObject([
      { state: 'rejected', decidedBy: 'ann' },
    ]);
    expect(own.subject.onOrder({ ...own.said, order: 'approve' }, NOW)).toEqual([]);
    const late = proposal();
    expect(late.subject.onOrder({ ...late.said, order: 'approve' }, NOW + 60_000)).toEqual([]);
    expect(commands(late.subject.onTime(NOW + 60_000))).toMatchObject([{ state: 'expired' }]);
    const dry = proposal({ mode: 'observe' });
    expect(dry.subject.onOrder({ ...dry.said, order: 'approve' }, NOW)).toEqual([]);
  });

  it('takes a call for a bypass only when a gateway confirmed the command a moment before', () => {
    const subject = responder();
    const [command] = commands(subject.onIncident(sampleIncident(), circumstances(1), NOW));
    const obstacle = subject.restrictionOn('default', 'agent-a', callOf('x'), NOW);
    if (obstacle === undefined || command === undefined) throw new Error('nothing is restricted');
    expect(subject.isConfirmed('default', obstacle, NOW + 4_000)).toBe(false);
    const ack = { time: 1, tenant: 'default', commandId: command.id, gatewayId: 'gw', effective: 'enforced' } as const;
    subject.onAcknowledgement(ack, NOW);
    expect(subject.isConfirmed('default', obstacle, NOW + 500)).toBe(false);
    expect(subject.isConfirmed('default', obstacle, NOW + 1_000)).toBe(true);
    expect(subject.wasContained(sampleIncident({ commandIds: [command.id] }))).toBe(true);
    expect(subject.wasContained(sampleIncident({ commandIds: [] }))).toBe(false);
  });
});
