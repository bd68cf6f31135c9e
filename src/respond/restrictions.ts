import type { Command, Restriction } from '../model/command.js';
import { isInForce } from './lifecycle.js';

/** Most restrictions of one kind per agent; the ones that end first give way. */
const MAX_PER_AGENT = 1_000;

/** An agent's restrictions before anything happened. */
export function noRestriction(tenant: string, agentId: string): Restriction {
  return { tenant, agentId, version: 0, revokedSessions: [], frozenTools: [] };
}

/**
 * The agent's restrictions with one command applied in its present state: added when it is in force, removed when it
 * is not. The version rises only when something changed, and never falls below `now` (epoch ms): so it keeps rising
 * even after an agent without restrictions was forgotten.
 */
export function applyCommand(before: Restriction, command: Command, now: number): Restriction {
  const entry = { commandId: command.id, expiresAt: command.expiresAt, reason: command.reason };
  const inForce = isInForce(command);
  const revokedSessions = before.revokedSessions.filter((r) => r.commandId !== command.id);
  const frozenTools = before.frozenTools.filter((r) => r.commandId !== command.id);
  if (inForce && command.action === 'revoke-session' && command.sessionId !== undefined) {
    revokedSessions.push({ sessionId: command.sessionId, ...entry });
  }
  if (inForce && command.action === 'freeze-tool' && command.tool !== undefined) {
    frozenTools.push({ tool: command.tool, ...entry });
  }
  const had = [...before.revokedSessions, ...before.frozenTools].some((r) => r.commandId === command.id);
  if (had === inForce) return before;
  return {
    ...before,
    version: Math.max(before.version + 1, now),
    revokedSessions: bounded(revokedSessions),
    frozenTools: bounded(frozenTools),
  };
}

/** The command that forbids this call, if any. */
export function restrictionOn(
  restriction: Restriction | undefined,
  sessionId: string | undefined,
  tool: string,
): { commandId: string; reason: string } | undefined {
  if (restriction === undefined) return undefined;
  return (
    restriction.revokedSessions.find((r) => r.sessionId === sessionId) ??
    restriction.frozenTools.find((r) => r.tool === tool)
  );
}

function bounded<T extends { expiresAt: number }>(list: T[]): T[] {
  if (list.length <= MAX_PER_AGENT) return list;
  return list.sort((a, b) => b.expiresAt - a.expiresAt).slice(0, MAX_PER_AGENT);
}
