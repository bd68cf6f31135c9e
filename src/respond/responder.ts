import { stableId } from '../lib/hash.js';
import { ONLY_PARTITION, type AllowanceStatus, type Lease, type PartitionPlace } from '../model/allowance.js';
import { isInForce, mayDecide, type Command } from '../model/command.js';
import type { Effect } from '../model/effect.js';
import type { FleetLift } from '../model/fleet-lift.js';
import type { Incident } from '../model/incident.js';
import type { Acknowledgement, OperatorOrder } from '../model/log-record.js';
import type { CallObservation, ToolCallObservation } from '../model/observation.js';
import type { ResponseCaps, ResponsePolicy, RespondSettings } from '../model/response-policy.js';
import type { Reach } from './blast-radius.js';
import { CommandLedger } from './command-ledger.js';
import { CommandRate } from './command-rate.js';
import { Confirmations, type ContainmentTrouble } from './confirmations.js';
import { FleetLifts, type LiftWish } from './fleet-lifts.js';
import { GuardingGateways } from './guarding-gateways.js';
import { LeasedCaps } from './leased-caps.js';
import {
  PolicyCommands,
  type CappedCommand,
  type Circumstances,
  type ReachedCase,
  type Undecided,
} from './policy-commands.js';
import type { Obstacle, RestrictedCall } from './restrictions.js';

export interface ResponderOptions extends Pick<
  RespondSettings,
  'caps' | 'acknowledgeMs' | 'maxDeliveries' | 'gatewayRecentMs'
> {
  mode: 'observe' | 'act';
  /** Which partition it acts for; it begins with its share of the caps. */
  place?: PartitionPlace;
  /** The response policy of an agent's class. */
  policyOf: (agentId: string) => ResponsePolicy;
  /** Class of an agent, by name. */
  classOf: (agentId: string) => string;
  /** Agents of a tenant that are known. */
  knownAgents: (tenant: string) => number;
  load: (key: string) => Uint8Array | undefined;
}

/**
 * Turns incidents into commands and keeps what gateways must enforce.
 *
 * All times are the log's processing time (`now`, epoch ms): commands live in the gateways' present, whatever the
 * age of the recording that is being observed. Holds no clock, so that replaying the log gives the same commands.
 */
export class Responder {
  readonly #options: ResponderOptions;
  readonly #ledger: CommandLedger;
  readonly #rate: CommandRate;
  readonly #leased: LeasedCaps;
  readonly #policy: PolicyCommands;
  readonly #gateways: GuardingGateways;
  readonly #confirmations: Confirmations;
  readonly #fleetLifts: FleetLifts;

  constructor(options: ResponderOptions) {
    this.#options = options;
    const gateways = new GuardingGateways({ recentMs: options.gatewayRecentMs, load: options.load });
    const gatewaysOf: GuardingGateways['of'] = (...of) => gateways.of(...of);
    const ledger = new CommandLedger({ ...options.caps, gatewaysOf, load: options.load });
    const rate = new CommandRate(options.load);
    const leased = new LeasedCaps({
      caps: options.caps,
      place: options.place ?? ONLY_PARTITION,
      // No tenant has sent more than all of them together.
      usage: (limit, now) => (limit === 'minContainedAgents' ? ledger.radius.most() : rate.inTotal(now)),
      load: options.load,
    });
    this.#rate = rate;
    this.#leased = leased;
    const reach = (tenant: string) => this.reach(tenant);
    const policy = new PolicyCommands({ ...options, leased, rate, ledger, reach });
    const climb: PolicyCommands['climb'] = (...from) => policy.climb(...from);
    this.#gateways = gateways;
    this.#ledger = ledger;
    this.#policy = policy;
    this.#fleetLifts = new FleetLifts({ ...options, ledger });
    this.#confirmations = new Confirmations({ ...options, ledger, gateways, climb });
  }

  /** Takes up what the store holds, after a restart. */
  restore(commands: Iterable<Command>, lifts: Iterable<FleetLift> = []): void {
    this.#ledger.restore(commands);
    this.#fleetLifts.restore(lifts);
  }

  /** How far containment reaches in a tenant, and how far it may without a person. */
  reach(tenant: string): Reach {
    const { minContainedAgents } = this.#leased.caps;
    return this.#ledger.radius.reach(tenant, () => this.#options.knownAgents(tenant), minContainedAgents);
  }

  /** How this partition's part of the caps stands. @param now processing time, epoch ms */
  allowance(now: number): AllowanceStatus {
    return this.#leased.status(now);
  }

  /** From this record of the log on the partition's part of the caps is another one. */
  onLease(lease: Lease, now: number): Effect[] {
    return this.#leased.onLease(lease, now);
  }

  /** Agents that may be contained at once whatever the size of the fleet. */
  get minContainedAgents(): number {
    return this.#options.caps.minContainedAgents;
  }

  /** The same as `reach`, with the tenant's agents counted in any case. */
  limit(tenant: string): Reach {
    return this.#ledger.radius.limit(tenant, this.#options.knownAgents(tenant));
  }

  /** Proposals that the cap made of commands, since the last call. */
  takeCapped(): CappedCommand[] {
    return this.#policy.takeCapped();
  }

  /**
   * `notWatched`: proposals beyond the cap, which do not end by themselves; `forgotten`: finished commands beyond it;
   * `restrictionsEvicted`: restrictions that gave way because an agent had too many.
   */
  stats(): { active: number; notWatched: number; forgotten: number; restrictionsEvicted: number } {
    return this.#ledger.stats();
  }

  /** Commands for a new or worsened incident. @param now processing time, epoch ms */
  onIncident(incident: Incident, circumstances: Circumstances, now: number): Effect[] {
    return [...this.#policy.onIncident(incident, circumstances, now), ...this.#leased.tell(now)];
  }

  /** What the policy asks about an incident's subject and the install. @param now processing time, epoch ms */
  reachedBy(incident: Incident, now: number): ReachedCase {
    return this.#policy.reachedBy(incident, now);
  }

  /** The policy that holds for an agent. */
  settingsOf(agentId: string): { policy: ResponsePolicy; caps: ResponseCaps } {
    return { policy: this.#options.policyOf(agentId), caps: this.#leased.caps };
  }

  /** A gateway's word. An unknown command, or a repeated confirmation, changes nothing. */
  onAcknowledgement(ack: Acknowledgement, now: number): Effect[] {
    return this.#confirmations.onAcknowledgement(ack, now);
  }

  /** A person contains, lifts, or decides about what was proposed. */
  onOrder(order: OperatorOrder, now: number): Effect[] {
    if (order.order === 'contain') return this.#contain(order, now);
    if (order.liftId !== undefined) return this.#fleetLifts.onOrder(order, now);
    const command = this.#ledger.get(order.tenant, order.commandId ?? '');
    if (command === undefined) return [];
    const step = { now, by: order.by, detail: order.reason };
    if (order.order === 'lift') return this.#ledger.move(command, 'undone', step);
    if (command.dryRun || command.expiresAt <= now || !mayDecide(command, order.by)) return [];
    const decided = { ...command, decidedBy: order.by, decisionReason: order.reason };
    if (order.order === 'reject') return this.#ledger.move(decided, 'rejected', step);
    const approved = this.#ledger.move(decided, 'approved', step);
    if (approved.length === 0) return [];
    // It lasts as long as it would have, counted from now.
    const { containMs = command.expiresAt - command.issuedAt } = command;
    const renewed = { ...decided, issuedAt: now, expiresAt: now + containMs };
    return [...approved, ...this.#ledger.move({ ...renewed, state: 'approved' }, 'sent', step)];
  }

  /**
   * Undoes what was done about incidents that a person judged harmless in one go. Where that restricts several agents
   * now, the person proposes it and a second one confirms; what only waits to be decided about is withdrawn at once.
   */
  liftGathered(
    incidents: readonly Incident[],
    verdict: Pick<LiftWish, 'tenant' | 'by' | 'reason'>,
    now: number,
  ): Effect[] {
    const { tenant, by, reason } = verdict;
    const commands = incidents.flatMap(({ commandIds }) =>
      commandIds.flatMap((id) => this.#ledger.get(tenant, id) ?? []),
    );
    const agents = new Set(commands.filter(isInForce).map(({ agentId }) => agentId));
    const isFleetWide = agents.size > 1;
    const lifted = commands
      .filter((command) => !isFleetWide || !isInForce(command))
      .flatMap((command) => this.#ledger.move(command, 'undone', { now, by, detail: reason }));
    if (!isFleetWide) return lifted;
    const incidentIds = incidents.map(({ id }) => id);
    return [...lifted, ...this.#fleetLifts.propose({ ...verdict, incidentIds }, now)];
  }

  /** Ends what has expired and gives out again what nobody confirmed in time. Call with every tick. */
  onTime(now: number): Effect[] {
    const expired = this.#ledger
      .active(({ expiresAt }) => expiresAt <= now)
      .flatMap((command) => this.#policy.onSilence(command, now) ?? this.#expire(command, now));
    const others = [...this.#confirmations.onTime(now), ...this.#fleetLifts.onTime(now)];
    return [...expired, ...others, ...this.#leased.tell(now)];
  }

  /** A call that a gateway asks about or that was reported: whoever asks and reports guards the agent. */
  noteCall(call: CallObservation, now: number): void {
    this.#gateways.noteCall(call, now);
  }

  /**
   * A call in the audit stream: one that was refused because of a command proves that it is enforced.
   *
   * @param passed id of the command that this call was executed against, if it was
   */
  onCall(call: ToolCallObservation, now: number, passed?: string): Effect[] {
    return this.#confirmations.onCall(call, passed, now);
  }

  /** Containments that gateways do not confirm or keep to, and proposals nobody decides about, since the last call. */
  takeTroubles(): (ContainmentTrouble | Undecided)[] {
    return [...this.#confirmations.takeTroubles(), ...this.#policy.takeUndecided()];
  }

  /** What stands in the way of a call of this agent at `now` (epoch ms), if anything. */
  restrictionOn(tenant: string, agentId: string, call: RestrictedCall, now: number): Obstacle | undefined {
    return this.#ledger.restrictionOn(tenant, agentId, call, now);
  }

  /**
   * Whether a gateway has confirmed the command behind an obstacle, so long ago that what is reported now as executed
   * went round it.
   */
  isConfirmed(tenant: string, { commandId }: Obstacle, now: number): boolean {
    return this.#confirmations.wasConfirmed(tenant, commandId, now);
  }

  /** Whether something was done about an incident, and a gateway confirmed it. */
  wasContained({ tenant, commandIds }: Incident): boolean {
    return commandIds.some((id) => {
      const command = this.#ledger.get(tenant, id);
      return command?.acknowledgements.some((a) => a.effective !== 'rejected') ?? false;
    });
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#ledger.drain(puts, deletes);
    this.#rate.drain(puts, deletes);
    this.#leased.drain(puts, deletes);
    this.#fleetLifts.drain(puts, deletes);
    this.#gateways.drain(puts, deletes);
  }

  #expire(command: Command, now: number): Effect[] {
    return this.#ledger.move(command, 'expired', { now, by: 'parallax', detail: 'its time was up' });
  }

  #contain(order: OperatorOrder, now: number): Effect[] {
    const { tenant, action, agentId, sessionId, tool, posture, by, reason } = order;
    if (action === undefined || agentId === undefined) return [];
    const command: Command = {
      id: order.commandId ?? stableId('cmd', tenant, action, agentId, sessionId ?? '', tool ?? '', order.time),
      tenant,
      action,
      agentId,
      reason,
      issuedAt: now,
      expiresAt: now + (order.durationMs ?? this.#options.policyOf(agentId)[action].containMs),
      dryRun: false,
      state: 'proposed',
      acknowledgements: [],
      issuedBy: by,
    };
    if (sessionId !== undefined) command.sessionId = sessionId;
    if (tool !== undefined) command.tool = tool;
    if (posture !== undefined) command.posture = posture;
    if (this.#ledger.get(tenant, command.id) !== undefined) return [];
    return this.#ledger.move(command, 'sent', { now, by, detail: reason });
  }
}
