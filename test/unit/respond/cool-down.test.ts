import { describe, expect, it } from 'vitest';
import { decodeState } from '../../../src/lib/state-table.js';
import type { Command } from '../../../src/model/command.js';
import type { Effect } from '../../../src/model/effect.js';
import type { ResponseOverride } from '../../../src/model/response-policy.js';
import { CoolDown, needsRest } from '../../../src/respond/cool-down.js';
import { CommandRate } from '../../../src/respond/command-rate.js';
import { Responder } from '../../../src/respond/responder.js';
import { circumstances, responderOptions } from '../../support/responses.js';
import { sampleCommand, sampleIncident } from '../../support/samples.js';

const HOUR_MS = 60 * 60_000;
const START = 1_000 * HOUR_MS;
const LATER = START + 10 * HOUR_MS;
const FREEZE: ResponseOverride = { 'freeze-tool': { toolSessions: 1 }, 'revoke-session': { mode: 'off' } };

function commandsOf(effects: readonly Effect[]): Command[] {
  return effects.flatMap((effect) => (effect.type === 'command' ? [effect.value] : []));
}

/** One agent that misuses the same tool again as soon as it may. */
class Relapse {
  readonly stored = new Map<string, Uint8Array>();
  now = START;
  #incidents = 0;
  #responder: Responder;

  constructor(readonly response: ResponseOverride = FREEZE) {
    this.#responder = this.#open();
  }

  misuse(): Command | undefined {
    const n = ++this.#incidents;
    const incident = sampleIncident({ id: `inc_${n}`, sessionId: `s${n}` });
    return commandsOf(this.#responder.onIncident(incident, circumstances(1), this.now))[0];
  }

  pass(ms: number): Command[] {
    this.now += ms;
    return commandsOf(this.#responder.onTime(this.now));
  }

  order(order: 'lift' | 'approve', commandId: string | undefined): Command[] {
    const said = { time: this.now, tenant: 'default', commandId: commandId ?? '', by: 'ann', reason: 'seen' };
    return commandsOf(this.#responder.onOrder({ ...said, order }, this.now));
  }

  restart(): void {
    const puts: { key: string; value: Uint8Array }[] = [];
    const deletes: string[] = [];
    this.#responder.drain(puts, deletes);
    for (const { key, value } of puts) this.stored.set(key, value);
    for (const key of deletes) this.stored.delete(key);
    this.#responder = this.#open();
    const commands = [...this.stored].filter(([key]) => key.startsWith('command/'));
    this.#responder.restore(commands.map(([, value]) => decodeState(value) as Command));
  }

  #open(): Responder {
    return new Responder(responderOptions({ response: this.response, load: (key) => this.stored.get(key) }));
  }
}

describe('a proposal that nobody decides about', () => {
  it('does not go out by silence over a tool that a person has just given back', () => {
    const onSilence = { mode: 'propose', onTimeout: 'approve', proposalMs: 2 * HOUR_MS } as const;
    const loop = new Relapse({ ...FREEZE, 'freeze-tool': { toolSessions: 1, ...onSilence } });
    const first = loop.misuse();
    loop.pass(HOUR_MS / 2);
    const second = loop.misuse();
    expect([first?.state, second?.state]).toEqual(['proposed', 'proposed']);
    expect(loop.pass(1.5 * HOUR_MS).map(({ id, state }) => [id, state])).toContainEqual([first?.id, 'sent']);
    expect(loop.order('lift', first?.id).at(-1)?.state).toBe('undone');
    const states = loop.pass(HOUR_MS / 2).filter(({ id }) => id === second?.id);
    expect(states.map(({ state }) => state)).toEqual(['expired']);
  });
});

describe('a loop of containment and recovery', () => {
  it.each([false, true])('ends at the fourth containment within a day: a person decides (restarts: %s)', (restarts) => {
    const loop = new Relapse();
    const states: (string | undefined)[] = [];
    for (let turn = 0; turn < 6; turn++) {
      states.push(loop.misuse()?.state);
      if (restarts) loop.restart();
      loop.pass(HOUR_MS);
      if (restarts) loop.restart();
    }
    expect(states).toEqual(['sent', 'sent', 'sent', 'proposed', 'proposed', 'proposed']);
    const waiting = loop.misuse();
    expect(waiting).toMatchObject({
      waitsFor: 'cool-down',
      reason:
        'send_money is unusual for this request (misused in 1 sessions of this agent; cool-down: contained 3 times within 24 h)',
    });
    // Whoever looks may contain it again; and a day later the first containments count no more.
    expect(loop.order('approve', waiting?.id).at(-1)).toMatchObject({ state: 'sent' });
    loop.pass(25 * HOUR_MS);
    expect(loop.misuse()?.state).toBe('sent');
  });

  it('does not impose again at once what a person has lifted', () => {
    const loop = new Relapse();
    const first = loop.misuse();
    expect(loop.order('lift', first?.id)).toMatchObject([{ state: 'undone', liftedAt: START }]);
    loop.pass(10 * 60_000);
    loop.restart();
    const again = loop.misuse();
    expect(again).toMatchObject({ state: 'proposed', waitsFor: 'cool-down' });
    expect(again?.reason).toContain('cool-down: a person lifted this 10 min ago');
    loop.pass(HOUR_MS);
    expect(loop.misuse()?.state).toBe('sent');
  });

  it('takes an expiry for no person', () => {
    const loop = new Relapse();
    loop.misuse();
    expect(loop.pass(HOUR_MS)).toMatchObject([{ state: 'expired' }]);
    expect(loop.misuse()?.state).toBe('sent');
  });
});

describe('CoolDown', () => {
  const scope = { tenant: 'default', agentId: 'agent-a', action: 'freeze-tool', tool: 'send_money' } as const;
  const sent = (id: string, change: Partial<Command> = {}) =>
    sampleCommand({ id, sentAt: START, expiresAt: START + HOUR_MS, incidentId: `inc_${id}`, ...change });

  it('counts what policy did to the same subject, and nothing else', () => {
    const subject = new CoolDown();
    subject.note(sent('a'));
    subject.note(sent('a', { state: 'expired' }));
    subject.note(sent('other-tool', { tool: 'read_mail' }));
    subject.note(sent('other-agent', { agentId: 'agent-b' }));
    subject.note(sent('other-tenant', { tenant: 'elsewhere' }));
    subject.note(sent('suspension', { action: 'suspend-agent' }));
    const { incidentId: _, ...byHand } = sent('by-hand');
    subject.note(byHand);
    const { sentAt: __, ...onlyProposed } = sent('proposed', { state: 'proposed' });
    subject.note(onlyProposed);
    expect(subject.history(scope, 'inc_new', LATER)).toEqual({ containedAt: [START] });
    expect(subject.history(scope, 'inc_a', LATER)).toEqual({ containedAt: [] });
    expect(subject.history({ ...scope, tool: 'read_mail' }, '', LATER)).toEqual({ containedAt: [START] });
    const revoke = { tenant: 'default', agentId: 'agent-a', action: 'revoke-session', sessionId: 's1' } as const;
    subject.note(sent('s1', { action: 'revoke-session', sessionId: 's1' }));
    subject.note(sent('s2', { action: 'revoke-session', sessionId: 's2' }));
    expect(subject.history(revoke, '', LATER).containedAt).toHaveLength(1);
  });

  it('counts what overlaps once, and nothing while a containment lasts', () => {
    const subject = new CoolDown();
    const span = (id: string, from: number, to: number) =>
      subject.note(sent(id, { sentAt: START + from, expiresAt: START + to }));
    span('a', 0, 100);
    span('b', 50, 150);
    span('c', 140, 160);
    span('d', 160, 170);
    expect(subject.history(scope, '', START + 170).containedAt).toEqual([START, START + 160]);
    expect(subject.history(scope, '', START + 169).containedAt).toEqual([]);
    subject.note(sent('d', { sentAt: START + 160, expiresAt: START + 170, state: 'undone', liftedAt: START + 165 }));
    expect(subject.history(scope, '', START + 169).containedAt).toEqual([START, START + 160]);
  });

  it('extends a lift to what covers the same: the whole agent, not another tool', () => {
    const subject = new CoolDown();
    subject.note(sent('a', { state: 'undone', liftedAt: START + 5 }));
    expect(subject.history(scope, '', LATER).liftedAt).toBe(START + 5);
    expect(subject.history({ ...scope, action: 'suspend-agent' }, '', LATER).liftedAt).toBe(START + 5);
    expect(subject.history({ ...scope, tool: 'read_mail' }, '', LATER).liftedAt).toBeUndefined();
    expect(subject.history({ ...scope, agentId: 'agent-b' }, '', LATER).liftedAt).toBeUndefined();
  });

  it('forgets the oldest beyond its limit', () => {
    const subject = new CoolDown();
    for (let n = 0; n <= 20_000; n++) subject.note(sent(`c${n}`, { agentId: `agent-${n}`, sentAt: START + n }));
    expect(subject.history({ ...scope, agentId: 'agent-0' }, '', LATER).containedAt).toEqual([]);
    expect(subject.history({ ...scope, agentId: 'agent-1' }, '', LATER).containedAt).toEqual([START + 1]);
  });
});

it('rests at the limit, not before, and no longer than it must', () => {
  const rules = { containments: 2, withinMs: 1_000, afterLiftMs: 500 };
  expect(needsRest({ containedAt: [1_000, 1_900] }, rules, 2_000)).toBeUndefined();
  expect(needsRest({ containedAt: [1_001, 1_900] }, rules, 2_000)).toBe('cool-down: contained 2 times within 1 s');
  expect(needsRest({ containedAt: [], liftedAt: 1_501 }, rules, 2_000)).toBe('cool-down: a person lifted this 0 s ago');
  expect(needsRest({ containedAt: [], liftedAt: 1_500 }, rules, 2_000)).toBeUndefined();
});

describe('the caps on commands a minute', () => {
  it('count each tenant and all of them, over a restart', () => {
    const held = new Map<string, Uint8Array>();
    const before = new CommandRate((key) => held.get(key));
    before.note('a', START);
    before.note('b', START + 30_000);
    const puts: { key: string; value: Uint8Array }[] = [];
    before.drain(puts, []);
    for (const { key, value } of puts) held.set(key, value);
    const after = new CommandRate((key) => held.get(key));
    after.note('b', START + 50_000);
    expect([after.ofTenant('a', START + 59_999), after.ofTenant('b', START + 59_999)]).toEqual([1, 2]);
    expect(after.inTotal(START + 59_999)).toBe(3);
    expect([after.ofTenant('a', START + 60_000), after.inTotal(START + 60_000)]).toEqual([0, 2]);
    expect(after.ofTenant('c', START)).toBe(0);
  });

  it('make commands of one tenant wait because of the others', () => {
    const subject = new Responder(responderOptions({ caps: { commandsPerMinute: 2, totalCommandsPerMinute: 3 } }));
    const states = ['a', 'a', 'a', 'b', 'b', 'c'].map((tenant, n) => {
      const incident = sampleIncident({ id: `inc_${n}`, tenant, sessionId: `s${n}` });
      const [command] = commandsOf(subject.onIncident(incident, circumstances(0), START + n));
      return `${tenant} ${command?.state} ${command?.waitsFor ?? ''}`.trim();
    });
    expect(states).toEqual(['a sent', 'a sent', 'a proposed cap', 'b sent', 'b proposed cap', 'c proposed cap']);
    const later = sampleIncident({ id: 'inc_9', tenant: 'c', sessionId: 's9' });
    expect(commandsOf(subject.onIncident(later, circumstances(0), START + 60_010))).toMatchObject([{ state: 'sent' }]);
  });
});
