import { matchesAny } from '../lib/name-pattern.js';
import {
  COMMAND_ACTIONS,
  type CommandAction,
  type CommandWait,
  type LoweredPosture,
  type TimeoutAnswer,
} from '../model/command.js';
import { SEVERITIES, type Incident, type Severity } from '../model/incident.js';
import type { ResponseCaps, ResponsePolicy, Rung } from '../model/response-policy.js';
import type { Reach } from './blast-radius.js';
import { needsRest, type ScopeHistory } from './cool-down.js';

/** An incident, as far as the policy looks at it. */
export interface PolicyCase {
  agentId: string;
  sessionId?: string;
  severity: Severity;
  riskNats: number;
  /** Independent emitters behind the evidence. */
  emitters: number;
  /** An invariant is broken. */
  violation: boolean;
  /** The tool of the strongest signal that may be acted on. */
  tool?: string;
}

/** One hand alone never makes Parallax act by itself. */
export const LEAST_EMITTERS = 2;

/** What the policy needs to know beside the incident. Questions are asked only where the answer matters. */
export interface PolicyFacts {
  mode: 'observe' | 'act';
  /** Other incidents of the agent within so many ms before this one that were judged true or were contained. */
  priorIncidents: (withinMs: number) => number;
  /** Sessions of the agent with an open incident over a tool, within so many ms. */
  toolSessions: (tool: string, withinMs: number) => number;
  /** Whether this incident has caused this command already, and it is not to be looked at again. */
  settled: (action: CommandAction) => boolean;
  /** Whether a command of this kind against the whole agent is in force or waits for a person. */
  stands: (action: CommandAction) => boolean;
  /** What was done to the same agent, tool or session lately. */
  scope: (action: CommandAction) => ScopeHistory;
  /** Automatic commands of this tenant, and of all tenants, in the last minute. */
  commandsLastMinute: number;
  totalCommandsLastMinute: number;
  /** How many agents are contained, and may be. */
  reach: Reach;
  /** This agent is contained already: more against it reaches nobody else. */
  isContained: boolean;
  /** What many agents of the class do alike, where the whole case rests on that. */
  sharedBehaviour: string | undefined;
  /** Processing time, epoch ms. */
  now: number;
}

/** What the guard rails look at. */
type GuardFacts = Pick<
  PolicyFacts,
  'scope' | 'commandsLastMinute' | 'totalCommandsLastMinute' | 'reach' | 'isContained' | 'sharedBehaviour' | 'now'
>;

/** One command the policy wants, and whether it may go out by itself. */
export interface PlannedCommand {
  action: CommandAction;
  tool?: string;
  posture?: LoweredPosture;
  /** `send`: at once. `propose`: wait for a person. `dry-run`: observe-only, for the record. */
  delivery: 'send' | 'propose' | 'dry-run';
  /** Why the rung is climbed. */
  why: string;
  /** Why it is not sent at once. */
  held?: string;
  /** Why it waits although the evidence would do, in one word. */
  waitsFor?: CommandWait;
  /** How long it restricts, and how long a person has to decide, ms. */
  containMs: number;
  proposalMs: number;
  /** What becomes of it when nobody decides. */
  onTimeout: TimeoutAnswer;
}

/** What the policy says to one rung: a command, or why there is none. */
export type RungDecision =
  | { rung: CommandAction; command: PlannedCommand }
  | { rung: CommandAction; command: undefined; why: string };

export function caseOf(incident: Incident): PolicyCase {
  const { agentId, sessionId, severity, riskNats, violation } = incident;
  const tool = mainTool(incident);
  return {
    agentId,
    severity,
    riskNats,
    violation,
    emitters: incident.emitters.length,
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(tool === undefined ? {} : { tool }),
  };
}

/** The tool of the strongest signal that may be acted on. */
export function mainTool(incident: Incident): string | undefined {
  let best: { tool: string; nats: number } | undefined;
  for (const { tool, nats, shadow } of incident.signals) {
    if (tool !== undefined && !shadow && (best === undefined || nats > best.nats)) best = { tool, nats };
  }
  return best?.tool;
}

/** Whether people are told of an incident of this severity. */
export function tellsPeople({ severity }: Pick<PolicyCase, 'severity'>, policy: ResponsePolicy): boolean {
  return isFrom(severity, policy.alert.severity);
}

/**
 * What to do about an incident, rung by rung, mildest first: downgrade the agent's posture, freeze a tool, revoke the
 * session, suspend the agent. A pure function, so that it can be shown before it is trusted.
 *
 * Automatic action needs evidence from two independent emitters or a broken invariant (design section 6); less than
 * that is proposed to a person. So is everything against agents on a never-act list, above a cap, in a loop of
 * containment and recovery, and where the case rests on what many peers do alike. Everything here tightens.
 */
export function planResponse(
  about: PolicyCase,
  { policy, caps }: { policy: ResponsePolicy; caps: ResponseCaps },
  facts: PolicyFacts,
): RungDecision[] {
  let sent = 0;
  return COMMAND_ACTIONS.map((action) => {
    const rung = policy[action];
    const climb = climbs(action, rung, about, facts);
    if (!climb.does) return { rung: action, command: undefined, why: climb.why };
    const standing = { policy, caps, sent };
    const delivered = deliver(action, about, standing, facts);
    if (delivered.delivery === 'send') sent++;
    const { containMs, proposalMs } = rung;
    const command = {
      action,
      ...subjectOf(action, about, policy),
      why: climb.why,
      containMs,
      proposalMs,
      ...delivered,
    };
    return { rung: action, command };
  });
}

/** Why one more automatic command would reach too far, or undefined. @param sent commands just planned beside it */
export function overCap(
  caps: ResponseCaps,
  facts: Pick<PolicyFacts, 'commandsLastMinute' | 'totalCommandsLastMinute' | 'reach' | 'isContained'>,
  sent: number,
): string | undefined {
  const { reach } = facts;
  const own = facts.commandsLastMinute + sent;
  if (own >= caps.commandsPerMinute) return `blast-radius cap: ${own} commands were sent within a minute`;
  const total = facts.totalCommandsLastMinute + sent;
  if (total >= caps.totalCommandsPerMinute) {
    return `blast-radius cap: ${total} commands of all tenants were sent within a minute`;
  }
  if (facts.isContained || sent > 0 || reach.contained < reach.maxContained) return undefined;
  return `blast-radius cap: ${reach.contained} of ${reach.known} agents are contained already`;
}

/** The conditions of a rung, and what they came to in words. */
function climbs(
  action: CommandAction,
  rung: Rung,
  about: PolicyCase,
  facts: PolicyFacts,
): { does: boolean; why: string } {
  const no = (why: string) => ({ does: false, why });
  const { severity, emitters, tool } = about;
  if (rung.mode === 'off') return no('it is off');
  if (facts.settled(action)) return no('this incident has caused it already');
  if (action === 'revoke-session' && about.sessionId === undefined) return no('the incident has no session');
  if (action === 'freeze-tool' && tool === undefined) return no('no signal names a tool');
  if (!isFrom(severity, rung.severity)) return no(`severity ${severity} is below ${rung.severity}`);
  if (emitters < rung.emitters && !about.violation) return no(`${emitters} of ${rung.emitters} emitters agree`);
  const reasons: string[] = [];
  if (rung.toolSessions > 0) {
    const sessions = tool === undefined ? 0 : facts.toolSessions(tool, rung.toolWithinMs);
    if (sessions < rung.toolSessions) return no(`misused in ${sessions} of ${rung.toolSessions} sessions`);
    reasons.push(`misused in ${sessions} sessions of this agent`);
  }
  if (rung.priorIncidents > 0) {
    const priors = facts.priorIncidents(rung.priorWithinMs);
    if (priors < rung.priorIncidents) {
      return no(`${priors} of ${rung.priorIncidents} earlier incidents were true or contained`);
    }
    reasons.push(`repeat offender: ${priors} earlier incidents were true or contained`);
  }
  if (facts.stands(action)) return no('the agent is restricted so already, or a person is asked about it');
  if (reasons.length === 0) {
    if (action === 'revoke-session') reasons.push(`risk ${about.riskNats.toFixed(1)} nats`);
    reasons.push(`severity ${severity}`);
  }
  return { does: true, why: reasons.join(', ') };
}

function subjectOf(action: CommandAction, { tool }: PolicyCase, policy: ResponsePolicy) {
  if (action === 'downgrade-posture') return { posture: policy[action].posture };
  return action === 'freeze-tool' && tool !== undefined ? { tool } : {};
}

type Delivery = Pick<PlannedCommand, 'delivery' | 'held' | 'waitsFor' | 'onTimeout'>;

function deliver(
  action: CommandAction,
  about: PolicyCase,
  { policy, caps, sent }: { policy: ResponsePolicy; caps: ResponseCaps; sent: number },
  facts: PolicyFacts,
): Delivery {
  const { mode, onTimeout } = policy[action];
  if (facts.mode === 'observe') return { delivery: 'dry-run', held: 'observe-only: not sent', onTimeout: 'expire' };
  if (mode === 'observe')
    return { delivery: 'dry-run', held: 'this rung only observes: not sent', onTimeout: 'expire' };
  const obstacle = obstacleTo(action, about, { policy, caps, sent }, facts);
  if (obstacle !== undefined) {
    // A time-out stands in for no person: where the guard rails ask for one, nobody's silence is an approval.
    return { delivery: 'propose', ...obstacle, onTimeout: onTimeout === 'approve' ? 'expire' : onTimeout };
  }
  if (mode === 'act') return { delivery: 'send', onTimeout: 'expire' };
  return { delivery: 'propose', held: 'this rung is only proposed', onTimeout };
}

/**
 * The guard rail that asks for a person, whatever the rung's mode.
 *
 * @param sent automatic commands just planned beside it
 */
export function obstacleTo(
  action: CommandAction,
  about: Pick<PolicyCase, 'agentId' | 'emitters' | 'violation'>,
  { policy, caps, sent }: { policy: ResponsePolicy; caps: ResponseCaps; sent: number },
  facts: GuardFacts,
): Pick<Delivery, 'held' | 'waitsFor'> | undefined {
  const rung = policy[action];
  if (matchesAny(policy.neverAct, about.agentId) || matchesAny(rung.neverAct, about.agentId)) {
    return { held: 'the agent is on the never-act list' };
  }
  if (!about.violation && about.emitters < Math.max(LEAST_EMITTERS, rung.actEmitters)) {
    return { held: `the evidence is from ${about.emitters} of ${rung.actEmitters} emitters` };
  }
  if (facts.sharedBehaviour !== undefined) return { held: facts.sharedBehaviour, waitsFor: 'peers' };
  const rest = needsRest(facts.scope(action), policy.coolDown, facts.now);
  if (rest !== undefined) return { held: rest, waitsFor: 'cool-down' };
  const over = overCap(caps, facts, sent);
  return over === undefined ? undefined : { held: over, waitsFor: 'cap' };
}

function isFrom(severity: Severity, least: Severity): boolean {
  return SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(least);
}
