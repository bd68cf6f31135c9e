import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeState } from '../../../src/lib/state-table.js';
import { isInForce, type Command } from '../../../src/model/command.js';
import type { Effect } from '../../../src/model/effect.js';
import type { FleetLift } from '../../../src/model/fleet-lift.js';
import type { OperatorOrder } from '../../../src/model/log-record.js';
import { FleetLiftView } from '../../../src/respond/fleet-lift-view.js';
import { Responder } from '../../../src/respond/responder.js';
import { circumstances, responderOptions } from '../../support/responses.js';
import { sampleIncident } from '../../support/samples.js';

const START = 10_000_000;
const HOUR_MS = 60 * 60_000;

/** A responder with agents of two classes and two tenants contained, and what it said. */
class Fleet {
  readonly commands = new Map<string, Command>();
  readonly lifts = new Map<string, FleetLift>();
  readonly stored = new Map<string, Uint8Array>();
  now = START;
  /** Agents whose containments the last step lifted. */
  lifted: string[] = [];
  #count = 0;
  #responder = this.#open();

  /** @param agents `class/agent`, or `tenant:class/agent` */
  constructor(...agents: string[]) {
    for (const agent of agents) this.contain(agent);
  }

  contain(agent: string): Command {
    const [agentId = '', tenant = 'default'] = agent.split(':').reverse();
    const commandId = `cmd_${++this.#count}`;
    const order = {
      tenant,
      order: 'contain',
      action: 'suspend-agent',
      agentId,
      commandId,
      by: 'eve',
      reason: 'odd',
    } as const;
    this.take(this.#responder.onOrder({ ...order, time: this.now }, this.now));
    return this.command(commandId);
  }

  command(id: string): Command {
    const command = this.commands.get(id);
    if (command === undefined) throw new Error(`no ${id}`);
    return command;
  }

  order(
    order: 'propose-lift' | 'confirm-lift' | 'reject-lift',
    by: string,
    change: Partial<OperatorOrder> = {},
  ): FleetLift | undefined {
    const said = { time: this.now, tenant: 'default', order, liftId: 'lift_1', by, reason: 'fine', ...change };
    return this.take(this.#responder.onOrder(said, this.now));
  }

  judge(incidents: Parameters<Responder['liftGathered']>[0], by: string): FleetLift | undefined {
    return this.take(this.#responder.liftGathered(incidents, { tenant: 'default', by, reason: 'harmless' }, this.now));
  }

  incident(n: number, agentId: string, emitters = 2) {
    const all = ['gateway-1', 'runtime-1'].slice(0, emitters);
    const incident = sampleIncident({ id: `inc_${n}`, agentId, sessionId: `s${n}`, emitters: all });
    const effects = this.#responder.onIncident(incident, circumstances(0), this.now);
    this.take(effects);
    const commandIds = effects.flatMap((effect) => (effect.type === 'command' ? [effect.value.id] : []));
    return { ...incident, commandIds };
  }

  pass(ms: number): void {
    this.now += ms;
    this.take(this.#responder.onTime(this.now));
  }

  get inForce(): string[] {
    return [...this.commands.values()].filter(isInForce).map(({ agentId }) => agentId);
  }

  restart(): void {
    const puts: { key: string; value: Uint8Array }[] = [];
    this.#responder.drain(puts, []);
    for (const { key, value } of puts) this.stored.set(key, value);
    this.#responder = this.#open();
    const held = (prefix: string) =>
      [...this.stored].filter(([key]) => key.startsWith(prefix)).map(([, value]) => decodeState(value));
    this.#responder.restore(held('command/') as Command[], held('fleet-lift/') as FleetLift[]);
  }

  take(effects: readonly Effect[]): FleetLift | undefined {
    this.lifted = [];
    let lift: FleetLift | undefined;
    for (const { type, value } of effects) {
      if (type === 'command' && value.state === 'undone') this.lifted.push(value.agentId);
      if (type === 'command') this.commands.set(value.id, value);
      if (type === 'fleet-lift') this.lifts.set(value.id, (lift = value));
    }
    return lift;
  }

  #open(): Responder {
    return new Responder(
      responderOptions({ classOf: (id) => id.split('/')[0] ?? '', load: (key) => this.stored.get(key) }),
    );
  }
}

describe('lifting every containment', () => {
  it('needs two different persons', () => {
    const fleet = new Fleet('a/1', 'a/2', 'b/1', 'other:a/3');
    expect(fleet.order('propose-lift', 'ann')).toMatchObject({ state: 'proposed', commands: 3, agents: 3 });
    expect(fleet.inForce).toHaveLength(4);
    expect(fleet.order('confirm-lift', 'ann')).toBeUndefined();
    expect(fleet.inForce).toHaveLength(4);
    expect(fleet.order('confirm-lift', 'bob', { tenant: 'other' })).toBeUndefined();
    fleet.restart();
    expect(fleet.order('confirm-lift', 'bob', { reason: 'checked' })).toMatchObject({
      state: 'confirmed',
      commands: 3,
      proposedBy: 'ann',
      decidedBy: 'bob',
      decisionReason: 'checked',
    });
    expect(fleet.inForce).toEqual(['a/3']);
    expect(fleet.order('confirm-lift', 'bob')).toBeUndefined();
  });

  it('reaches one class where it is about one', () => {
    const fleet = new Fleet('a/1', 'a/2', 'b/1');
    expect(fleet.order('propose-lift', 'ann', { agentClass: 'a' })).toMatchObject({ agentClass: 'a', commands: 2 });
    fleet.order('confirm-lift', 'bob');
    expect(fleet.inForce).toEqual(['b/1']);
  });

  it('lifts only what the first person could see', () => {
    const fleet = new Fleet('a/1');
    fleet.order('propose-lift', 'ann');
    fleet.now += 1;
    fleet.contain('a/2');
    expect(fleet.order('confirm-lift', 'bob')).toMatchObject({ commands: 1 });
    expect(fleet.inForce).toEqual(['a/2']);
  });

  it('ends without a second person, and when anybody rejects it', () => {
    const late = new Fleet('a/1', 'a/2');
    late.order('propose-lift', 'ann');
    late.now += HOUR_MS;
    expect(late.order('confirm-lift', 'bob')).toBeUndefined();
    late.pass(0);
    expect(late.lifts.get('lift_1')).toMatchObject({ state: 'expired' });
    const rejected = new Fleet('a/1');
    rejected.order('propose-lift', 'ann');
    expect(rejected.order('reject-lift', 'ann', { reason: 'slip' })).toMatchObject({
      state: 'rejected',
      decidedBy: 'ann',
    });
    expect(rejected.order('confirm-lift', 'bob')).toBeUndefined();
    expect(rejected.inForce).toEqual(['a/1']);
  });

  it('tells what became of it, newest first', () => {
    const fleet = new Fleet('a/1');
    const view = new FleetLiftView();
    const entries = [
      fleet.order('propose-lift', 'ann'),
      fleet.order('propose-lift', 'bob', { liftId: 'lift_2' }),
      fleet.order('reject-lift', 'cat'),
    ].flatMap((value, i) =>
      value === undefined ? [] : [{ sequence: i + 1, effect: { type: 'fleet-lift' as const, value } }],
    );
    view.apply(entries);
    expect(view.list('default').map(({ id, state }) => [id, state])).toEqual([
      ['lift_1', 'rejected'],
      ['lift_2', 'proposed'],
    ]);
    expect(view.list('other')).toEqual([]);
    expect(view.get('default', 'lift_2')?.proposedBy).toBe('bob');
  });
});

describe('a verdict about many agents', () => {
  it('waits for a second person where it lifts what restricts several of them, and withdraws proposals at once', () => {
    const fleet = new Fleet();
    const incidents = [fleet.incident(1, 'a/1'), fleet.incident(2, 'a/2'), fleet.incident(3, 'a/3', 1)];
    fleet.incident(4, 'a/4');
    const lift = fleet.judge(incidents, 'ann');
    expect(lift).toMatchObject({ state: 'proposed', commands: 2, agents: 2, incidentIds: ['inc_1', 'inc_2', 'inc_3'] });
    expect(fleet.lifted).toEqual(['a/3']);
    expect(fleet.order('confirm-lift', 'ann', { liftId: lift?.id ?? '' })).toBeUndefined();
    fleet.order('confirm-lift', 'bob', { liftId: lift?.id ?? '' });
    expect(fleet.inForce).toEqual(['a/4']);
  });

  it('lifts at once what restricts one', () => {
    const fleet = new Fleet();
    const incidents = [fleet.incident(1, 'a/1'), fleet.incident(2, 'a/1')];
    expect(fleet.judge(incidents, 'ann')).toBeUndefined();
    expect(fleet.lifted).toEqual(['a/1', 'a/1']);
  });
});

it('never lets one person lift for several agents in one step, whatever the order of events', () => {
  const people = fc.constantFrom('ann', 'bob', 'cat');
  const lift = fc.constantFrom('lift_1', 'lift_2');
  const step = fc.oneof(
    fc.record({ do: fc.constant('contain' as const), agent: fc.constantFrom('a/1', 'a/2', 'b/1') }),
    fc.record({
      do: fc.constantFrom('propose-lift' as const, 'confirm-lift' as const, 'reject-lift' as const),
      by: people,
      liftId: lift,
      agentClass: fc.constantFrom(undefined, 'a'),
    }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 10 * 60_000, HOUR_MS) }),
    fc.record({ do: fc.constant('restart' as const) }),
  );
  let wide = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (story) => {
      const fleet = new Fleet('a/1', 'a/2', 'b/1');
      const faults: string[] = [];
      for (const one of story) {
        fleet.lifted = [];
        if (one.do === 'contain') fleet.contain(one.agent);
        else if (one.do === 'pass') fleet.pass(one.ms);
        else if (one.do === 'restart') fleet.restart();
        else {
          const { by, liftId, agentClass } = one;
          const before = fleet.lifts.get(liftId);
          fleet.order(one.do, by, agentClass === undefined ? { liftId } : { liftId, agentClass });
          const isAllowed = one.do === 'confirm-lift' && before?.state === 'proposed' && before.proposedBy !== by;
          if (fleet.lifted.length > 0 && !isAllowed)
            faults.push(`${by}: ${one.do} of ${before?.proposedBy ?? 'nobody'}`);
          if (new Set(fleet.lifted).size > 1) wide++;
        }
        for (const { state, proposedBy, decidedBy } of fleet.lifts.values()) {
          if (state === 'confirmed' && decidedBy === proposedBy) faults.push(`${decidedBy} confirmed their own`);
        }
      }
      expect(faults).toEqual([]);
    }),
    { numRuns: 300 },
  );
  expect(wide).toBeGreaterThan(10);
});
