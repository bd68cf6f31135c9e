import { stableId } from '../lib/hash.js';
import { COMMAND_ACTIONS, type Command, type CommandAction } from '../model/command.js';
import type { Effect } from '../model/effect.js';
import type { Incident } from '../model/incident.js';
import type { ResponsePolicy } from '../model/response-policy.js';
import type { Reach } from './blast-radius.js';
import type { CommandLedger } from './command-ledger.js';
import type { CommandRate } from './command-rate.js';
import type { ContainmentScope } from './cool-down.js';
import type { LeasedCaps } from './leased-caps.js';
import {
  caseOf,
  LEAST_EMITTERS,
  obstacleTo,
  planResponse,
  type PlannedCommand,
  type PolicyCase,
  type PolicyFacts,
} from './policy.js';
import type { ResponseCase } from './response-case.js';

/** Containments that are given out of one kind. */
const MAX_TIMES = 1_000;

export interface PolicyCommandsOptions {
  mode: 'observe' | 'act';
  leased: LeasedCaps;
  rate: CommandRate;
  policyOf: (agentId: string) => ResponsePolicy;
  ledger: CommandLedger;
  reach: (tenant: string) => Reach;
}

/** A command that the blast-radius cap made a proposal of. */
export interface CappedCommand {
  command: Command;
  reason: string;
}

/** A proposal that nobody decided about, of which people are told again. */
export interface Undecided {
  kind: 'undecided';
  command: Command;
  gateways: string[];
}

/** What is known about the agent beside the incident; asked for only where it matters. */
export type Circumstances = Pick<PolicyFacts, 'priorIncidents' | 'toolSessions' | 'sharedBehaviour'>;

/** What an explanation shows of the agent and the install. */
export type ReachedCase = Pick<
  ResponseCase,
  | 'containments'
  | 'liftedAgoMs'
  | 'standing'
  | 'commandsLastMinute'
  | 'totalCommandsLastMinute'
  | 'contained'
  | 'known'
  | 'isContained'
>;

/** Turns incidents into commands and proposals, as the policy says. */
export class PolicyCommands {
  readonly #options: PolicyCommandsOptions;
  readonly #rate: CommandRate;
  /** Proposals that the cap made of commands, since they were last taken. */
  #capped: CappedCommand[] = [];
  #undecided: Undecided[] = [];

  constructor(options: PolicyCommandsOptions) {
    this.#options = options;
    this.#rate = options.rate;
  }

  /** Proposals that the cap made of commands, since the last call. */
  takeCapped(): CappedCommand[] {
    const capped = this.#capped;
    this.#capped = [];
    return capped;
  }

  /** Proposals that people are to be told of again, since the last call. */
  takeUndecided(): Undecided[] {
    const undecided = this.#undecided;
    this.#undecided = [];
    return undecided;
  }

  /**
   * What becomes of a proposal that nobody decided about in time, as its policy says; undefined where it just ends.
   * Silence stands in for no person: the guard rails must let the command go out as it is now.
   *
   * @param now processing time, epoch ms
   */
  onSilence(command: Command, now: number): Effect[] | undefined {
    const { state, dryRun, issuedAt, expiresAt, containMs = expiresAt - issuedAt, agentId, action } = command;
    const { onTimeout, ...rest } = command;
    if (state !== 'proposed' || dryRun || onTimeout === undefined || onTimeout === 'expire') return undefined;
    const why = 'nobody decided in time';
    if (onTimeout === 'escalate') {
      // Once more and no more: it has as long again, and then it ends.
      const again: Command = { ...rest, issuedAt: now, expiresAt: now + expiresAt - issuedAt };
      this.#undecided.push({ kind: 'undecided', command: again, gateways: [] });
      return this.#options.ledger.record(again, { now, by: 'policy', detail: `${why}: people are told again` });
    }
    const emitters = this.#options.policyOf(agentId)[action].actEmitters;
    if (this.#obstacleNow(command, { agentId, violation: false, emitters }, now) !== undefined) return undefined;
    const said = { decidedBy: 'policy', decisionReason: why };
    return this.#send({ ...rest, ...said, issuedAt: now, expiresAt: now + containMs }, why, now);
  }

  /** The guard rail that stands in the way of a command that is not about new evidence. */
  #obstacleNow(
    command: ContainmentScope & Pick<Command, 'incidentId'>,
    about: Pick<PolicyCase, 'agentId' | 'emitters' | 'violation'>,
    now: number,
  ): ReturnType<typeof obstacleTo> {
    const { ledger, policyOf } = this.#options;
    const { caps } = this.#options.leased;
    const { tenant, agentId, action, incidentId = '' } = command;
    const scope = ledger.coolDown.history(command, incidentId, now);
    const facts = { ...this.#reached(tenant, agentId, now), sharedBehaviour: undefined, scope: () => scope, now };
    return obstacleTo(action, about, { policy: policyOf(agentId), caps, sent: 0 }, facts);
  }

  /**
   * Commands for a new or worsened incident. The same incident never causes the same command twice, and an agent is
   * not downgraded or suspended by policy while it is already, or while a person is still asked about it.
   *
   * @param now processing time, epoch ms
   */
  onIncident(incident: Incident, circumstances: Circumstances, now: number): Effect[] {
    const { policyOf } = this.#options;
    const { caps } = this.#options.leased;
    const about = caseOf(incident);
    const settings = { policy: policyOf(incident.agentId), caps };
    const plan = planResponse(about, settings, this.facts(incident, about, circumstances, now));
    return plan.flatMap(({ command }) => (command === undefined ? [] : this.#issue(incident, command, now)));
  }

  /** What the policy asks about an incident, as it is now. */
  facts(incident: Incident, about: PolicyCase, circumstances: Circumstances, now: number): PolicyFacts {
    const { ledger, mode } = this.#options;
    const { tenant, agentId } = incident;
    return {
      ...circumstances,
      mode,
      now,
      settled: (action) => {
        const issued = ledger.get(tenant, commandId(incident, action, about));
        return issued !== undefined && !mayChange(issued);
      },
      stands: (action) => ledger.hasAgentWide({ tenant, agentId, action }, commandId(incident, action, about)),
      scope: (action) => ledger.coolDown.history({ tenant, action, ...about }, incident.id, now),
      ...this.#reached(tenant, agentId, now),
    };
  }

  /** What the policy asks about an incident's subject and the install, as data. @param now processing time, epoch ms */
  reachedBy(incident: Incident, now: number): ReachedCase {
    const { ledger } = this.#options;
    const { tenant, agentId } = incident;
    const about = caseOf(incident);
    const containments: ReachedCase['containments'] = {};
    const liftedAgoMs: ReachedCase['liftedAgoMs'] = {};
    const standing: CommandAction[] = [];
    for (const action of COMMAND_ACTIONS) {
      const { containedAt, liftedAt } = ledger.coolDown.history({ tenant, action, ...about }, incident.id, now);
      if (containedAt.length > 0) containments[action] = containedAt.slice(-MAX_TIMES).map((time) => now - time);
      if (liftedAt !== undefined) liftedAgoMs[action] = now - liftedAt;
      const own = commandId(incident, action, about);
      if (ledger.hasAgentWide({ tenant, agentId, action }, own)) standing.push(action);
    }
    const { reach, ...reached } = this.#reached(tenant, agentId, now);
    return { ...reached, containments, liftedAgoMs, standing, contained: reach.contained, known: reach.known };
  }

  /** How much is done already, for the caps. */
  #reached(tenant: string, agentId: string, now: number) {
    const { ledger, reach } = this.#options;
    return {
      commandsLastMinute: this.#rate.ofTenant(tenant, now),
      totalCommandsLastMinute: this.#rate.inTotal(now),
      reach: reach(tenant),
      isContained: ledger.radius.isContained(tenant, agentId),
    };
  }

  /**
   * What is done where gateways do not confirm a command: the agent as a whole is suspended, or a person is asked to.
   * It goes out by itself only where policy may suspend by itself and had sent the command itself, within the cap of
   * commands a minute: it concerns an agent that is contained already.
   *
   * @param now processing time, epoch ms
   */
  climb(from: Command, now: number): Effect[] {
    const { ledger, policyOf } = this.#options;
    const { tenant, agentId, incidentId } = from;
    const action = 'suspend-agent';
    const id = stableId('cmd', tenant, from.id, action);
    const policy = policyOf(agentId);
    const { mode, containMs, proposalMs } = policy[action];
    if (mode === 'off' || mode === 'observe' || from.action === action) return [];
    if (ledger.hasAgentWide({ tenant, agentId, action }, id) || ledger.get(tenant, id) !== undefined) return [];
    const why = `containment not confirmed: ${from.action}`;
    const command: Command = {
      id,
      tenant,
      action,
      agentId,
      reason: `${why} (${from.reason})`,
      issuedAt: now,
      expiresAt: now + containMs,
      dryRun: false,
      state: 'proposed',
      acknowledgements: [],
      issuedBy: 'policy',
    };
    if (incidentId !== undefined) command.incidentId = incidentId;
    const isAutomatic = from.issuedBy === 'policy' && from.decidedBy === undefined;
    const about = { agentId, violation: false, emitters: isAutomatic ? LEAST_EMITTERS : 0 };
    if (mode === 'act' && this.#obstacleNow(command, about, now) === undefined) return this.#send(command, why, now);
    const proposal = { ...command, containMs, expiresAt: now + proposalMs };
    return ledger.record(proposal, { now, by: 'policy', detail: `waits for a person: ${why}` });
  }

  #issue(incident: Incident, planned: PlannedCommand, now: number): Effect[] {
    const { ledger } = this.#options;
    const { action, delivery, held = '', waitsFor, containMs, proposalMs, onTimeout } = planned;
    const id = commandId(incident, action, planned);
    const issued = ledger.get(incident.tenant, id);
    if (issued !== undefined) return this.#reconsider(issued, planned, now);
    const command: Command = {
      id,
      tenant: incident.tenant,
      action,
      agentId: incident.agentId,
      incidentId: incident.id,
      reason: reasonOf(incident, planned),
      issuedAt: now,
      expiresAt: now + (delivery === 'propose' ? proposalMs : containMs),
      dryRun: delivery === 'dry-run',
      state: 'proposed',
      acknowledgements: [],
      issuedBy: 'policy',
    };
    if (incident.sessionId !== undefined) command.sessionId = incident.sessionId;
    if (planned.tool !== undefined) command.tool = planned.tool;
    if (planned.posture !== undefined) command.posture = planned.posture;
    if (delivery === 'send') return this.#send(command, planned.why, now);
    if (delivery === 'dry-run') return ledger.record(command, { now, by: 'policy', detail: held });
    command.containMs = containMs;
    if (onTimeout !== 'expire') command.onTimeout = onTimeout;
    return this.#propose({ ...command, ...(waitsFor && { waitsFor }) }, held, now);
  }

  #send(command: Command, why: string, now: number): Effect[] {
    this.#rate.note(command.tenant, now);
    const effects = this.#options.ledger.move(command, 'sent', { now, by: 'policy', detail: why });
    this.#askForMore(command, now);
    return effects;
  }

  #propose(command: Command, why: string, now: number): Effect[] {
    const isPart = command.waitsFor === 'cap' && this.#options.leased.isPart;
    const held = isPart ? `${why}, as many as this partition may by itself now` : why;
    if (command.waitsFor === 'cap') {
      this.#capped.push({ command, reason: held });
      this.#askForMore(command, now);
    }
    return this.#options.ledger.record(command, { now, by: 'policy', detail: `waits for a person: ${held}` });
  }

  /** Where the next command would be beyond what this partition may do by itself, it asks for more of the whole. */
  #askForMore({ tenant, agentId }: Command, now: number): void {
    const { leased } = this.#options;
    if (!leased.isPart) return;
    const { commandsPerMinute, totalCommandsPerMinute } = leased.caps;
    const { commandsLastMinute, totalCommandsLastMinute, reach } = this.#reached(tenant, agentId, now);
    if (commandsLastMinute >= commandsPerMinute) leased.want('commandsPerMinute', moreThan(commandsPerMinute), now);
    if (totalCommandsLastMinute >= totalCommandsPerMinute)
      leased.want('totalCommandsPerMinute', moreThan(totalCommandsPerMinute), now);
    if (reach.contained >= reach.maxContained) leased.want('minContainedAgents', reach.maxContained + 1, now);
  }

  /** What waited because peers did the same goes out once the case rests on more than that. */
  #reconsider(issued: Command, planned: PlannedCommand, now: number): Effect[] {
    if (!mayChange(issued)) return [];
    const { waitsFor: _, ...command } = issued;
    const { delivery, held = '', waitsFor, containMs, why } = planned;
    if (delivery === 'send') return this.#send({ ...command, expiresAt: now + containMs, issuedAt: now }, why, now);
    if (waitsFor === undefined || waitsFor === 'peers') return [];
    return this.#propose({ ...command, waitsFor }, held, now);
  }
}

/** Twice as much, so that a few steps reach any amount. */
function moreThan(amount: number): number {
  return Math.max(1, 2 * amount);
}

function mayChange({ state, waitsFor }: Command): boolean {
  return state === 'proposed' && waitsFor === 'peers';
}

/** The same incident never causes the same command twice. */
function commandId(incident: Incident, action: CommandAction, { tool = '' }: { tool?: string }): string {
  const subject = action === 'freeze-tool' ? tool : (incident.sessionId ?? '');
  return stableId('cmd', incident.tenant, incident.id, action, subject);
}

/** Read by whoever decides about it, and by whoever is refused because of it. */
function reasonOf({ title }: Incident, { why, held, waitsFor }: PlannedCommand): string {
  return waitsFor === 'cool-down' ? `${title} (${why}; ${held})` : `${title} (${why})`;
}
