import {
  explainRestriction,
  isInForce,
  strengthOf,
  type Command,
  type CommandAction,
  type LoweredPosture,
  type Restriction,
  type RestrictionEntry,
} from '../model/command.js';
import type { Effect } from '../model/observation.js';

/** Most restrictions of one kind per agent; the ones that end first give way. */
const MAX_PER_AGENT = 1_000;

/** A call, as far as restrictions are concerned. */
export interface RestrictedCall {
  sessionId?: string;
  tool: string;
  effect: Effect;
}

/** What stands in the way of a call. */
export interface Obstacle {
  commandId: string;
  action: CommandAction;
  /** `hold`: a person may let it through. */
  strength: 'hold' | 'deny';
  /** For whoever made the call. */
  reason: string;
}

/** An agent's restrictions before anything happened. */
export function noRestriction(tenant: string, agentId: string): Restriction {
  return { tenant, agentId, version: 0, revokedSessions: [], frozenTools: [] };
}

/**
 * The agent's restrictions with one command applied in its present state: added when it is in force, removed when it
 * is not. The version rises only when something changed, and never falls below `leastVersion`: so it keeps rising even
 * after an agent without restrictions was forgotten.
 *
 * @param onEvicted told how many restrictions gave way because there were too many
 */
export function applyCommand(
  before: Restriction,
  command: Command,
  leastVersion: number,
  onEvicted: (count: number) => void = () => {},
): Restriction {
  const inForce = isInForce(command);
  if (entries(before).some((r) => r.commandId === command.id) === inForce) return before;
  const others = <T extends RestrictionEntry>(list: readonly T[] = []): T[] =>
    list.filter((r) => r.commandId !== command.id);
  const lists = {
    revokedSessions: others(before.revokedSessions),
    frozenTools: others(before.frozenTools),
    downgrades: others(before.downgrades),
    suspensions: others(before.suspensions),
  };
  if (inForce) add(lists, command);
  const bounded = <T extends RestrictionEntry>(list: T[]): T[] => {
    if (list.length <= MAX_PER_AGENT) return list;
    onEvicted(list.length - MAX_PER_AGENT);
    return list.sort((a, b) => b.expiresAt - a.expiresAt).slice(0, MAX_PER_AGENT);
  };
  const { tenant, agentId } = before;
  const after: Restriction = {
    tenant,
    agentId,
    version: Math.max(before.version + 1, leastVersion),
    revokedSessions: bounded(lists.revokedSessions),
    frozenTools: bounded(lists.frozenTools),
  };
  if (lists.downgrades.length > 0) after.downgrades = bounded(lists.downgrades);
  if (lists.suspensions.length > 0) after.suspensions = bounded(lists.suspensions);
  return after;
}

/**
 * The strictest restriction on this call that is in force at `now` (epoch ms): suspension, revoked session, frozen
 * tool, lowered posture. An expired one counts no more, whether or not anybody has cleared it away yet.
 */
export function restrictionOn(
  restriction: Restriction | undefined,
  call: RestrictedCall,
  now: number,
): Obstacle | undefined {
  if (restriction === undefined) return undefined;
  const live = (r: RestrictionEntry) => r.expiresAt > now;
  const { suspensions, revokedSessions, frozenTools, downgrades } = restriction;
  const suspension = suspensions?.find(live);
  if (suspension !== undefined) return obstacle('suspend-agent', suspension);
  const revoked = revokedSessions.find((r) => r.sessionId === call.sessionId && live(r));
  if (revoked !== undefined) return obstacle('revoke-session', revoked);
  const frozen = frozenTools.find((r) => r.tool === call.tool && live(r));
  if (frozen !== undefined) return obstacle('freeze-tool', frozen);
  if (downgrades === undefined || call.effect === 'read') return undefined;
  const lowered = downgrades.find((r) => r.posture === 'read-only' && live(r)) ?? downgrades.find(live);
  return lowered === undefined ? undefined : obstacle('downgrade-posture', lowered, lowered.posture);
}

type Lists = Required<Pick<Restriction, 'revokedSessions' | 'frozenTools' | 'downgrades' | 'suspensions'>>;

function add(lists: Lists, { id, action, expiresAt, reason, sessionId, tool, posture }: Command): void {
  const entry = { commandId: id, expiresAt, reason };
  if (action === 'suspend-agent') lists.suspensions.push(entry);
  else if (action === 'downgrade-posture' && posture !== undefined) lists.downgrades.push({ posture, ...entry });
  else if (action === 'revoke-session' && sessionId !== undefined) lists.revokedSessions.push({ sessionId, ...entry });
  else if (action === 'freeze-tool' && tool !== undefined) lists.frozenTools.push({ tool, ...entry });
}

function entries(restriction: Restriction): RestrictionEntry[] {
  const { revokedSessions, frozenTools, downgrades = [], suspensions = [] } = restriction;
  return [...revokedSessions, ...frozenTools, ...downgrades, ...suspensions];
}

function obstacle(action: CommandAction, entry: RestrictionEntry, posture?: LoweredPosture): Obstacle {
  const what = posture === undefined ? { action } : { action, posture };
  return {
    commandId: entry.commandId,
    action,
    strength: strengthOf(action, posture),
    reason: explainRestriction(what, entry),
  };
}
