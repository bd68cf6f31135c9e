import {
  isConfirmed,
  isEnforcedAt,
  isInForce,
  missingGateways,
  type Command,
  type CommandState,
} from '../model/command.js';
import type { Effect } from '../model/effect.js';
import type { Acknowledgement } from '../model/log-record.js';
import type { ToolCallObservation } from '../model/observation.js';
import type { CommandLedger, Step } from './command-ledger.js';
import type { GuardingGateways } from './guarding-gateways.js';
import { mayFollow } from './lifecycle.js';

/** A refused call names the command behind it as `parallax:<command id>` in its rule. */
const RULE_PREFIX = 'parallax:';
/** A call may have been let through just before its gateway confirmed a command, and be reported just after, ms. */
const CONFIRMED_MS = 1_000;

export interface ConfirmationsOptions {
  ledger: CommandLedger;
  gateways: GuardingGateways;
  /** How long gateways have to confirm each delivery, ms. */
  acknowledgeMs: number;
  /** How often a command is given out before it counts as not confirmed. */
  maxDeliveries: number;
  /** What else is done about a command that stays without confirmation. */
  climb: (command: Command, now: number) => Effect[];
}

/**
 * Something about a containment that people must know. `unconfirmed`: it was given out as often as may be, and a gateway
 * has not confirmed it; `confirmed`: it did later; `bypass`: a call went through that should not have.
 */
export interface ContainmentTrouble {
  kind: 'unconfirmed' | 'confirmed' | 'bypass';
  command: Command;
  /** Gateways it is about; empty where none is known to guard the agent. */
  gateways: string[];
  /** For `bypass`: the gateway had confirmed the command, and the call that went through. */
  hadConfirmed?: boolean;
  call?: ToolCallObservation;
}

/**
 * Holds what gateways say about commands against what is seen of them. A command counts as in force only while every
 * gateway that guards the agent has confirmed it and none was seen to let a call pass.
 */
export class Confirmations {
  readonly #options: ConfirmationsOptions;
  #troubles: ContainmentTrouble[] = [];

  constructor(options: ConfirmationsOptions) {
    this.#options = options;
  }

  /** What happened since the last call, in order. */
  takeTroubles(): ContainmentTrouble[] {
    const troubles = this.#troubles;
    this.#troubles = [];
    return troubles;
  }

  /** A gateway's word. For a command that was never sent, or said before, it changes nothing. */
  onAcknowledgement(ack: Acknowledgement, now: number): Effect[] {
    const { ledger, gateways, acknowledgeMs } = this.#options;
    const { tenant, commandId, gatewayId, effective } = ack;
    gateways.noteGateway(tenant, gatewayId);
    const command = ledger.get(tenant, commandId);
    if (command?.deliveries === undefined) return [];
    const known = command.acknowledgements.find((a) => a.gatewayId === gatewayId);
    if (known?.effective === effective) return [];
    const others = command.acknowledgements.filter((a) => a.gatewayId !== gatewayId);
    const told: Command = { ...command, acknowledgements: [...others, { gatewayId, effective, time: now }] };
    const detail = `${gatewayId}: ${effective}${ack.detail === undefined ? '' : ` (${ack.detail})`}`;
    const step = { now, by: gatewayId, detail };
    if (!isInForce(command) || effective === 'enforced') return this.#settle(told, step);
    // Just before its end a gateway whose clock is a little ahead may lift it by itself.
    if (effective === 'lifted' && command.expiresAt <= now + acknowledgeMs) return ledger.record(told, step);
    // It is on the way of the agent's commands, and does not do what they ask.
    const { awaits = [] } = command;
    if (!awaits.includes(gatewayId)) told.awaits = [...awaits, gatewayId];
    return this.#fail(told, [gatewayId], step);
  }

  /** Gives out again what was not confirmed in time; what stays unconfirmed is reported, and the ladder climbed. */
  onTime(now: number): Effect[] {
    const { ledger, acknowledgeMs, maxDeliveries } = this.#options;
    const due = ({ state, deliveredAt = 0 }: Command) => state === 'sent' && deliveredAt + acknowledgeMs <= now;
    return ledger.active(due).flatMap((command) => {
      const missing = missingGateways(command);
      const by = 'parallax';
      const whom = missing.length === 0 ? 'any gateway' : missing.join(', ');
      const { deliveries = 1 } = command;
      if (deliveries >= maxDeliveries) {
        return this.#fail(command, missing, { now, by, detail: `containment not confirmed by ${whom}` });
      }
      const again = { ...command, deliveries: deliveries + 1, deliveredAt: now };
      const detail = `not confirmed by ${whom}; sent again (${deliveries + 1} of ${maxDeliveries})`;
      return ledger.record(again, { now, by, detail });
    });
  }

  /**
   * A call in the audit stream. One that was refused because of a command proves that its gateway enforces it.
   *
   * @param passed id of the command that this call was executed against, if it was
   */
  onCall(call: ToolCallObservation, passed: string | undefined, now: number): Effect[] {
    if (passed !== undefined && (call.decision === 'allow' || call.decision === 'transform')) {
      return call.error === undefined ? this.#onBypass(call, passed, now) : [];
    }
    if (call.ruleId?.startsWith(RULE_PREFIX) !== true) return [];
    // A call that a person let through proves as much: it was held before.
    if (call.decision === 'allow' && call.approvalId === undefined) return [];
    const command = this.#options.ledger.get(call.tenant, call.ruleId.slice(RULE_PREFIX.length));
    if (command === undefined || command.agentId !== call.agentId || !isInForce(command)) return [];
    return this.#onBlocked(command, call, now);
  }

  /**
   * Whether a gateway has confirmed a command, so long ago that what is reported now as executed went round it.
   *
   * @param at processing time, epoch ms
   */
  wasConfirmed(tenant: string, commandId: string, at: number): boolean {
    const command = this.#options.ledger.get(tenant, commandId);
    return command?.acknowledgements.some((a) => a.effective === 'enforced' && a.time + CONFIRMED_MS <= at) ?? false;
  }

  #onBlocked(command: Command, call: ToolCallObservation, now: number): Effect[] {
    const { tenant, principalId: gatewayId } = call;
    const { bypassedBy = [], acknowledgements } = command;
    const isGateway = this.#options.gateways.isGateway(tenant, gatewayId);
    const isNews = bypassedBy.includes(gatewayId) || (isGateway && !isEnforcedAt(command, gatewayId));
    if (command.blockedAt !== undefined && !isNews) return [];
    const { bypassedBy: _, ...seen } = { ...command, blockedAt: command.blockedAt ?? now };
    const left = bypassedBy.filter((id) => id !== gatewayId);
    const others = acknowledgements.filter((a) => a.gatewayId !== gatewayId);
    const proven: Command = left.length === 0 ? seen : { ...seen, bypassedBy: left };
    // Deeds say more than words: what it refuses it enforces, whether or not its confirmation got here.
    if (isGateway) proven.acknowledgements = [...others, { gatewayId, effective: 'enforced', time: now }];
    const detail = `${call.decision === 'allow' ? 'held' : 'refused'} ${call.tool}`;
    return this.#settle(proven, { now, by: gatewayId, detail });
  }

  #onBypass(call: ToolCallObservation, commandId: string, now: number): Effect[] {
    const { ledger, gateways } = this.#options;
    const { tenant, principalId: gatewayId, tool } = call;
    const command = ledger.get(tenant, commandId);
    if (command === undefined || !isInForce(command)) return [];
    const hadConfirmed = command.acknowledgements.some((a) => a.gatewayId === gatewayId && a.effective === 'enforced');
    this.#troubles.push({ kind: 'bypass', command, gateways: [gatewayId], hadConfirmed, call });
    const { awaits = [], bypassedBy = [] } = command;
    if (bypassedBy.includes(gatewayId) || !gateways.isGateway(tenant, gatewayId)) return [];
    const broken: Command = { ...command, bypassedBy: [...bypassedBy, gatewayId] };
    if (!awaits.includes(gatewayId)) broken.awaits = [...awaits, gatewayId];
    const spite = hadConfirmed ? 'in spite of its confirmation' : 'without having confirmed the command';
    return this.#break(broken, { now, by: 'parallax', detail: `${gatewayId} executed ${tool} ${spite}` });
  }

  /** A command that gateways do not confirm. */
  #fail(command: Command, gateways: string[], step: Step): Effect[] {
    this.#troubles.push({ kind: 'unconfirmed', command, gateways });
    return [...this.#break(command, step), ...this.#options.climb(command, step.now)];
  }

  #break(command: Command, step: Step): Effect[] {
    const state: CommandState = mayFollow(command.state, 'failed') ? 'failed' : command.state;
    return this.#options.ledger.record({ ...command, state }, step);
  }

  /** Records a command in the state that what is known of it amounts to. */
  #settle(command: Command, step: Step): Effect[] {
    const wanted: CommandState = command.blockedAt === undefined ? 'acknowledged' : 'enforced';
    // Without a gateway that is known to guard the agent, one refused call is confirmation enough.
    const isProven = isConfirmed(command) || (command.blockedAt !== undefined && missingGateways(command).length === 0);
    const moves = isInForce(command) && isProven && mayFollow(command.state, wanted);
    if (moves && command.state === 'failed') this.#troubles.push({ kind: 'confirmed', command, gateways: [step.by] });
    return this.#options.ledger.record(moves ? { ...command, state: wanted } : command, step);
  }
}
