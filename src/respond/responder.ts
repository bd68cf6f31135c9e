import { BoundedMap } from '../lib/bounded-map.js';
import { stableId } from '../lib/hash.js';
import { StateTable } from '../lib/state-table.js';
import {
  isInForce,
  isOver,
  isUnrestricted,
  mayDecide,
  type Command,
  type CommandAction,
  type CommandEvent,
  type CommandState,
  type LoweredPosture,
  type Restriction,
  type RungMode,
} from '../model/command.js';
import type { Effect } from '../model/effect.js';
import type { Incident, Severity } from '../model/incident.js';
import type { Acknowledgement, OperatorOrder } from '../model/log-record.js';
import type { ToolCallObservation } from '../model/observation.js';
import { BlastRadius, type Reach } from './blast-radius.js';
import { mayFollow } from './lifecycle.js';
import { planResponse, type PlannedCommand } from './policy.js';
import { applyCommand, noRestriction, restrictionOn, type Obstacle, type RestrictedCall } from './restrictions.js';

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
  downgrade: RungMode;
  downgradeFrom: Severity;
  downgradeTo: LoweredPosture;
  suspend: RungMode;
  suspendAfterIncidents: number;
  /** Share of the known agents that may be contained without a person, but at least `minContainedAgents`. */
  maxContainedShare: number;
  minContainedAgents: number;
  /** Agents of a tenant that are known. */
  knownAgents: (tenant: string) => number;
  load: (key: string) => Uint8Array | undefined;
}

/** Most proposals and dry runs watched for expiry at once; what restricts somebody is always watched. */
const MAX_ACTIVE = 50_000;
/** Finished commands that are still known. */
const MAX_FINISHED = 10_000;
const MINUTE_MS = 60_000;
/** A call may have been let through just before its gateway confirmed a command, and be reported just after, ms. */
const CONFIRMED_MS = 1_000;
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
  /** Newest version of any agent's restrictions, by tenant. */
  readonly #newestVersion: StateTable<number>;
  /** Commands whose life is not over, in order of issue. */
  readonly #active = new Map<string, Command>();
  /** Times of automatic commands in the last minute, by tenant; stored, or a restart would forgive what was sent. */
  readonly #recent: StateTable<number[]>;
  /** Commands whose life is over, kept for boards and late confirmations; the oldest are forgotten. */
  readonly #finished: BoundedMap<string, true>;
  /** Commands against whole agents whose life is not over, by agent and action: one of a kind at a time is enough. */
  readonly #agentWide = new Map<string, Set<string>>();
  readonly #radius: BlastRadius;
  /** Proposals that the cap made of commands, since they were last taken. */
  #capped: CappedCommand[] = [];
  #overflow = 0;
  #restrictionsEvicted = 0;

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#radius = new BlastRadius(options);
    const table = { capacity: 10_000, load: options.load };
    this.#commands = new StateTable({ ...table, prefix: 'command/' });
    this.#restrictions = new StateTable({ ...table, prefix: 'restriction/' });
    this.#newestVersion = new StateTable({ ...table, prefix: 'restriction-version/' });
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
      this.#noteAgentWide(command);
      this.#radius.note(command);
    }
  }

  /** How far containment reaches in a tenant, and how far it may without a person. */
  reach(tenant: string): Reach {
    return this.#radius.reach(tenant, () => this.#options.knownAgents(tenant));
  }

  /** Agents that may be contained at once whatever the size of the fleet. */
  get minContainedAgents(): number {
    return this.#options.minContainedAgents;
  }

  /** The same as `reach`, with the tenant's agents counted in any case. */
  limit(tenant: string): Reach {
    return this.#radius.limit(tenant, this.#options.knownAgents(tenant));
  }

  /** Proposals that the cap made of commands, since the last call. */
  takeCapped(): CappedCommand[] {
    const capped = this.#capped;
    this.#capped = [];
    return capped;
  }

  /**
   * `notWatched`: proposals beyond the cap, which do not end by themselves; `forgotten`: finished commands beyond it;
   * `restrictionsEvicted`: restrictions that gave way because an agent had too many.
   */
  stats(): { active: number; notWatched: number; forgotten: number; restrictionsEvicted: number } {
    return {
      active: this.#active.size,
      notWatched: this.#overflow,
      forgotten: this.#finished.evicted,
      restrictionsEvicted: this.#restrictionsEvicted,
    };
  }

  /**
   * Commands for a new or worsened incident. The same incident never causes the same command twice, and an agent is
   * not downgraded or suspended by policy while it is already, or while a person is still asked about it.
   *
   * @param counts sessions with misuse of the same tool, the agent's other incidents that were true or contained, and
   *   what many agents of the class do alike where the whole case rests on that
   */
  onIncident(
    incident: Incident,
    {
      sameToolSessions,
      priorIncidents,
      sharedBehaviour,
    }: { sameToolSessions: number; priorIncidents: number; sharedBehaviour?: string | undefined },
    now: number,
  ): Effect[] {
    const recent = this.#issuedSince(incident.tenant, now - MINUTE_MS);
    const plan = planResponse(incident, {
      mode: this.#options.mode,
      neverAct: this.#options.neverAct,
      revokeFrom: this.#options.revokeFrom,
      freezeAfterSessions: this.#options.freezeAfterSessions,
      downgrade: this.#options.downgrade,
      downgradeFrom: this.#options.downgradeFrom,
      downgradeTo: this.#options.downgradeTo,
      suspend: this.#options.suspend,
      suspendAfterIncidents: this.#options.suspendAfterIncidents,
      commandsLastMinute: recent.length,
      maxCommandsPerMinute: this.#options.maxCommandsPerMinute,
      reach: this.reach(incident.tenant),
      isContained: this.#radius.isContained(incident.tenant, incident.agentId),
      sharedBehaviour,
      sameToolSessions,
      priorIncidents,
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

  /** A person contains, lifts, or decides about what was proposed. */
  onOrder(order: OperatorOrder, now: number): Effect[] {
    if (order.order === 'contain') return this.#contain(order, now);
    const command = this.#commands.get(`${order.tenant}/${order.commandId ?? ''}`);
    if (command === undefined) return [];
    const step = { now, by: order.by, detail: order.reason };
    if (order.order === 'lift') return this.#move(command, 'undone', step);
    if (command.dryRun || command.expiresAt <= now || !mayDecide(command, order.by)) return [];
    const decided = { ...command, decidedBy: order.by, decisionReason: order.reason };
    if (order.order === 'reject') return this.#move(decided, 'rejected', step);
    const approved = this.#move(decided, 'approved', step);
    if (approved.length === 0) return [];
    // It lasts as long as it would have, counted from now.
    const renewed = { ...decided, issuedAt: now, expiresAt: now + command.expiresAt - command.issuedAt };
    return [...approved, ...this.#move({ ...renewed, state: 'approved' }, 'sent', step)];
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
    if (call.ruleId?.startsWith(RULE_PREFIX) !== true) return [];
    // A call that a person let through proves as much: it was held before.
    if (call.decision === 'allow' && call.approvalId === undefined) return [];
    const command = this.#commands.get(`${call.tenant}/${call.ruleId.slice(RULE_PREFIX.length)}`);
    if (command === undefined || command.agentId !== call.agentId || command.state === 'enforced') return [];
    const detail = `${call.decision === 'allow' ? 'held' : 'refused'} ${call.tool}`;
    return this.#move(command, 'enforced', { now, by: call.principalId, detail });
  }

  /** What stands in the way of a call of this agent at `now` (epoch ms), if anything. */
  restrictionOn(tenant: string, agentId: string, call: RestrictedCall, now: number): Obstacle | undefined {
    return restrictionOn(this.#restrictions.get(`${tenant}/${agentId}`), call, now);
  }

  /**
   * Whether a gateway has confirmed the command behind an obstacle, so long ago that what is reported now as executed
   * went round it.
   */
  isConfirmed(tenant: string, { commandId }: Obstacle, now: number): boolean {
    const command = this.#commands.get(`${tenant}/${commandId}`);
    return command?.acknowledgements.some((a) => a.effective === 'enforced' && a.time + CONFIRMED_MS <= now) ?? false;
  }

  /** Whether something was done about an incident, and a gateway confirmed it. */
  wasContained({ tenant, commandIds }: Incident): boolean {
    return commandIds.some((id) => {
      const command = this.#commands.get(`${tenant}/${id}`);
      return command?.acknowledgements.some((a) => a.effective !== 'rejected') ?? false;
    });
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#commands.drain(puts, deletes);
    this.#restrictions.drain(puts, deletes);
    this.#newestVersion.drain(puts, deletes);
    this.#recent.drain(puts, deletes);
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
    if (this.#commands.get(keyOf(command)) !== undefined) return [];
    return this.#move(command, 'sent', { now, by, detail: reason });
  }

  #issue(incident: Incident, planned: PlannedCommand, now: number): Effect[] {
    const subject = planned.action === 'freeze-tool' ? (planned.tool ?? '') : (incident.sessionId ?? '');
    const id = stableId('cmd', incident.tenant, incident.id, planned.action, subject);
    const issued = this.#commands.get(`${incident.tenant}/${id}`);
    if (issued !== undefined) return this.#reconsider(issued, planned, now);
    if (this.#agentWide.has(agentWideKey({ ...incident, action: planned.action }))) return [];
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
    if (planned.posture !== undefined) command.posture = planned.posture;
    if (planned.delivery !== 'send') {
      const { wait } = planned;
      if (wait !== undefined) command.waitsFor = wait.for;
      if (wait?.for === 'cap') this.#capped.push({ command, reason: wait.reason });
      const waits = wait === undefined ? 'waits for a person' : `waits for a person: ${wait.reason}`;
      const detail = planned.delivery === 'dry-run' ? 'observe-only: not sent' : waits;
      return this.#record(command, { now, by: 'policy', detail });
    }
    return this.#send(command, planned, now);
  }

  #send(command: Command, { why }: PlannedCommand, now: number): Effect[] {
    this.#recent.set(command.tenant, [...this.#issuedSince(command.tenant, now - MINUTE_MS), now]);
    return this.#move(command, 'sent', { now, by: 'policy', detail: why });
  }

  /** What waited because peers did the same goes out once the case rests on more than that. */
  #reconsider(issued: Command, planned: PlannedCommand, now: number): Effect[] {
    if (issued.state !== 'proposed' || issued.waitsFor !== 'peers') return [];
    const { waitsFor: _, ...command } = issued;
    if (planned.delivery === 'send') return this.#send(command, planned, now);
    if (planned.wait?.for !== 'cap') return [];
    const capped: Command = { ...command, waitsFor: 'cap' };
    this.#capped.push({ command: capped, reason: planned.wait.reason });
    return this.#record(capped, { now, by: 'policy', detail: `waits for a person: ${planned.wait.reason}` });
  }

  #move(command: Command, state: CommandState, step: Step): Effect[] {
    if (!mayFollow(command.state, state)) return [];
    return this.#record({ ...command, state }, step);
  }

  #record(command: Command, step: Step): Effect[] {
    const key = keyOf(command);
    this.#commands.set(key, command);
    this.#noteAgentWide(command);
    this.#radius.note(command);
    if (isOver(command)) {
      this.#active.delete(key);
      this.#finished.set(key, true);
    } else if (this.#active.has(key) || isInForce(command) || this.#active.size < MAX_ACTIVE)
      this.#active.set(key, command);
    else this.#overflow++;
    const event: CommandEvent = {
      id: stableId('cev', command.id, command.state, step.by, step.detail, step.now),
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
    // Not the time alone: several changes of one moment must not give an agent that was forgotten an older version.
    const leastVersion = Math.max(step.now, (this.#newestVersion.get(command.tenant) ?? 0) + 1);
    const after = applyCommand(before, command, leastVersion, (count) => (this.#restrictionsEvicted += count));
    if (after !== before) {
      this.#newestVersion.set(command.tenant, after.version);
      if (isUnrestricted(after)) this.#restrictions.delete(agentKey);
      else this.#restrictions.set(agentKey, after);
      effects.push({ type: 'restriction', value: after });
    }
    return effects;
  }

  #noteAgentWide(command: Command): void {
    const { action } = command;
    if (action !== 'downgrade-posture' && action !== 'suspend-agent') return;
    const key = agentWideKey(command);
    const ids = this.#agentWide.get(key) ?? new Set();
    if (isOver(command)) ids.delete(command.id);
    else ids.add(command.id);
    if (ids.size === 0) this.#agentWide.delete(key);
    else this.#agentWide.set(key, ids);
  }

  #isUnconfirmed(command: Command, now: number): boolean {
    return command.state === 'sent' && command.issuedAt + this.#options.acknowledgeMs <= now;
  }

  /** Times of a tenant's automatic commands after a moment, epoch ms. */
  #issuedSince(tenant: string, since: number): number[] {
    return (this.#recent.get(tenant) ?? []).filter((time) => time > since);
  }
}

/** A command that the blast-radius cap made a proposal of. */
export interface CappedCommand {
  command: Command;
  reason: string;
}

interface Step {
  now: number;
  by: string;
  detail: string;
}

/** An action of another kind has an entry of its own, which is never there. */
function agentWideKey({ tenant, agentId, action }: { tenant: string; agentId: string; action: CommandAction }): string {
  return JSON.stringify([tenant, agentId, action]);
}

function byIssue(a: Command, b: Command): number {
  return a.issuedAt - b.issuedAt || (a.id < b.id ? -1 : 1);
}

function keyOf(command: Command): string {
  return `${command.tenant}/${command.id}`;
}
