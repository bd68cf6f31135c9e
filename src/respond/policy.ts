import type { CommandAction, CommandWait, LoweredPosture, RungMode } from '../model/command.js';
import { SEVERITIES, type Incident, type Severity } from '../model/incident.js';
import type { Reach } from './blast-radius.js';

/** What the response policy needs beside the incident itself. */
export interface PolicyContext {
  mode: 'observe' | 'act';
  /** Agents that are never contained automatically; a trailing `*` is a prefix. */
  neverAct: readonly string[];
  /** Automatic commands of this tenant in the last minute. */
  commandsLastMinute: number;
  maxCommandsPerMinute: number;
  /** How many agents are contained, and may be. */
  reach: Reach;
  /** This agent is contained already: more against it reaches nobody else. */
  isContained: boolean;
  /** What many agents of the class do alike, where the whole case rests on that. */
  sharedBehaviour: string | undefined;
  /** From this severity on a session is revoked; below it, writes that gateways ask about are held. */
  revokeFrom: Severity;
  /** Sessions of this agent with an open incident over the same tool, lately. */
  sameToolSessions: number;
  /** So many of them freeze the tool for the whole agent. */
  freezeAfterSessions: number;
  /** Lower the posture of the whole agent: not at all, after a person's approval, or at once. */
  downgrade: RungMode;
  /** From this severity on. */
  downgradeFrom: Severity;
  downgradeTo: LoweredPosture;
  /** Suspend a repeat offender: not at all, after a person's approval, or at once. */
  suspend: RungMode;
  /** Other incidents of this agent, lately, that were judged true or were contained. */
  priorIncidents: number;
  /** So many of them make the agent a repeat offender. */
  suspendAfterIncidents: number;
}

/** One command the policy wants, and whether it may go out by itself. */
export interface PlannedCommand {
  action: CommandAction;
  tool?: string;
  posture?: LoweredPosture;
  /** `send`: at once. `propose`: wait for a person. `dry-run`: observe-only, for the record. */
  delivery: 'send' | 'propose' | 'dry-run';
  why: string;
  /** Why it waits although the evidence would do, in one word and in words for a person. */
  wait?: { for: CommandWait; reason: string };
}

/**
 * What to do about an incident: a pure function, so that it can be shown before it is trusted. The rungs, mildest
 * first: downgrade the agent's posture, freeze a tool, revoke the session, suspend the agent. A rung that hits sessions
 * which did nothing (downgrade, suspend) is climbed only as far as configured.
 *
 * Automatic action needs evidence from two independent emitters or a broken invariant (design section 6); less than
 * that is proposed to a person. Nobody on the never-act list is touched, and above the blast-radius cap, or where the case
 * rests on what many peers do alike, everything waits for a person.
 */
export function planResponse(incident: Incident, context: PolicyContext): PlannedCommand[] {
  const plan: Rung[] = [];
  if (context.downgrade !== 'off' && isFrom(incident, context.downgradeFrom)) {
    const { downgrade: mode, downgradeTo: posture } = context;
    plan.push({ action: 'downgrade-posture', posture, mode, why: `severity ${incident.severity}` });
  }
  const tool = mainTool(incident);
  if (tool !== undefined && context.sameToolSessions >= context.freezeAfterSessions) {
    const why = `misused in ${context.sameToolSessions} sessions of this agent`;
    plan.push({ action: 'freeze-tool', tool, mode: 'act', why });
  }
  if (incident.sessionId !== undefined && isFrom(incident, context.revokeFrom)) {
    const why = `risk ${incident.riskNats.toFixed(1)} nats, severity ${incident.severity}`;
    plan.push({ action: 'revoke-session', mode: 'act', why });
  }
  if (context.suspend !== 'off' && context.priorIncidents >= context.suspendAfterIncidents) {
    const why = `repeat offender: ${context.priorIncidents} earlier incidents were true or contained`;
    plan.push({ action: 'suspend-agent', mode: context.suspend, why });
  }
  let sent = 0;
  return plan.map(({ mode, ...command }) => {
    const planned = { ...command, ...deliver(incident, context, { mode, sent }) };
    if (planned.delivery === 'send') sent++;
    return planned;
  });
}

type Rung = Omit<PlannedCommand, 'delivery'> & { mode: Exclude<RungMode, 'off'> };

function isFrom(incident: Incident, severity: Severity): boolean {
  return SEVERITIES.indexOf(incident.severity) >= SEVERITIES.indexOf(severity);
}

/** The tool of the strongest signal that may be acted on. */
export function mainTool(incident: Incident): string | undefined {
  let best: { tool: string; nats: number } | undefined;
  for (const { tool, nats, shadow } of incident.signals) {
    if (tool !== undefined && !shadow && (best === undefined || nats > best.nats)) best = { tool, nats };
  }
  return best?.tool;
}

function deliver(
  incident: Incident,
  context: PolicyContext,
  { mode, sent }: { mode: Rung['mode']; sent: number },
): Pick<PlannedCommand, 'delivery' | 'wait'> {
  if (context.mode === 'observe') return { delivery: 'dry-run' };
  const listed = context.neverAct.some((p) =>
    p.endsWith('*') ? incident.agentId.startsWith(p.slice(0, -1)) : p === incident.agentId,
  );
  const independent = incident.violation || incident.emitters.length >= 2;
  if (mode !== 'act' || listed || !independent) return { delivery: 'propose' };
  const { sharedBehaviour } = context;
  if (sharedBehaviour !== undefined) return { delivery: 'propose', wait: { for: 'peers', reason: sharedBehaviour } };
  const reason = overCap(context, sent);
  return reason === undefined ? { delivery: 'send' } : { delivery: 'propose', wait: { for: 'cap', reason } };
}

/** Why one more command would reach too far, or undefined. */
function overCap({ commandsLastMinute, maxCommandsPerMinute, reach, isContained }: PolicyContext, sent: number) {
  if (commandsLastMinute + sent >= maxCommandsPerMinute) {
    return `blast-radius cap: ${commandsLastMinute + sent} commands were sent within a minute`;
  }
  if (isContained || sent > 0 || reach.contained < reach.maxContained) return undefined;
  return `blast-radius cap: ${reach.contained} of ${reach.known} agents are contained already`;
}
