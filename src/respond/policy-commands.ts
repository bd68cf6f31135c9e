import { stableId } from '../lib/hash.js';
import { StateTable } from '../lib/state-table.js';
import type { Command } from '../model/command.js';
import type { Effect } from '../model/effect.js';
import type { Incident } from '../model/incident.js';
import type { Reach } from './blast-radius.js';
import type { CommandLedger } from './command-ledger.js';
import { planResponse, type PlannedCommand, type PolicyContext } from './policy.js';

const MINUTE_MS = 60_000;

/** What of the policy's context is configured. */
export type PolicySettings = Omit<
  PolicyContext,
  'commandsLastMinute' | 'reach' | 'isContained' | 'sharedBehaviour' | 'sameToolSessions' | 'priorIncidents'
>;

export interface PolicyCommandsOptions extends PolicySettings {
  /** How long a containment lasts, ms. */
  containmentMs: number;
  ledger: CommandLedger;
  reach: (tenant: string) => Reach;
  load: (key: string) => Uint8Array | undefined;
}

/** A command that the blast-radius cap made a proposal of. */
export interface CappedCommand {
  command: Command;
  reason: string;
}

/** What is known about the agent beside the incident. */
export interface Circumstances {
  /** Sessions with misuse of the same tool. */
  sameToolSessions: number;
  /** The agent's other incidents that were true or contained. */
  priorIncidents: number;
  /** What many agents of the class do alike, where the whole case rests on that. */
  sharedBehaviour?: string | undefined;
}

/** Turns incidents into commands and proposals, as the policy says. */
export class PolicyCommands {
  readonly #options: PolicyCommandsOptions;
  /** Times of automatic commands in the last minute, by tenant; stored, or a restart would forgive what was sent. */
  readonly #recent: StateTable<number[]>;
  /** Proposals that the cap made of commands, since they were last taken. */
  #capped: CappedCommand[] = [];

  constructor(options: PolicyCommandsOptions) {
    this.#options = options;
    this.#recent = new StateTable({ capacity: 10_000, load: options.load, prefix: 'command-times/' });
  }

  /** Proposals that the cap made of commands, since the last call. */
  takeCapped(): CappedCommand[] {
    const capped = this.#capped;
    this.#capped = [];
    return capped;
  }

  /**
   * Commands for a new or worsened incident. The same incident never causes the same command twice, and an agent is
   * not downgraded or suspended by policy while it is already, or while a person is still asked about it.
   *
   * @param now processing time, epoch ms
   */
  onIncident(incident: Incident, circumstances: Circumstances, now: number): Effect[] {
    const { ledger, reach } = this.#options;
    const plan = planResponse(incident, {
      ...this.#options,
      sharedBehaviour: undefined,
      ...circumstances,
      commandsLastMinute: this.#issuedSince(incident.tenant, now - MINUTE_MS).length,
      reach: reach(incident.tenant),
      isContained: ledger.radius.isContained(incident.tenant, incident.agentId),
    });
    return plan.flatMap((planned) => this.#issue(incident, planned, now));
  }

  /**
   * What is done where gateways do not confirm a command: the agent as a whole is suspended, or a person is asked to.
   * It goes out by itself only where policy may suspend by itself and had sent the command itself, within the cap of
   * commands a minute: it concerns an agent that is contained already.
   *
   * @param now processing time, epoch ms
   */
  climb(from: Command, now: number): Effect[] {
    const { ledger, suspend, containmentMs, maxCommandsPerMinute } = this.#options;
    const { tenant, agentId, incidentId } = from;
    const action = 'suspend-agent';
    if (suspend === 'off' || from.action === action || ledger.hasAgentWide({ tenant, agentId, action })) return [];
    const id = stableId('cmd', tenant, from.id, action);
    if (ledger.get(tenant, id) !== undefined) return [];
    const why = `containment not confirmed: ${from.action}`;
    const command: Command = {
      id,
      tenant,
      action,
      agentId,
      reason: `${why} (${from.reason})`,
      issuedAt: now,
      expiresAt: now + containmentMs,
      dryRun: false,
      state: 'proposed',
      acknowledgements: [],
      issuedBy: 'policy',
    };
    if (incidentId !== undefined) command.incidentId = incidentId;
    const isWithinCap = this.#issuedSince(tenant, now - MINUTE_MS).length < maxCommandsPerMinute;
    if (suspend === 'act' && from.issuedBy === 'policy' && from.decidedBy === undefined && isWithinCap) {
      return this.#send(command, why, now);
    }
    return ledger.record(command, { now, by: 'policy', detail: `waits for a person: ${why}` });
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#recent.drain(puts, deletes);
  }

  #issue(incident: Incident, planned: PlannedCommand, now: number): Effect[] {
    const { ledger } = this.#options;
    const subject = planned.action === 'freeze-tool' ? (planned.tool ?? '') : (incident.sessionId ?? '');
    const id = stableId('cmd', incident.tenant, incident.id, planned.action, subject);
    const issued = ledger.get(incident.tenant, id);
    if (issued !== undefined) return this.#reconsider(issued, planned, now);
    if (ledger.hasAgentWide({ ...incident, action: planned.action })) return [];
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
      return ledger.record(command, { now, by: 'policy', detail });
    }
    return this.#send(command, planned.why, now);
  }

  #send(command: Command, why: string, now: number): Effect[] {
    this.#recent.set(command.tenant, [...this.#issuedSince(command.tenant, now - MINUTE_MS), now]);
    return this.#options.ledger.move(command, 'sent', { now, by: 'policy', detail: why });
  }

  /** What waited because peers did the same goes out once the case rests on more than that. */
  #reconsider(issued: Command, planned: PlannedCommand, now: number): Effect[] {
    if (issued.state !== 'proposed' || issued.waitsFor !== 'peers') return [];
    const { waitsFor: _, ...command } = issued;
    if (planned.delivery === 'send') return this.#send(command, planned.why, now);
    if (planned.wait?.for !== 'cap') return [];
    const capped: Command = { ...command, waitsFor: 'cap' };
    this.#capped.push({ command: capped, reason: planned.wait.reason });
    return this.#options.ledger.record(capped, {
      now,
      by: 'policy',
      detail: `waits for a person: ${planned.wait.reason}`,
    });
  }

  /** Times of a tenant's automatic commands after a moment, epoch ms. */
  #issuedSince(tenant: string, since: number): number[] {
    return (this.#recent.get(tenant) ?? []).filter((time) => time > since);
  }
}
