import { BoundedMap } from '../lib/bounded-map.js';
import { stableId } from '../lib/hash.js';
import { StateTable } from '../lib/state-table.js';
import { isInForce, type Command } from '../model/command.js';
import type { Effect } from '../model/effect.js';
import { mayConfirm, type FleetLift, type FleetLiftState } from '../model/fleet-lift.js';
import type { OperatorOrder } from '../model/log-record.js';
import type { CommandLedger } from './command-ledger.js';

/** How long a second person has, ms. */
const CONFIRM_MS = 60 * 60_000;
/** Proposals that are known; the oldest are forgotten, and with them what nobody confirmed. */
const MAX_KNOWN = 1_000;

export interface FleetLiftsOptions {
  ledger: CommandLedger;
  /** Class of an agent, by name. */
  classOf: (agentId: string) => string;
  load: (key: string) => Uint8Array | undefined;
}

/** What somebody wants lifted. */
export interface LiftWish extends Pick<FleetLift, 'tenant' | 'agentClass' | 'incidentIds' | 'reason'> {
  by: string;
  /** The id it gets, where it has one already. */
  id?: string;
}

/** What a person says about a proposal. */
interface LiftDecision {
  tenant: string;
  id: string;
  by: string;
  reason: string;
  isConfirmed: boolean;
}

/** Lifts containments of many agents at once, when two different persons want it. */
export class FleetLifts {
  readonly #options: FleetLiftsOptions;
  readonly #lifts: StateTable<FleetLift>;
  readonly #known: BoundedMap<string, FleetLiftState>;

  constructor(options: FleetLiftsOptions) {
    this.#options = options;
    this.#lifts = new StateTable({ prefix: 'fleet-lift/', capacity: MAX_KNOWN, load: options.load });
    this.#known = new BoundedMap(MAX_KNOWN, (key) => this.#lifts.delete(key));
  }

  /** Takes up what the store holds, after a restart. */
  restore(lifts: Iterable<FleetLift>): void {
    for (const lift of [...lifts].sort(byProposal)) this.#known.set(keyOf(lift), lift.state);
  }

  /** A person's order about such a lift. One without an id is about none. */
  onOrder({ order, liftId: id, tenant, agentClass, by, reason }: OperatorOrder, now: number): Effect[] {
    if (id === undefined) return [];
    if (order === 'confirm-lift' || order === 'reject-lift') {
      return this.#decide({ tenant, id, by, reason, isConfirmed: order === 'confirm-lift' }, now);
    }
    if (order !== 'propose-lift') return [];
    const wish = { id, tenant, by, reason };
    return this.propose(agentClass === undefined ? wish : { ...wish, agentClass }, now);
  }

  /** The first person. Lifts nothing. @param now processing time, epoch ms */
  propose({ by, id, ...wish }: LiftWish, now: number): Effect[] {
    const { tenant, agentClass = '', incidentIds = [] } = wish;
    const lift: FleetLift = {
      ...wish,
      id: id ?? stableId('lift', tenant, agentClass, incidentIds.join(' '), by, now),
      state: 'proposed',
      commands: 0,
      agents: 0,
      proposedBy: by,
      proposedAt: now,
      expiresAt: now + CONFIRM_MS,
    };
    if (this.#lifts.get(keyOf(lift)) !== undefined) return [];
    return this.#record({ ...lift, ...sizeOf(this.#reached(lift)) });
  }

  /** The second person. The first one is not heard again; neither is anybody after the time is up. */
  #decide({ tenant, id, by, reason, isConfirmed }: LiftDecision, now: number): Effect[] {
    const lift = this.#lifts.get(keyOf({ tenant, id }));
    if (lift?.state !== 'proposed' || lift.expiresAt <= now) return [];
    // Whoever proposed it may take it back.
    if (isConfirmed && !mayConfirm(lift, by)) return [];
    const decided: FleetLift = { ...lift, decidedBy: by, decisionReason: reason, decidedAt: now };
    if (!isConfirmed) return this.#record({ ...decided, state: 'rejected' });
    const reached = this.#reached(lift);
    const detail = `lifted with ${reached.length - 1} others: ${lift.reason} (proposed by ${lift.proposedBy}); ${reason}`;
    const lifted = reached.flatMap((command) => this.#options.ledger.move(command, 'undone', { now, by, detail }));
    return [...lifted, ...this.#record({ ...decided, state: 'confirmed', ...sizeOf(reached) })];
  }

  /** Ends what nobody confirmed in time. Call with every tick. */
  onTime(now: number): Effect[] {
    return [...this.#known.entries()].flatMap(([key, state]) => {
      const lift = state === 'proposed' ? this.#lifts.get(key) : undefined;
      return lift === undefined || lift.expiresAt > now ? [] : this.#record({ ...lift, state: 'expired' });
    });
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#lifts.drain(puts, deletes);
  }

  #record(lift: FleetLift): Effect[] {
    this.#lifts.set(keyOf(lift), lift);
    this.#known.set(keyOf(lift), lift.state);
    return [{ type: 'fleet-lift', value: lift }];
  }

  /** What restricts somebody and did so when it was proposed: nobody confirms what they could not see. */
  #reached({ tenant, agentClass, incidentIds, proposedAt }: FleetLift): Command[] {
    const { ledger, classOf } = this.#options;
    const incidents = incidentIds === undefined ? undefined : new Set(incidentIds);
    return ledger.active(
      (command) =>
        command.tenant === tenant &&
        isInForce(command) &&
        (command.sentAt ?? command.issuedAt) <= proposedAt &&
        (agentClass === undefined || classOf(command.agentId) === agentClass) &&
        (incidents === undefined || incidents.has(command.incidentId ?? '')),
    );
  }
}

function sizeOf(commands: readonly Command[]): Pick<FleetLift, 'commands' | 'agents'> {
  return { commands: commands.length, agents: new Set(commands.map(({ agentId }) => agentId)).size };
}

function byProposal(a: FleetLift, b: FleetLift): number {
  return a.proposedAt - b.proposedAt || (a.id < b.id ? -1 : 1);
}

function keyOf({ tenant, id }: Pick<FleetLift, 'tenant' | 'id'>): string {
  return JSON.stringify([tenant, id]);
}
