import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  COMMAND_STATES,
  isInForce,
  isOver,
  type Command,
  type CommandEvent,
  type Restriction,
} from '../../../src/model/command.js';
import type { Effect } from '../../../src/model/effect.js';
import type { ToolCallObservation } from '../../../src/model/observation.js';
import { decodeState } from '../../../src/lib/state-table.js';
import { mayFollow } from '../../../src/respond/lifecycle.js';
import { Responder } from '../../../src/respond/responder.js';
import { circumstances, responderOptions } from '../../support/responses.js';
import { sampleIncident } from '../../support/samples.js';

const START = 10_000_000;
const AGENT = 'agent-a';
const TENANT = 'default';
const PEOPLE = ['ann', 'bob', 'policy', AGENT] as const;

type Step =
  | { do: 'incident'; n: number; priors: number; sameTool: number; severity: 'medium' | 'high' }
  | { do: 'contain'; action: Command['action']; by: string; durationMs: number }
  | { do: 'order'; order: 'lift' | 'approve' | 'reject'; pick: number; by: string }
  | { do: 'ack'; effective: 'enforced' | 'lifted' | 'rejected'; pick: number; gatewayId: string }
  | { do: 'call'; pick: number; decision: 'allow' | 'deny' }
  | { do: 'time'; ms: number }
  | { do: 'restart' };

const pick = fc.nat(20);
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('incident' as const),
    n: fc.nat(4),
    priors: fc.nat(4),
    sameTool: fc.nat(5),
    severity: fc.constantFrom('medium' as const, 'high' as const),
  }),
  fc.record({
    do: fc.constant('contain' as const),
    action: fc.constantFrom('downgrade-posture', 'freeze-tool', 'revoke-session', 'suspend-agent'),
    by: fc.constantFrom(...PEOPLE),
    durationMs: fc.integer({ min: 1_000, max: 90_000 }),
  }),
  fc.record({
    do: fc.constant('order' as const),
    order: fc.constantFrom('lift' as const, 'approve' as const, 'reject' as const),
    pick,
    by: fc.constantFrom(...PEOPLE),
  }),
  fc.record({
    do: fc.constant('ack' as const),
    effective: fc.constantFrom('enforced' as const, 'lifted' as const, 'rejected' as const),
    pick,
    gatewayId: fc.constantFrom('gw-1', 'gw-2'),
  }),
  fc.record({ do: fc.constant('call' as const), pick, decision: fc.constantFrom('allow' as const, 'deny' as const) }),
  fc.record({ do: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
  fc.record({ do: fc.constant('restart' as const) }),
);

/** A responder whose state goes through its store at every restart, and everything it ever said. */
class World {
  readonly stored = new Map<string, Uint8Array>();
  readonly commands = new Map<string, Command>();
  readonly events: CommandEvent[] = [];
  /** What must never happen, in words. */
  readonly faults: string[] = [];
  restriction: Restriction | undefined;
  now = START;
  #count = 0;
  #responder = this.#open();

  take(step: Step): void {
    if (step.do === 'restart') {
      this.#drain();
      this.#responder = this.#open();
      this.#responder.restore(
        [...this.stored].flatMap(([key, value]) => (key.startsWith('command/') ? [decodeState(value) as Command] : [])),
      );
      return;
    }
    for (const effect of this.#effectsOf(step)) this.#see(effect);
  }

  #effectsOf(step: Exclude<Step, { do: 'restart' }>): Effect[] {
    const { now } = this;
    const target = 'pick' in step ? this.#pick(step.pick) : '';
    switch (step.do) {
      case 'incident': {
        const { n, severity, priors, sameTool } = step;
        const incident = sampleIncident({ id: `inc_${n}`, sessionId: `s${n}`, severity });
        return this.#responder.onIncident(incident, circumstances(sameTool, priors), now);
      }
      case 'contain': {
        const { action, by, durationMs } = step;
        const commandId = `cmd_hand_${++this.#count}`;
        const subject =
          action === 'freeze-tool'
            ? { tool: 'send_money' }
            : action === 'revoke-session'
              ? { sessionId: 's1' }
              : action === 'downgrade-posture'
                ? { posture: 'approval' as const }
                : {};
        const said = { time: now, tenant: TENANT, agentId: AGENT, by, reason: 'odd' };
        return this.#responder.onOrder({ ...said, order: 'contain', commandId, action, durationMs, ...subject }, now);
      }
      case 'order': {
        const order = {
          time: now,
          tenant: TENANT,
          order: step.order,
          commandId: target,
          by: step.by,
          reason: 'because',
        };
        return this.#responder.onOrder(order, now);
      }
      case 'ack':
        return this.#responder.onAcknowledgement(
          { time: now, tenant: TENANT, commandId: target, gatewayId: step.gatewayId, effective: step.effective },
          now,
        );
      case 'call':
        return this.#responder.onCall(call(target, step.decision), now);
      default:
        this.now += step.ms;
        return this.#responder.onTime(this.now);
    }
  }

  #see(effect: Effect): void {
    if (effect.type === 'command-event') this.events.push(effect.value);
    if (effect.type === 'restriction') {
      const before = this.restriction?.version ?? 0;
      this.#hold(effect.value.version > before, `version ${effect.value.version} after ${before}`);
      this.restriction = effect.value;
    }
    if (effect.type !== 'command') return;
    const { id, state, issuedBy, decidedBy = '' } = effect.value;
    const before = this.commands.get(id)?.state;
    const isFirst = before === undefined && (state === 'proposed' || state === 'sent');
    const isLegal = before !== undefined && (before === state || mayFollow(before, state));
    this.#hold(isFirst || isLegal, `${id}: ${before} -> ${state}`);
    this.#hold(state !== 'approved' || ![issuedBy, AGENT].includes(decidedBy), `${id} decided by ${decidedBy}`);
    this.commands.set(id, effect.value);
  }

  /** What is restricted is exactly what is in force, whoever is asked. */
  check(): void {
    const { revokedSessions = [], frozenTools = [], downgrades = [], suspensions = [] } = this.restriction ?? {};
    const ids = [...revokedSessions, ...frozenTools, ...downgrades, ...suspensions].map(({ commandId }) => commandId);
    const all = [...this.commands.values()];
    const held = ids.toSorted().join(' ');
    const wanted = all
      .filter(isInForce)
      .map(({ id }) => id)
      .toSorted()
      .join(' ');
    this.#hold(held === wanted, `restricted by ${held}; in force ${wanted}`);
    const call = { sessionId: 's1', tool: 'send_money', effect: 'write' } as const;
    const obstacle = this.#responder.restrictionOn(TENANT, AGENT, call, this.now);
    const behind = obstacle === undefined ? undefined : this.commands.get(obstacle.commandId);
    const isBacked = behind !== undefined && isInForce(behind) && behind.expiresAt > this.now;
    this.#hold(obstacle === undefined || isBacked, `${obstacle?.commandId} stands in the way`);
    // By policy, one command of a kind against the whole agent at a time.
    for (const action of ['suspend-agent', 'downgrade-posture']) {
      const own = all.filter((c) => c.action === action && c.incidentId !== undefined && !isOver(c));
      this.#hold(own.length < 2, `${own.length} of ${action}`);
    }
  }

  #hold(isSo: boolean, fault: string): void {
    if (!isSo) this.faults.push(fault);
  }

  #pick(n: number): string {
    const ids = [...this.commands.keys()];
    return ids[n % (ids.length + 1)] ?? 'cmd_none';
  }

  #drain(): void {
    const puts: { key: string; value: Uint8Array }[] = [];
    const deletes: string[] = [];
    this.#responder.drain(puts, deletes);
    for (const { key, value } of puts) this.stored.set(key, value);
    for (const key of deletes) this.stored.delete(key);
  }

  #open(): Responder {
    const rung = { containMs: 60_000, proposalMs: 60_000 };
    return new Responder(
      responderOptions({
        caps: { commandsPerMinute: 3 },
        response: {
          'downgrade-posture': { ...rung, mode: 'propose' },
          'freeze-tool': { ...rung, toolSessions: 3 },
          'revoke-session': rung,
          'suspend-agent': { ...rung, mode: 'act', priorIncidents: 3 },
        },
        load: (key) => this.stored.get(key),
      }),
    );
  }
}

function call(commandId: string, decision: 'allow' | 'deny'): ToolCallObservation {
  return {
    id: 'o',
    schemaVersion: 1,
    stream: 'action',
    kind: 'tool_call',
    time: 1,
    observedAt: START,
    tenant: TENANT,
    agentId: AGENT,
    principalId: 'gw-1',
    tool: 'send_money',
    effect: 'write',
    targets: [],
    argWords: [],
    argBytes: 0,
    decision,
    ruleId: `parallax:${commandId}`,
  };
}

describe('the life of commands', () => {
  it('takes no illegal step under any interleaving, over restarts too', () => {
    const reached = new Set<Command['state']>();
    fc.assert(
      fc.property(fc.array(steps, { minLength: 5, maxLength: 60 }), (story) => {
        const world = new World();
        for (const step of story) {
          world.take(step);
          world.check();
          expect(world.faults).toEqual([]);
        }
        for (const { state } of world.events) reached.add(state);
        // One id is one step: the same said again at the same moment is the same.
        const byId = new Map(world.events.map((event) => [event.id, event]));
        for (const event of world.events) expect(byId.get(event.id)).toEqual(event);
        // In the end everything ends by itself.
        world.take({ do: 'time', ms: 200_000 });
        expect([...world.commands.values()].filter((c) => !isOver(c))).toEqual([]);
        world.check();
        expect(world.faults).toEqual([]);
      }),
      { numRuns: 400 },
    );
    expect([...reached].sort()).toEqual([...COMMAND_STATES].sort());
  });

  it('is over where nothing may follow', () => {
    for (const state of COMMAND_STATES) {
      const isEnd = COMMAND_STATES.every((next) => !mayFollow(state, next));
      expect([state, isOver({ state } as Command)]).toEqual([state, isEnd]);
    }
  });
});
