import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  COMMAND_STATES,
  isInForce,
  type Command,
  type CommandEvent,
  type CommandState,
} from '../../../src/model/command.js';
import type { Effect } from '../../../src/model/effect.js';
import type { AttemptObservation, ToolCallObservation } from '../../../src/model/observation.js';
import { decodeState } from '../../../src/lib/state-table.js';
import { mayFollow } from '../../../src/respond/lifecycle.js';
import { Responder } from '../../../src/respond/responder.js';
import { circumstances, lasting, responderOptions } from '../../support/responses.js';
import { sampleIncident } from '../../support/samples.js';

const START = 10_000_000;
const TENANT = 'default';
const AGENT = 'agent-a';
const ACKNOWLEDGE_MS = 5_000;
const MAX_DELIVERIES = 2;
const RECENT_MS = 15_000;
const CONTAIN_MS = 60_000;
const GATEWAYS = ['gw-1', 'gw-2'] as const;
type Gateway = (typeof GATEWAYS)[number];
type Word = 'enforced' | 'lifted' | 'rejected';

/** What is known about one command, told as facts; the state that it must be in follows from them. */
interface Facts {
  state: CommandState;
  expiresAt: number;
  deliveredAt: number;
  deliveries: number;
  awaits: Set<string>;
  said: Map<string, Word>;
  broke: Set<string>;
  blocked: boolean;
}

/** The lifecycle in its plainest form: no ledger, no restrictions, no stored state. */
class Model {
  now = START;
  readonly commands = new Map<string, Facts>();
  readonly gateways = new Set<string>();
  readonly guards = new Map<string, number>();
  unconfirmed = 0;
  bypasses = 0;

  awaitsNow(): Set<string> {
    return new Set([...this.guards].filter(([, time]) => time > this.now - RECENT_MS).map(([id]) => id));
  }

  sent(id: string): void {
    this.commands.set(id, {
      state: 'sent',
      expiresAt: this.now + CONTAIN_MS,
      deliveredAt: this.now,
      deliveries: 1,
      awaits: this.awaitsNow(),
      said: new Map(),
      broke: new Set(),
      blocked: false,
    });
  }

  call(gatewayId: string, kind: 'asked' | 'reported'): void {
    if (kind === 'asked') this.gateways.add(gatewayId);
    if (!this.gateways.has(gatewayId)) return;
    const before = this.guards.get(gatewayId);
    // A sighting is written down at most every tenth of the time for which it counts.
    if (before === undefined || this.now - before >= RECENT_MS / 10) this.guards.set(gatewayId, this.now);
  }

  settle(facts: Facts): void {
    const enforces = (id: string) => facts.said.get(id) === 'enforced' && !facts.broke.has(id);
    const missing = [...facts.awaits].filter((id) => !enforces(id));
    const anybody = GATEWAYS.some(enforces) || facts.blocked;
    if (missing.length > 0 || !anybody) return;
    facts.state = facts.blocked ? 'enforced' : 'acknowledged';
  }

  get live(): [string, Facts][] {
    return [...this.commands].filter(([, { state }]) => isLive(state));
  }
}

function isLive(state: CommandState): boolean {
  return !['proposed', 'rejected', 'expired', 'undone'].includes(state);
}

/** The responder, whose state goes through its store, and everything it said. */
class Real {
  readonly stored = new Map<string, Uint8Array>();
  readonly seen = new Map<string, Command>();
  readonly restricted = new Set<string>();
  readonly faults: string[] = [];
  readonly troubles: ReturnType<Responder['takeTroubles']> = [];
  readonly events = new Map<string, CommandEvent>();
  /** What was done, and said to it, since the last checkpoint. */
  readonly since: { act: (responder: Responder) => Effect[]; said: Effect[] }[] = [];
  responder = this.#open();

  take(act: (responder: Responder) => Effect[]): Effect[] {
    const said = act(this.responder);
    this.since.push({ act, said });
    this.troubles.push(...this.responder.takeTroubles());
    for (const effect of said) this.#see(effect);
    return said;
  }

  checkpoint(): void {
    const puts: { key: string; value: Uint8Array }[] = [];
    const deletes: string[] = [];
    this.responder.drain(puts, deletes);
    for (const { key, value } of puts) this.stored.set(key, value);
    for (const key of deletes) this.stored.delete(key);
    this.since.length = 0;
  }

  /** Killed: what was scored since the checkpoint is scored again, and must say the same. */
  crash(): void {
    this.responder = this.#open();
    for (const { act, said } of this.since) {
      if (!isDeepStrictEqual(act(this.responder), said)) this.faults.push('said something else after a crash');
      this.responder.takeTroubles();
    }
  }

  expectNothing(effects: readonly Effect[]): void {
    if (effects.length > 0) this.faults.push(`said ${JSON.stringify(effects)}`);
  }

  #see(effect: Effect): void {
    if (effect.type === 'command-event') {
      // One id is one step: the same said again at the same moment is the same.
      const before = this.events.get(effect.value.id) ?? effect.value;
      if (before.state !== effect.value.state) this.faults.push(`two steps with one id: ${effect.value.detail}`);
      this.events.set(effect.value.id, effect.value);
    }
    if (effect.type !== 'command') return;
    const { id, state } = effect.value;
    const before = this.seen.get(id)?.state;
    const isLegal = before === undefined ? state === 'proposed' || state === 'sent' : mayFollow(before, state);
    if (!isLegal && before !== state) this.faults.push(`${id}: ${before} -> ${state}`);
    this.seen.set(id, effect.value);
  }

  #open(): Responder {
    const responder = new Responder(
      responderOptions({
        acknowledgeMs: ACKNOWLEDGE_MS,
        maxDeliveries: MAX_DELIVERIES,
        gatewayRecentMs: RECENT_MS,
        caps: { commandsPerMinute: 1_000 },
        response: {
          ...lasting(CONTAIN_MS),
          // Policy only proposes, so that people have something to decide about.
          neverAct: ['*'],
          // The ladder is not climbed here: it would make commands that the model knows nothing of.
          'suspend-agent': { mode: 'off', containMs: CONTAIN_MS },
        },
        load: (key) => this.stored.get(key),
      }),
    );
    const held = [...this.stored].filter(([key]) => key.startsWith('command/'));
    responder.restore(held.map(([, value]) => decodeState(value) as Command));
    return responder;
  }
}

type Step = fc.Command<Model, Real>;

/** A step that does something to a command of those there are. */
abstract class AtCommand implements Step {
  constructor(
    readonly pick: number,
    readonly gatewayId: Gateway,
  ) {}

  check(model: Readonly<Model>): boolean {
    return model.commands.size > 0;
  }

  run(model: Model, real: Real): void {
    const [id, facts] = [...model.commands][this.pick % model.commands.size] ?? [];
    if (id === undefined || facts === undefined) return;
    this.act({ id, facts }, model, real);
    hold(model, real);
  }

  abstract act(at: { id: string; facts: Facts }, model: Model, real: Real): void;
}

class Propose implements Step {
  constructor(readonly n: number) {}
  check = () => true;
  run(model: Model, real: Real): void {
    const incident = sampleIncident({ id: `inc_${this.n}`, sessionId: `s${this.n}`, severity: 'high' });
    const { now } = model;
    const effects = real.take((responder) => responder.onIncident(incident, circumstances(0), now));
    for (const { id, expiresAt } of commandsOf(effects)) {
      model.sent(id);
      const proposed = model.commands.get(id);
      if (proposed !== undefined) Object.assign(proposed, { state: 'proposed', deliveries: 0, expiresAt });
    }
    hold(model, real);
  }

  toString(): string {
    return `propose(${this.n})`;
  }
}

class Contain implements Step {
  constructor(readonly n: number) {}
  check = () => true;
  run(model: Model, real: Real): void {
    const id = `cmd_hand_${this.n}`;
    const { now } = model;
    const said = { time: now, tenant: TENANT, agentId: AGENT, by: 'ann', reason: 'odd', sessionId: `s${this.n}` };
    real.take((responder) =>
      responder.onOrder({ ...said, order: 'contain', commandId: id, action: 'revoke-session' }, now),
    );
    if (!model.commands.has(id)) model.sent(id);
    hold(model, real);
  }

  toString(): string {
    return `contain(${this.n})`;
  }
}

class Order extends AtCommand {
  constructor(
    readonly order: 'lift' | 'approve' | 'reject',
    readonly by: string,
    pick: number,
  ) {
    super(pick, 'gw-1');
  }

  override act({ id, facts }: { id: string; facts: Facts }, model: Model, real: Real): void {
    const { now } = model;
    const { order, by } = this;
    const effects = real.take((responder) =>
      responder.onOrder({ time: now, tenant: TENANT, order, commandId: id, by, reason: 'because' }, now),
    );
    const isOpen = facts.state === 'proposed';
    if (order === 'lift') {
      if (isOpen || isLive(facts.state)) facts.state = 'undone';
    } else if (isOpen && now < facts.expiresAt && by === 'ann') {
      if (order === 'approve') model.sent(id);
      else facts.state = 'rejected';
    } else real.expectNothing(effects);
  }

  override toString(): string {
    return `${this.order}(${this.pick}, ${this.by})`;
  }
}

class Say extends AtCommand {
  constructor(
    pick: number,
    gatewayId: Gateway,
    readonly word: Word,
  ) {
    super(pick, gatewayId);
  }

  override act({ id, facts }: { id: string; facts: Facts }, model: Model, real: Real): void {
    const { now } = model;
    const { gatewayId, word: effective } = this;
    const ack = { time: now, tenant: TENANT, commandId: id, gatewayId, effective };
    const effects = real.take((responder) => responder.onAcknowledgement(ack, now));
    model.gateways.add(gatewayId);
    const isRepeated = facts.said.get(gatewayId) === effective;
    if (facts.deliveries === 0 || isRepeated) return real.expectNothing(effects);
    facts.said.set(gatewayId, effective);
    if (!isLive(facts.state)) return;
    if (effective === 'enforced') return model.settle(facts);
    if (effective === 'lifted' && facts.expiresAt <= now + ACKNOWLEDGE_MS) return;
    facts.awaits.add(gatewayId);
    facts.state = 'failed';
    model.unconfirmed++;
  }

  override toString(): string {
    return `say(${this.pick}, ${this.gatewayId}, ${this.word})`;
  }
}

/** A call that names the command, refused or executed, that a gateway asks about or reports. */
class Call extends AtCommand {
  constructor(
    pick: number,
    gatewayId: Gateway,
    readonly outcome: 'asked' | 'refused' | 'executed',
  ) {
    super(pick, gatewayId);
  }

  override act({ id, facts }: { id: string; facts: Facts }, model: Model, real: Real): void {
    const { now } = model;
    const { gatewayId, outcome } = this;
    const isAttempt = outcome === 'asked';
    model.call(gatewayId, isAttempt ? 'asked' : 'reported');
    const decision = outcome === 'executed' ? 'allow' : 'deny';
    const call = callOf(gatewayId, decision, outcome === 'refused' ? `parallax:${id}` : undefined);
    const attempt: AttemptObservation = { ...callOf(gatewayId, 'deny'), kind: 'tool_attempt', decision: 'none' };
    real.take((responder) => {
      responder.noteCall(isAttempt ? attempt : call, now);
      return isAttempt ? [] : responder.onCall(call, now, outcome === 'executed' ? id : undefined);
    });
    const isGateway = model.gateways.has(gatewayId);
    if (isAttempt || !isLive(facts.state)) return;
    if (outcome === 'refused') {
      facts.blocked = true;
      facts.broke.delete(gatewayId);
      if (isGateway) facts.said.set(gatewayId, 'enforced');
      return model.settle(facts);
    }
    model.bypasses++;
    if (!isGateway || facts.broke.has(gatewayId)) return;
    facts.broke.add(gatewayId);
    facts.awaits.add(gatewayId);
    facts.state = 'failed';
  }

  override toString(): string {
    return `call(${this.pick}, ${this.gatewayId}, ${this.outcome})`;
  }
}

class Pass implements Step {
  constructor(readonly ms: number) {}
  check = () => true;
  run(model: Model, real: Real): void {
    model.now += this.ms;
    const { now } = model;
    real.take((responder) => responder.onTime(now));
    for (const facts of model.commands.values()) {
      if (facts.expiresAt <= now && (facts.state === 'proposed' || isLive(facts.state))) facts.state = 'expired';
      if (facts.state !== 'sent' || facts.deliveredAt + ACKNOWLEDGE_MS > now) continue;
      if (facts.deliveries === MAX_DELIVERIES) {
        facts.state = 'failed';
        model.unconfirmed++;
      } else {
        facts.deliveries++;
        facts.deliveredAt = now;
      }
    }
    hold(model, real);
  }

  toString(): string {
    return `pass(${this.ms})`;
  }
}

class Restart implements Step {
  constructor(readonly how: 'checkpoint' | 'crash') {}
  check = () => true;
  run(model: Model, real: Real): void {
    if (this.how === 'checkpoint') real.checkpoint();
    real.crash();
    hold(model, real);
  }

  toString(): string {
    return this.how;
  }
}

/** What is, against what must be: in one comparison, for there are thousands of steps. */
function hold(model: Model, real: Real): void {
  const is: unknown[] = [real.faults, [...real.seen.keys()].toSorted()];
  const must: unknown[] = [[], [...model.commands.keys()].toSorted()];
  for (const [id, facts] of model.commands) {
    const command = sampleCommandOf(real.seen.get(id));
    const { sessionId = '', state, deliveries = 0, awaits = [] } = command;
    is.push([id, state, deliveries]);
    must.push([id, facts.state, facts.deliveries]);
    // A proposal is given to nobody yet, so nobody is awaited.
    if (deliveries > 0) {
      is.push(awaits.toSorted());
      must.push([...facts.awaits].toSorted());
    }
    // Never lost: whatever is not over stands in the way of its session's calls, until its time is up.
    const call = { sessionId, tool: 't', effect: 'write' } as const;
    is.push(real.responder.restrictionOn(TENANT, AGENT, call, model.now) !== undefined);
    must.push(
      model.live.some(
        ([other, { expiresAt }]) => real.seen.get(other)?.sessionId === sessionId && expiresAt > model.now,
      ),
    );
    is.push(isInForce({ ...command, state: facts.state }));
    must.push(isLive(facts.state));
  }
  const told = (kind: string) => real.troubles.filter((one) => one.kind === kind).length;
  is.push(told('unconfirmed'), told('bypass'));
  must.push(model.unconfirmed, model.bypasses);
  expect(is).toEqual(must);
}

function sampleCommandOf(command: Command | undefined): Command {
  if (command === undefined) throw new Error('a command is lost');
  return command;
}

function commandsOf(effects: Effect[]): Command[] {
  return effects.flatMap((effect) => (effect.type === 'command' ? [effect.value] : []));
}

function callOf(principalId: string, decision: 'allow' | 'deny', ruleId?: string): ToolCallObservation {
  return {
    id: 'o',
    schemaVersion: 1,
    stream: 'action',
    kind: 'tool_call',
    time: 1,
    observedAt: START,
    tenant: TENANT,
    agentId: AGENT,
    principalId,
    tool: 'send_money',
    effect: 'write',
    targets: [],
    argWords: [],
    argBytes: 0,
    decision,
    ...(ruleId === undefined ? {} : { ruleId }),
  };
}

const pick = fc.nat(9);
const gateway = fc.constantFrom(...GATEWAYS);
const ALL_STEPS: fc.Arbitrary<Step>[] = [
  fc.nat(3).map((n) => new Propose(n)),
  fc.nat(3).map((n) => new Contain(n)),
  fc
    .tuple(fc.constantFrom('lift' as const, 'approve' as const, 'reject' as const), fc.constantFrom('ann', AGENT), pick)
    .map((args) => new Order(...args)),
  fc
    .tuple(
      pick,
      gateway,
      fc.constantFrom('enforced' as const, 'enforced' as const, 'lifted' as const, 'rejected' as const),
    )
    .map((args) => new Say(...args)),
  fc
    .tuple(pick, gateway, fc.constantFrom('asked' as const, 'refused' as const, 'executed' as const))
    .map((args) => new Call(...args)),
  fc.integer({ min: 1, max: 20_000 }).map((ms) => new Pass(ms)),
  fc.constantFrom('checkpoint' as const, 'crash' as const).map((how) => new Restart(how)),
];

describe('the lifecycle of commands against its model', () => {
  it('is what the facts say after every step, in any order, over crashes', () => {
    const reached = new Set<CommandState>();
    const runs = { confirmedLate: 0, bypassed: 0 };
    fc.assert(
      fc.property(fc.commands(ALL_STEPS, { maxCommands: 60, size: '+1' }), (steps) => {
        const real = new Real();
        // The runner may ask for a new world only once a story.
        fc.modelRun(() => ({ model: new Model(), real }), steps);
        for (const { state } of real.events.values()) reached.add(state);
        runs.confirmedLate += real.troubles.filter(({ kind }) => kind === 'confirmed').length;
        runs.bypassed += real.troubles.filter(({ kind }) => kind === 'bypass').length;
      }),
      { numRuns: 150 },
    );
    // The stories told reach every state, late confirmations and lies.
    expect([...reached].toSorted()).toEqual([...COMMAND_STATES].toSorted());
    expect(Math.min(runs.confirmedLate, runs.bypassed)).toBeGreaterThan(0);
  });
});
