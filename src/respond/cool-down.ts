import { BoundedMap } from '../lib/bounded-map.js';
import { spanText } from '../lib/text/span-text.js';
import type { Command, CommandAction } from '../model/command.js';
import type { ResponsePolicy } from '../model/response-policy.js';

/** Containments that are remembered; the oldest are forgotten first. */
const MAX_REMEMBERED = 20_000;

/** Whom or what a command is about. */
export interface ContainmentScope {
  tenant: string;
  agentId: string;
  action: CommandAction;
  tool?: string;
  sessionId?: string;
}

/** What was done to one agent, tool or session lately. All times epoch ms. */
export interface ScopeHistory {
  /**
   * When policy contained it anew, by itself or with a person's approval; oldest first. What was ordered while it was
   * contained already is part of the same containment, and while one lasts there is none to begin.
   */
  containedAt: readonly number[];
  /** When a person last lifted it, or what it covers. */
  liftedAt?: number;
}

/**
 * Why containing the same again needs a person, or undefined. A containment that ends, and is followed by the next at
 * once, and so on, is an outage made by the observer; and what a person has just lifted is not for policy to impose again.
 */
export function needsRest(
  { containedAt, liftedAt }: ScopeHistory,
  { containments, withinMs, afterLiftMs }: ResponsePolicy['coolDown'],
  now: number,
): string | undefined {
  if (liftedAt !== undefined && liftedAt > now - afterLiftMs) {
    return `cool-down: a person lifted this ${spanText(now - liftedAt)} ago`;
  }
  const recent = containedAt.filter((time) => time > now - withinMs).length;
  if (recent < containments) return undefined;
  return `cool-down: contained ${recent} times within ${spanText(withinMs)}`;
}

type Remembered = Pick<Command, 'tenant' | 'agentId' | 'action' | 'expiresAt'> & {
  tool: string | undefined;
  sessionId: string | undefined;
  incidentId: string | undefined;
  sentAt: number;
  liftedAt: number | undefined;
};

/** What was contained lately, and what people lifted. Derived from the commands, so that it needs no state of its own. */
export class CoolDown {
  readonly #entries = new BoundedMap<string, Remembered>(MAX_REMEMBERED, (key, { tenant, agentId }) => {
    const agentKey = keyOf(tenant, agentId);
    const keys = this.#byAgent.get(agentKey);
    keys?.delete(key);
    if (keys?.size === 0) this.#byAgent.delete(agentKey);
  });
  readonly #byAgent = new Map<string, Set<string>>();

  /** Takes in a command in its present state. */
  note(command: Command): void {
    const { tenant, agentId, id, action, tool, sessionId, incidentId, sentAt, expiresAt, liftedAt } = command;
    if (sentAt === undefined) return;
    const key = keyOf(tenant, id);
    this.#entries.set(key, { tenant, agentId, action, tool, sessionId, incidentId, sentAt, expiresAt, liftedAt });
    const agentKey = keyOf(tenant, agentId);
    const keys = this.#byAgent.get(agentKey) ?? new Set();
    keys.add(key);
    this.#byAgent.set(agentKey, keys);
  }

  /**
   * @param incidentId containments because of this incident do not count: it never causes the same one twice
   * @param now processing time, epoch ms
   */
  history(scope: ContainmentScope, incidentId: string, now: number): ScopeHistory {
    const spans: [begin: number, end: number][] = [];
    let liftedAt: number | undefined;
    for (const key of this.#byAgent.get(keyOf(scope.tenant, scope.agentId)) ?? []) {
      const command = this.#entries.peek(key);
      if (command === undefined) continue;
      const isSame = isSameScope(scope, command);
      const isByPolicy = command.incidentId !== undefined && command.incidentId !== incidentId;
      if (isSame && isByPolicy) spans.push([command.sentAt, command.liftedAt ?? command.expiresAt]);
      if (command.liftedAt !== undefined && (isSame || isAgentWide(scope.action))) {
        liftedAt = Math.max(liftedAt ?? 0, command.liftedAt);
      }
    }
    const containedAt = beginnings(spans, now);
    return liftedAt === undefined ? { containedAt } : { containedAt, liftedAt };
  }
}

/** When containment began anew. Empty while one lasts: what is contained is not contained again. */
function beginnings(spans: readonly [begin: number, end: number][], now: number): number[] {
  const begun: number[] = [];
  let end = Number.NEGATIVE_INFINITY;
  for (const [from, to] of spans.toSorted(([a], [b]) => a - b)) {
    if (from >= end) begun.push(from);
    end = Math.max(end, to);
  }
  return end > now ? [] : begun;
}

/** What is ordered against a whole agent covers its tools and sessions too. */
function isAgentWide(action: CommandAction): boolean {
  return action === 'downgrade-posture' || action === 'suspend-agent';
}

function isSameScope(scope: ContainmentScope, command: Remembered): boolean {
  if (scope.action !== command.action) return false;
  if (scope.action === 'freeze-tool') return scope.tool === command.tool;
  return scope.action !== 'revoke-session' || scope.sessionId === command.sessionId;
}

function keyOf(tenant: string, id: string): string {
  return JSON.stringify([tenant, id]);
}
