import type { CommandAction } from '../model/command.js';
import { SEVERITIES, type Incident, type Severity } from '../model/incident.js';

/** What the response policy needs beside the incident itself. */
export interface PolicyContext {
  mode: 'observe' | 'act';
  /** Agents that are never contained automatically; a trailing `*` is a prefix. */
  neverAct: readonly string[];
  /** Automatic commands of this tenant in the last minute. */
  commandsLastMinute: number;
  maxCommandsPerMinute: number;
  /** From this severity on a session is revoked; below it, writes that gateways ask about are held. */
  revokeFrom: Severity;
  /** Sessions of this agent with an open incident over the same tool, lately. */
  sameToolSessions: number;
  /** So many of them freeze the tool for the whole agent. */
  freezeAfterSessions: number;
}

/** One command the policy wants, and whether it may go out by itself. */
export interface PlannedCommand {
  action: CommandAction;
  tool?: string;
  /** `send`: at once. `propose`: wait for a person. `dry-run`: observe-only, for the record. */
  delivery: 'send' | 'propose' | 'dry-run';
  why: string;
}

/**
 * What to do about an incident: a pure function, so that it can be shown before it is trusted.
 *
 * Automatic action needs evidence from two independent emitters or a broken invariant (design section 6); less than
 * that is proposed to a person. Nobody on the never-act list is touched, and above the blast-radius cap everything
 * waits for a person.
 */
export function planResponse(incident: Incident, context: PolicyContext): PlannedCommand[] {
  const plan: Omit<PlannedCommand, 'delivery'>[] = [];
  const isSevere = SEVERITIES.indexOf(incident.severity) >= SEVERITIES.indexOf(context.revokeFrom);
  if (incident.sessionId !== undefined && isSevere) {
    plan.push({
      action: 'revoke-session',
      why: `risk ${incident.riskNats.toFixed(1)} nats, severity ${incident.severity}`,
    });
  }
  const tool = mainTool(incident);
  if (tool !== undefined && context.sameToolSessions >= context.freezeAfterSessions) {
    plan.push({ action: 'freeze-tool', tool, why: `misused in ${context.sameToolSessions} sessions of this agent` });
  }
  return plan.map((command, i) => ({ ...command, ...deliver(incident, context, i) }));
}

/** The tool of the strongest signal that may be acted on. */
export function mainTool(incident: Incident): string | undefined {
  let best: { tool: string; nats: number } | undefined;
  for (const { tool, nats, shadow } of incident.signals) {
    if (tool !== undefined && !shadow && (best === undefined || nats > best.nats)) best = { tool, nats };
  }
  return best?.tool;
}

function deliver(incident: Incident, context: PolicyContext, index: number): Pick<PlannedCommand, 'delivery'> {
  if (context.mode === 'observe') return { delivery: 'dry-run' };
  const listed = context.neverAct.some((p) =>
    p.endsWith('*') ? incident.agentId.startsWith(p.slice(0, -1)) : p === incident.agentId,
  );
  const independent = incident.violation || incident.emitters.length >= 2;
  const withinCap = context.commandsLastMinute + index < context.maxCommandsPerMinute;
  return { delivery: !listed && independent && withinCap ? 'send' : 'propose' };
}
