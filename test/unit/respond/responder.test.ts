import { describe, expect, it } from 'vitest';
import type { Command, Restriction } from '../../../src/model/command.js';
import type { Effect } from '../../../src/model/effect.js';
import type { ToolCallObservation } from '../../../src/model/observation.js';
import type { RestrictedCall } from '../../../src/respond/restrictions.js';
import { Responder, type ResponderOptions } from '../../../src/respond/responder.js';
import { decodeState } from '../../../src/lib/state-table.js';
import { sampleIncident, sampleSignal } from '../../support/samples.js';

const NOW = 10_000_000;

function responder(change: Partial<ResponderOptions> = {}): Responder {
  return new Responder({
    mode: 'act',
    containmentMs: 60_000,
    acknowledgeMs: 5_000,
    maxCommandsPerMinute: 20,
    neverAct: [],
    revokeFrom: 'high',
    freezeAfterSessions: 3,
    downgrade: 'off',
    downgradeFrom: 'medium',
    downgradeTo: 'approval',
    suspend: 'propose',
    suspendAfterIncidents: 3,
    load: () => undefined,
    ...change,
  });
}

function counts(sameToolSessions: number, priorIncidents = 0) {
  return { sameToolSessions, priorIncidents };
}

function callOf(tool: string, effect: RestrictedCall['effect'] = 'write', sessionId = 's1'): RestrictedCall {
  return { tool, effect, sessionId };
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
    const first = subject.onIncident(sampleIncident(), counts(1), NOW);
    expect(commands(first)).toMatchObject([
      { action: 'revoke-session', sessionId: 's1', state: 'sent', dryRun: false },
    ]);
    expect(restrictions(first)).toMatchObject([{ agentId: 'agent-a', revokedSessions: [{ sessionId: 's1' }] }]);
    expect(subject.restrictionOn('default', 'agent-a', callOf('anything'), NOW)).toBeDefined();
    expect(subject.onIncident(sampleIncident({ riskNats: 9 }), counts(1), NOW + 1)).toEqual([]);
  });

  it('only proposes when all evidence comes from one hand', () => {
    const effects = responder().onIncident(sampleIncident({ emitters: ['gateway-1'] }), counts(1), NOW);
    expect(commands(effects)).toMatchObject([{ state: 'proposed', dryRun: false }]);
    expect(restrictions(effects)).toEqual([]);
  });

  it('acts on a broken invariant even from one emitter', () => {
    const effects = responder().onIncident(
      sampleIncident({ emitters: ['gateway-1'], violation: true }),
      counts(1),
      NOW,
    );
    expect(commands(effects)).toMatchObject([{ state: 'sent' }]);
  });

  it('restricts nobody in observe-only and leaves a dry run behind', () => {
    const subject = responder({ mode: 'observe' });
    const effects = subject.onIncident(sampleIncident(), counts(1), NOW);
    expect(commands(effects)).toMatchObject([{ state: 'proposed', dryRun: true }]);
    expect(subject.restrictionOn('default', 'agent-a', callOf('send_money'), NOW)).toBeUndefined();
  });

  it('never acts on a listed agent', () => {
    const effects = responder({ neverAct: ['agent-*'] }).onIncident(sampleIncident(), counts(1), NOW);
    expect(commands(effects)).toMatchObject([{ state: 'proposed' }]);
  });

  it('leaves a milder incident to holding', () => {
    expect(responder().onIncident(sampleIncident({ severity: 'medium' }), counts(1), NOW)).toEqual([]);
  });

  it('freezes a tool that was misused in several sessions, not before', () => {
    expect(commands(responder().onIncident(sampleIncident(), counts(2), NOW))).toMatchObject([
      { action: 'revoke-session' },
    ]);
    const effects = responder().onIncident(sampleIncident(), counts(3), NOW);
    expect(commands(effects).map((c) => [c.action, c.tool])).toContainEqual(['freeze-tool', 'send_money']);
  });

  it('freezes no tool that only a detector in shadow has seen', () => {
    const incident = sampleIncident({ signals: [sampleSignal({ shadow: true })] });
    expect(commands(responder().onIncident(incident, counts(9), NOW)).map(({ action }) => action)).toEqual([
      'revoke-session',
    ]);
  });

  it('waits for a person above the blast-radius cap, and acts again a minute later', () => {
    const subject = responder({ maxCommandsPerMinute: 3 });
    const states = Array.from({ length: 5 }, (_, i) =>
      commands(subject.onIncident(sampleIncident({ id: `inc_${i}`, sessionId: `s${i}` }), counts(1), NOW)).map(
        (c) => c.state,
      ),
    );
    expect(states.flat()).toEqual(['sent', 'sent', 'sent', 'proposed', 'proposed']);
    const later = subject.onIncident(sampleIncident({ id: 'inc_9', sessionId: 's9' }), counts(1), NOW + 60_001);
    expect(commands(later)).toMatchObject([{ state: 'sent' }]);
  });

  it('lifts everything when the time is up', () => {
    const subject = responder();
    subject.onIncident(sampleIncident(), counts(1), NOW);
    const effects = subject.onTime(NOW + 60_000);
    expect(commands(effects)).toMatchObject([{ state: 'expired' }]);
    expect(restrictions(effects)).toMatchObject([{ revokedSessions: [] }]);
    expect(subject.restrictionOn('default', 'agent-a', callOf('x'), NOW)).toBeUndefined();
  });

  it('says so when no gateway confirms, and takes a late confirmation', () => {
    const subject = responder();
    const [command] = commands(subject.onIncident(sampleIncident(), counts(1), NOW));
    const failed = subject.onTime(NOW + 5_000);
    expect(failed).toContainEqual(expect.objectContaining({ type: 'command-event' }));
    expect(commands(failed)).toMatchObject([{ state: 'failed' }]);
    const ack = {
      time: 1,
      tenant: 'default',
      commandId: command?.id ?? '',
      gatewayId: 'gw',
      effective: 'enforced',
    } as const;
    expect(commands(subject.onAcknowledgement(ack, NOW + 6_000))).toMatchObject([{ state: 'acknowledged' }]);
    expect(subject.onAcknowledgement(ack, NOW + 7_000)).toEqual([]);
  });

  it('ignores a confirmation of another tenant or of an unknown command', () => {
    const subject = responder();
    const [command] = commands(subject.onIncident(sampleIncident(), counts(1), NOW));
    const base = { time: 1, gatewayId: 'gw', effective: 'enforced' } as const;
    expect(subject.onAcknowledgement({ ...base, tenant: 'other', commandId: command?.id ?? '' }, NOW)).toEqual([]);
    expect(subject.onAcknowledgement({ ...base, tenant: 'default', commandId: 'cmd_none' }, NOW)).toEqual([]);
  });

  it('calls a command enforced after the first refused call that names it', () => {
    const subject = responder();
    const [command] = commands(subject.onIncident(sampleIncident(), counts(1), NOW));
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
    const [command] = commands(subject.onIncident(sampleIncident(), counts(1), NOW));
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
    const [command] = commands(before.onIncident(sampleIncident({ signals: [sampleSignal()] }), counts(1), NOW));
    const puts: { key: string; value: Uint8Array }[] = [];
    before.drain(puts, []);
    const held = new Map(puts.map((p) => [p.key, p.value]));
    const after = responder({ load: (key) => held.get(key) });
    after.restore(puts.filter((p) => p.key.startsWith('command/')).map((p) => decodeState(p.value) as Command));
    expect(after.restrictionOn('default', 'agent-a', callOf('x'), NOW)?.commandId).toBe(command?.id);
    expect(after.onIncident(sampleIncident(), counts(1), NOW)).toEqual([]);
    expect(commands(after.onTime(NOW + 60_000))).toMatchObject([{ id: command?.id, state: 'expired' }]);
  });

  it('ends commands of the same moment in the same order after a restart', () => {
    const incidents = ['c', 'a', 'b'].map((id) => sampleIncident({ id, sessionId: id }));
    const ended = (restart: boolean) => {
      const held = new Map<string, Uint8Array>();
      const load = (key: string) => held.get(key);
      let subject = responder({ load });
      const issued = incidents.flatMap((incident) => commands(subject.onIncident(incident, counts(1), NOW)));
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
    const before = responder({ load, maxCommandsPerMinute: 1 });
    const [sent] = commands(before.onIncident(sampleIncident(), counts(1), NOW));
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
    const after = responder({ load, maxCommandsPerMinute: 1 });
    after.restore(undone);
    const next = sampleIncident({ id: 'inc_2', sessionId: 's2' });
    expect(commands(after.onIncident(next, counts(1), NOW + 1_000))).toMatchObject([{ state: 'proposed' }]);
  });
});
