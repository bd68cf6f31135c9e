import { BoundedMap } from '../lib/bounded-map.js';
import type { Clock } from '../lib/clock.js';
import type { CommandAction, Restriction } from '../model/command.js';
import type { CommandMessage } from './messages.js';

/** What a change did, by command id: what the gateway can now truthfully confirm. */
export interface CacheChange {
  inForce: string[];
  lifted: string[];
  /** Not taken in because the cache is full. */
  rejected: string[];
  /** Set when the change was older than what is held. */
  heldVersion?: number;
}

export interface FoundRestriction {
  commandId: string;
  reason: string;
  restriction: CommandAction;
}

interface Entry {
  commandId: string;
  expiresAt: number;
  reason: string;
}

interface Held {
  sessions: Map<string, Entry>;
  tools: Map<string, Entry>;
  /** Every command behind these; two may concern the same session or tool. */
  commandIds: Set<string>;
}

/**
 * What is in force, in memory. Full: a new restriction is refused (and confirmed as `rejected`), because pushing out
 * an old one would silently break a promise that was already given.
 */
export class RestrictionCache {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #held = new Map<string, Held>();
  /** Outlives the restrictions, so that old news about an agent without restrictions stays old. */
  readonly #versions: BoundedMap<string, number>;
  /** Commands that were lifted: a repeated order must not bring them back. */
  readonly #lifted: BoundedMap<string, true>;
  #size = 0;

  /** @param capacity most restrictions in force at once, over all agents */
  constructor({ capacity, clock }: { capacity: number; clock: Clock }) {
    this.#clock = clock;
    this.#capacity = capacity;
    this.#versions = new BoundedMap(capacity);
    this.#lifted = new BoundedMap(capacity);
  }

  /** Restrictions held, expired ones included until they are cleared. */
  get size(): number {
    return this.#size;
  }

  get agents(): number {
    return this.#held.size;
  }

  /** The restriction on a call that is in force now. A revoked session counts before a frozen tool. */
  find(agentId: string, sessionId: string | undefined, tool: string): FoundRestriction | undefined {
    const held = this.#held.get(agentId);
    if (held === undefined) return undefined;
    const session = sessionId === undefined ? undefined : held.sessions.get(sessionId);
    if (session !== undefined && session.expiresAt > this.#clock.now()) return found(session, 'revoke-session');
    const frozen = held.tools.get(tool);
    if (frozen !== undefined && frozen.expiresAt > this.#clock.now()) return found(frozen, 'freeze-tool');
    return undefined;
  }

  /**
   * Takes the full state of all agents. Agents that it does not name are free again, unless the state is older than
   * news already taken in: old news never loosens.
   *
   * @param older the state lies before what was already received
   */
  replaceAll(restrictions: readonly Restriction[], { older }: { older: boolean }): CacheChange {
    const change: CacheChange = { inForce: [], lifted: [], rejected: [] };
    const named = new Set(restrictions.map((r) => r.agentId));
    if (!older) {
      for (const [agentId, held] of this.#held) {
        if (named.has(agentId)) continue;
        change.lifted.push(...held.commandIds);
        this.#forget(agentId, held);
      }
    }
    for (const restriction of restrictions) {
      const one = this.replaceAgent(restriction);
      change.inForce.push(...one.inForce);
      change.lifted.push(...one.lifted);
      change.rejected.push(...one.rejected);
    }
    this.#noteLifted(change.lifted);
    return change;
  }

  /** Takes the full state of one agent, unless a newer one is held. */
  replaceAgent(restriction: Restriction): CacheChange {
    const { agentId, version } = restriction;
    const heldVersion = this.#versions.peek(agentId) ?? -1;
    const before = this.#held.get(agentId);
    if (version < heldVersion) {
      return { inForce: before === undefined ? [] : [...before.commandIds], lifted: [], rejected: [], heldVersion };
    }
    this.#versions.set(agentId, version);
    if (before !== undefined) this.#forget(agentId, before);
    const change: CacheChange = { inForce: [], lifted: [], rejected: [] };
    for (const { sessionId, ...entry } of restriction.revokedSessions) {
      this.#add(change, agentId, 'revoke-session', sessionId, entry);
    }
    for (const { tool, ...entry } of restriction.frozenTools) this.#add(change, agentId, 'freeze-tool', tool, entry);
    const after = new Set([...change.inForce, ...change.rejected]);
    if (before !== undefined) change.lifted = [...before.commandIds].filter((id) => !after.has(id));
    this.#noteLifted(change.lifted);
    return change;
  }

  /**
   * Adds one restriction at once, without waiting for the agent's full state. The reverse does not exist: only a full
   * state loosens, because it alone knows whether another command restricts the same session or tool.
   */
  tighten(command: CommandMessage): CacheChange {
    const change: CacheChange = { inForce: [], lifted: [], rejected: [] };
    const subject = command.action === 'revoke-session' ? command.sessionId : command.tool;
    if (subject === undefined || this.#lifted.peek(command.id) === true) return change;
    const { id: commandId, expiresAt, reason } = command;
    this.#add(change, command.agentId, command.action, subject, { commandId, expiresAt, reason });
    return change;
  }

  #add(change: CacheChange, agentId: string, restriction: CommandAction, subject: string, entry: Entry): void {
    if (entry.expiresAt <= this.#clock.now()) return;
    let held = this.#held.get(agentId);
    const known = held === undefined ? undefined : subjectsOf(held, restriction).get(subject);
    if (known === undefined) {
      if (this.#size >= this.#capacity) this.#clearExpired();
      if (this.#size >= this.#capacity) {
        change.rejected.push(entry.commandId);
        return;
      }
      this.#size++;
      held = this.#held.get(agentId);
    }
    if (held === undefined) {
      held = { sessions: new Map(), tools: new Map(), commandIds: new Set() };
      this.#held.set(agentId, held);
    }
    held.commandIds.add(entry.commandId);
    if (known === undefined || known.expiresAt <= entry.expiresAt) subjectsOf(held, restriction).set(subject, entry);
    change.inForce.push(entry.commandId);
  }

  #forget(agentId: string, held: Held): void {
    this.#held.delete(agentId);
    this.#size -= held.sessions.size + held.tools.size;
  }

  #noteLifted(ids: readonly string[]): void {
    for (const id of ids) this.#lifted.set(id, true);
  }

  #clearExpired(): void {
    const now = this.#clock.now();
    for (const [agentId, held] of this.#held) {
      for (const map of [held.sessions, held.tools]) {
        for (const [subject, entry] of map) {
          if (entry.expiresAt > now) continue;
          map.delete(subject);
          this.#size--;
        }
      }
      if (held.sessions.size + held.tools.size === 0) this.#held.delete(agentId);
    }
  }
}

function found(entry: Entry, restriction: CommandAction): FoundRestriction {
  return { commandId: entry.commandId, reason: entry.reason, restriction };
}

function subjectsOf(held: Held, restriction: CommandAction): Map<string, Entry> {
  return restriction === 'revoke-session' ? held.sessions : held.tools;
}
