import { BoundedMap } from '../lib/bounded-map.js';
import { stableId } from '../lib/hash.js';
import { StateTable } from '../lib/state-table.js';
import type { Command, CommandEvent, CommandState, Restriction } from '../model/command.js';
import type { Effect } from '../model/effect.js';
import type { Incident, Severity } from '../model/incident.js';
import type { Acknowledgement, OperatorOrder } from '../model/log-record.js';
import type { ToolCallObservation } from '../model/observation.js';
import { isInForce, mayFollow } from './lifecycle.js';
import { planResponse, type PlannedCommand } from './policy.js';
import { applyCommand, noRestriction, restrictionOn } from './restrictions.js';

export interface ResponderOptions {
  mode: 'observe' | 'act';
  /** How long a containment lasts, ms. */
  containmentMs: number;
  /** How long gateways have to acknowledge, ms. */
  acknowledgeMs: number;
  maxCommandsPerMinute: number;
  neverAct: readonly string[];
  revokeFrom: Severity;
  freezeAfterSessions: number;
  load: (key: string) => Uint8Array | undefined;
}

/** Most proposals and dry runs watched for expiry at once; what restricts somebody is always watched. */
const MAX_ACTIVE = 50_000;
/** Finished commands that are still known. */
const MAX_FINISHED = 10_000;
const MINUTE_MS = 60_000;
/** A refused call names the command behind it as `parallax:<command id>` in its rule. */
export const RULE_PREFIX = 'parallax:';

/**
 * Turns incidents into commands and keeps what gateways must enforce.
 *
 * All times are the log's processing time (`now`, epoch ms): commands live in the gateways' present, whatever the
 * age of the recording that is being observed. Holds no clock, so that replaying the log gives the same commands.
 */
export class Responder {
  readonly #options: ResponderOptions;
  readonly #commands: StateTable<Command>;
  readonly #restrictions: StateTable<Restriction>;
  /** Commands whose life is not over, in order of issue. */
  readonly #active = new Map<string, Command>();
  /** Times of automatic commands in the last minute, by tenant; stored, or a restart would forgive what was sent. */
  readonly #recent: StateTable<number[]>;
  /** Commands whose life is over, kept for boards and late confirmations; the oldest are forgotten. */
  readonly #finished: BoundedMap<string, true>;
  #overflow = 0;

  constructor(options: ResponderOptions) {
    this.#options = options;
    const table = { capacity: 10_000, load: options.load };
    this.#commands = new StateTable({ ...table, prefix: 'command/' });
    this.#restrictions = new StateTable({ ...table, prefix: 'restriction/' });
    this.#recent = new StateTable({ ...table, prefix: 'command-times/' });
    this.#finished = new BoundedMap(MAX_FINISHED, (key) => this.#commands.delete(key));
  }

  /** Takes up what the store holds, after a restart. */
  restore(commands: Iterable<Command>): void {
    for (const command of [...commands].sort(byIssue)) {
      if (isOver(command)) {
        this.#finished.set(keyOf(command), true);
        continue;
      }
      this.#active.set(keyOf(command), command);
    }
  }

  /** Commands not watched because too many were active. */
  get overflow(): number {
    return this.#overflow;
  }

  /** Commands for a new or worsened incident. The same incident never causes the same command twice. */
  onIncident(incident: Incident, sameToolSessions: number, now: number): Effect[] {
    const recent = this.#issuedSince(incident.tenant, now - MINUTE_MS);
    const plan = planResponse(incident, {
      mode: this.#options.mode,
      neverAct: this.#options.neverAct,
      revokeFrom: this.#options.revokeFrom,
      freezeAfterSessions: this.#options.freezeAfterSessions,
      commandsLastMinute: recent.length,
      maxCommandsPerMinute: this.#options.maxCommandsPerMinute,
      sameToolSessions,
    });
    return plan.flatMap((planned) => this.#issue(incident, planned, now));
  }

  /** A gateway's confirmation. An unknown or finished command, or a repeated confirmation, changes nothing. */
  onAcknowledgement(ack: Acknowledgement, now: number): Effect[] {
    const command = this.#commands.get(`${ack.tenant}/${ack.commandId}`);
    if (command === undefined) return [];
    const known = command.acknowledgements.find((a) => a.gatewayId === ack.gatewayId);
    if (known?.effective === ack.effective) return [];
    const others = command.acknowledgements.filter((a) => a.gatewayId !== ack.gatewayId);
    const acknowledgements = [...others, { gatewayId: ack.gatewayId, effective: ack.effective, time: now }];
    const detail = `${ack.gatewayId}: ${ack.effective}${ack.detail === undefined ? '' : ` (${ack.detail})`}`;
    const wanted: CommandState = ack.effective === 'rejected' ? 'failed' : 'acknowledged';
    const moves = ack.effective !== 'lifted' && mayFollow(command.state, wanted);
    const state = moves ? wanted : command.state;
    return this.#record({ ...command, acknowledgements, state }, { now, by: ack.gatewayId, detail });
  }

  /** A person contains or lifts by hand. */
  onOrder(order: OperatorOrder, now: number): Effect[] {
    if (order.order === 'lift') {
      const command = this.#commands.get(`${order.tenant}/${order.commandId ?? ''}`);
      return command === undefined ? [] : this.#move(command, 'undone', { now, by: order.by, detail: order.reason });
    }
    if (order.action === undefined || order.agentId === undefined) return [];
    const command: Command = {
      id: stableId(
        'cmd',
        order.tenant,
        order.action,
        order.agentId,
        order.sessionId ?? '',
        order.tool ?? '',
        order.time,
      ),
      tenant: order.tenant,
      action: order.action,
      agentId: order.agentId,
      reason: order.reason,
      issuedAt: now,
      expiresAt: now + this.#options.containmentMs,
      dryRun: false,
      state: 'proposed',
      acknowledgements: [],
      issuedBy: order.by,
    };
    if (order.sessionId !== undefined) command.sessionId = order.sessionId;
    if (order.tool !== undefined) command.tool = order.tool;
    if (this.#commands.get(keyOf(command)) !== undefined) return [];
    return this.#move(command, 'sent', { now, by: order.by, detail: order.reason });
  }

  /** Ends what has expired and reports what nobody confirmed in time. Call with every tick. */
  onTime(now: number): Effect[] {
    const effects: Effect[] = [];
    // By time and id: the order of issue within one millisecond is not known any more after a restart.
    const due = [...this.#active.values()].filter(
      (command) => command.expiresAt <= now || this.#isUnconfirmed(command, now),
    );
    for (const command of due.sort(byIssue)) {
      if (command.expiresAt <= now) {
        effects.push(...this.#move(command, 'expired', { now, by: 'parallax', detail: 'its time was up' }));
      } else {
        effects.push(
          ...this.#move(command, 'failed', { now, by: 'parallax', detail: 'containment not confirmed by any gateway' }),
        );
      }
    }
    return effects;
  }

  /** A call in the audit stream: the first one refused because of a command proves that the command is enforced. */
  onCall(call: ToolCallObservation, now: number): Effect[] {
    if (call.decision === 'allow' || call.ruleId?.startsWith(RULE_PREFIX) !== true) return [];
    const command = this.#commands.get(`${call.tenant}/${call.ruleId.slice(RULE_PREFIX.length)}`);
    if (command === undefined || command.agentId !== call.agentId || command.state === 'enforced') return [];
    return this.#move(command, 'enforced', { now, by: call.principalId, detail: `refused ${call.tool}` });
  }

  /** The command that forbids a call of this agent, if any. */
  restrictionOn(tenant: string, agentId: string, sessionId: string | undefined, tool: string) {
    return restrictionOn(this.#restrictions.get(`${tenant}/${agentId}`), sessionId, tool);
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#commands.drain(puts, deletes);
    this.#restrictions.drain(puts, deletes);
    this.#recent.drain(puts, deletes);
  }

  #issue(incident: Incident, planned: PlannedCommand, now: number): Effect[] {
    const subject = planned.action === 'freeze-tool' ? (planned.tool ?? '') : (incident.sessionId ?? '');
    const id = stableId('cmd', incident.tenant, incident.id, planned.action, subject);
    if (this.#commands.get(`${incident.tenant}/${id}`) !== undefined) return [];
    const command: Command = {
      id,
      tenant: incident.tenant,
      action: planned.action,
      agentId: incident.agentId,
      incidentId: incident.id,
      reason: `${incident.title} (${planned.why})`,
      issuedAt: now,
      expiresAt: now + this.#options.containmentMs,
      dryRun: planned.delivery === 'dry-run',
      state: 'proposed',
      acknowledgements: [],
      issuedBy: 'policy',
    };
    if (incident.sessionId !== undefined) command.sessionId = incident.sessionId;
    if (planned.tool !== undefined) command.tool = planned.tool;
    if (planned.delivery !== 'send') {
      const detail = planned.delivery === 'dry-run' ? 'observe-only: not sent' : 'waits for a person';
      return this.#record(command, { now, by: 'policy', detail });
    }
    this.#recent.set(incident.tenant, [...this.#issuedSince(incident.tenant, now - MINUTE_MS), now]);
    return this.#move(command, 'sent', { now, by: 'policy', detail: planned.why });
  }

  #move(command: Command, state: CommandState, step: Step): Effect[] {
    if (!mayFollow(command.state, state)) return [];
    return this.#record({ ...command, state }, step);
  }

  #record(command: Command, step: Step): Effect[] {
    const key = keyOf(command);
    this.#commands.set(key, command);
    if (isOver(command)) {
      this.#active.delete(key);
      this.#finished.set(key, true);
    } else if (this.#active.has(key) || isInForce(command) || this.#active.size < MAX_ACTIVE)
      this.#active.set(key, command);
    else this.#overflow++;
    const event: CommandEvent = {
      id: stableId('cev', command.id, command.state, step.by, step.detail),
      commandId: command.id,
      tenant: command.tenant,
      agentId: command.agentId,
      time: step.now,
      state: command.state,
      by: step.by,
      detail: step.detail,
    };
    const effects: Effect[] = [
      { type: 'command', value: command },
      { type: 'command-event', value: event },
    ];
    const agentKey = `${command.tenant}/${command.agentId}`;
    const before = this.#restrictions.get(agentKey) ?? noRestriction(command.tenant, command.agentId);
    const after = applyCommand(before, command, step.now);
    if (after !== before) {
      if (after.revokedSessions.length + after.frozenTools.length === 0) this.#restrictions.delete(agentKey);
      else this.#restrictions.set(agentKey, after);
      effects.push({ type: 'restriction', value: after });
    }
    return effects;
  }

  #isUnconfirmed(command: Command, now: number): boolean {
    return command.state === 'sent' && command.issuedAt + this.#options.acknowledgeMs <= now;
  }

  /** Times of a tenant's automatic commands after a moment, epoch ms. */
  #issuedSince(tenant: string, since: number): number[] {
    return (this.#recent.get(tenant) ?? []).filter((time) => time > since);
  }
}

interface Step {
  now: number;
  by: string;
  detail: string;
}

function isOver(command: Command): boolean {
  return command.state === 'expired' || command.state === 'undone';
}

function byIssue(a: Command, b: Command): number {
  return a.issuedAt - b.issuedAt || (a.id < b.id ? -1 : 1);
}

function keyOf(command: Command): string {
  return `${command.tenant}/${command.id}`;
}
