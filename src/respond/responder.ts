import { stableId } from '../lib/hash.js';
import { mayDecide, type Command, type CommandState } from '../model/command.js';
import type { Effect } from '../model/effect.js';
import type { Incident } from '../model/incident.js';
import type { Acknowledgement, OperatorOrder } from '../model/log-record.js';
import type { ToolCallObservation } from '../model/observation.js';
import type { BlastRadiusOptions, Reach } from './blast-radius.js';
import { CommandLedger } from './command-ledger.js';
import { mayFollow } from './lifecycle.js';
import { PolicyCommands, type CappedCommand, type Circumstances, type PolicySettings } from './policy-commands.js';
import type { Obstacle, RestrictedCall } from './restrictions.js';

export interface ResponderOptions extends PolicySettings, BlastRadiusOptions {
  /** How long a containment lasts, ms. */
  containmentMs: number;
  /** How long gateways have to acknowledge, ms. */
  acknowledgeMs: number;
  /** Agents of a tenant that are known. */
  knownAgents: (tenant: string) => number;
  load: (key: string) => Uint8Array | undefined;
}

/** A call may have been let through just before its gateway confirmed a command, and be reported just after, ms. */
const CONFIRMED_MS = 1_000;
/** A refused call names the command behind it as `parallax:<command id>` in its rule. */
const RULE_PREFIX = 'parallax:';

/**
 * Turns incidents into commands and keeps what gateways must enforce.
 *
 * All times are the log's processing time (`now`, epoch ms): commands live in the gateways' present, whatever the
 * age of the recording that is being observed. Holds no clock, so that replaying the log gives the same commands.
 */
export class Responder {
  readonly #options: ResponderOptions;
  readonly #ledger: CommandLedger;
  readonly #policy: PolicyCommands;

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#ledger = new CommandLedger(options);
    const reach = (tenant: string) => this.reach(tenant);
    this.#policy = new PolicyCommands({ ...options, ledger: this.#ledger, reach });
  }

  /** Takes up what the store holds, after a restart. */
  restore(commands: Iterable<Command>): void {
    this.#ledger.restore(commands);
  }

  /** How far containment reaches in a tenant, and how far it may without a person. */
  reach(tenant: string): Reach {
    return this.#ledger.radius.reach(tenant, () => this.#options.knownAgents(tenant));
  }

  /** Agents that may be contained at once whatever the size of the fleet. */
  get minContainedAgents(): number {
    return this.#options.minContainedAgents;
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
    return this.#policy.onIncident(incident, circumstances, now);
  }

  /** A gateway's confirmation. An unknown or finished command, or a repeated confirmation, changes nothing. */
  onAcknowledgement(ack: Acknowledgement, now: number): Effect[] {
    const command = this.#ledger.get(ack.tenant, ack.commandId);
    if (command === undefined) return [];
    const known = command.acknowledgements.find((a) => a.gatewayId === ack.gatewayId);
    if (known?.effective === ack.effective) return [];
    const others = command.acknowledgements.filter((a) => a.gatewayId !== ack.gatewayId);
    const acknowledgements = [...others, { gatewayId: ack.gatewayId, effective: ack.effective, time: now }];
    const detail = `${ack.gatewayId}: ${ack.effective}${ack.detail === undefined ? '' : ` (${ack.detail})`}`;
    const wanted: CommandState = ack.effective === 'rejected' ? 'failed' : 'acknowledged';
    const moves = ack.effective !== 'lifted' && mayFollow(command.state, wanted);
    const state = moves ? wanted : command.state;
    return this.#ledger.record({ ...command, acknowledgements, state }, { now, by: ack.gatewayId, detail });
  }

  /** A person contains, lifts, or decides about what was proposed. */
  onOrder(order: OperatorOrder, now: number): Effect[] {
    if (order.order === 'contain') return this.#contain(order, now);
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
    const renewed = { ...decided, issuedAt: now, expiresAt: now + command.expiresAt - command.issuedAt };
    return [...approved, ...this.#ledger.move({ ...renewed, state: 'approved' }, 'sent', step)];
  }

  /** Ends what has expired and reports what nobody confirmed in time. Call with every tick. */
  onTime(now: number): Effect[] {
    const by = 'parallax';
    const isUnconfirmed = ({ state, issuedAt }: Command) =>
      state === 'sent' && issuedAt + this.#options.acknowledgeMs <= now;
    return this.#ledger
      .active((command) => command.expiresAt <= now || isUnconfirmed(command))
      .flatMap((command) =>
        command.expiresAt <= now
          ? this.#ledger.move(command, 'expired', { now, by, detail: 'its time was up' })
          : this.#ledger.move(command, 'failed', { now, by, detail: 'containment not confirmed by any gateway' }),
      );
  }

  /** A call in the audit stream: the first one refused because of a command proves that the command is enforced. */
  onCall(call: ToolCallObservation, now: number): Effect[] {
    if (call.ruleId?.startsWith(RULE_PREFIX) !== true) return [];
    // A call that a person let through proves as much: it was held before.
    if (call.decision === 'allow' && call.approvalId === undefined) return [];
    const command = this.#ledger.get(call.tenant, call.ruleId.slice(RULE_PREFIX.length));
    if (command === undefined || command.agentId !== call.agentId || command.state === 'enforced') return [];
    const detail = `${call.decision === 'allow' ? 'held' : 'refused'} ${call.tool}`;
    return this.#ledger.move(command, 'enforced', { now, by: call.principalId, detail });
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
    const command = this.#ledger.get(tenant, commandId);
    return command?.acknowledgements.some((a) => a.effective === 'enforced' && a.time + CONFIRMED_MS <= now) ?? false;
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
    this.#policy.drain(puts, deletes);
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
      expiresAt: now + (order.durationMs ?? this.#options.containmentMs),
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
