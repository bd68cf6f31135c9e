import { BoundedMap } from '../lib/bounded-map.js';
import type { Clock } from '../lib/clock.js';
import {
  explainRestriction,
  strengthOf,
  type CommandAction,
  type LoweredPosture,
  type Restriction,
  type RestrictionEntry,
} from '../model/command.js';
import type { Effect } from '../model/observation.js';
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
  /** For whoever made the call. */
  reason: string;
  restriction: CommandAction;
  /** `hold`: a person may let the call through. */
  decision: 'hold' | 'deny';
}

/** What a cache looks a call up by. */
export interface CallSubject {
  agentId: string;
  sessionId: string | undefined;
  tool: string;
  effect: Effect;
}

interface Entry {
  expiresAt: number;
  /** Made when it comes in, so that a refusal costs no more than a look. */
  found: FoundRestriction;
}

/** By subject: session, tool, posture, or nothing for the whole agent. */
type Subjects = Map<string, Entry>;

interface Held {
  subjects: Record<CommandAction, Subjects>;
  /** Every command behind these; two may concern the same subject. */
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

  /** The strictest restriction on a call that is in force now: suspension, session, tool, posture. */
  find({ agentId, sessionId, tool, effect }: CallSubject): FoundRestriction | undefined {
    const held = this.#held.get(agentId);
    if (held === undefined) return undefined;
    const { subjects } = held;
    return (
      this.#live(subjects['suspend-agent'], WHOLE_AGENT) ??
      (sessionId === undefined ? undefined : this.#live(subjects['revoke-session'], sessionId)) ??
      this.#live(subjects['freeze-tool'], tool) ??
      (effect === 'read' ? undefined : this.#lowered(subjects['downgrade-posture']))
    );
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
    const add = (action: CommandAction, subject: string, entry: RestrictionEntry) =>
      this.#add(change, { agentId, action, subject, entry });
    for (const entry of restriction.suspensions ?? []) add('suspend-agent', WHOLE_AGENT, entry);
    for (const entry of restriction.revokedSessions) add('revoke-session', entry.sessionId, entry);
    for (const entry of restriction.frozenTools) add('freeze-tool', entry.tool, entry);
    for (const entry of restriction.downgrades ?? []) add('downgrade-posture', entry.posture, entry);
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
    const subject = subjectOf(command);
    if (subject === undefined || this.#lifted.peek(command.id) === true) return change;
    const { id: commandId, agentId, action, expiresAt, reason } = command;
    this.#add(change, { agentId, action, subject, entry: { commandId, expiresAt, reason } });
    return change;
  }

  #live(subjects: Subjects, subject: string): FoundRestriction | undefined {
    const entry = subjects.get(subject);
    return entry !== undefined && entry.expiresAt > this.#clock.now() ? entry.found : undefined;
  }

  #lowered(subjects: Subjects): FoundRestriction | undefined {
    return subjects.size === 0 ? undefined : (this.#live(subjects, 'read-only') ?? this.#live(subjects, 'approval'));
  }

  #add(change: CacheChange, { agentId, action, subject, entry }: Addition): void {
    const { commandId, expiresAt } = entry;
    if (expiresAt <= this.#clock.now()) return;
    let held = this.#held.get(agentId);
    const known = held?.subjects[action].get(subject);
    if (known === undefined) {
      if (this.#size >= this.#capacity) this.#clearExpired();
      if (this.#size >= this.#capacity) {
        change.rejected.push(commandId);
        return;
      }
      this.#size++;
      held = this.#held.get(agentId);
    }
    if (held === undefined) {
      held = { subjects: noSubjects(), commandIds: new Set() };
      this.#held.set(agentId, held);
    }
    held.commandIds.add(commandId);
    if (known === undefined || known.expiresAt <= expiresAt) {
      const posture = action === 'downgrade-posture' ? postureOf(subject) : undefined;
      const what = posture === undefined ? { action } : { action, posture };
      const reason = explainRestriction(what, entry);
      const found = { commandId, reason, restriction: action, decision: strengthOf(action, posture) };
      held.subjects[action].set(subject, { expiresAt, found });
    }
    change.inForce.push(commandId);
  }

  #forget(agentId: string, held: Held): void {
    this.#held.delete(agentId);
    this.#size -= sizeOf(held);
  }

  #noteLifted(ids: readonly string[]): void {
    for (const id of ids) this.#lifted.set(id, true);
  }

  #clearExpired(): void {
    const now = this.#clock.now();
    for (const [agentId, held] of this.#held) {
      for (const map of Object.values(held.subjects)) {
        for (const [subject, entry] of map) {
          if (entry.expiresAt > now) continue;
          map.delete(subject);
          this.#size--;
        }
      }
      if (sizeOf(held) === 0) this.#held.delete(agentId);
    }
  }
}

interface Addition {
  agentId: string;
  action: CommandAction;
  subject: string;
  entry: RestrictionEntry;
}

const WHOLE_AGENT = '';

function subjectOf({ action, sessionId, tool, posture }: CommandMessage): string | undefined {
  if (action === 'suspend-agent') return WHOLE_AGENT;
  if (action === 'downgrade-posture') return posture;
  return action === 'revoke-session' ? sessionId : tool;
}

function postureOf(subject: string): LoweredPosture {
  return subject === 'approval' ? 'approval' : 'read-only';
}

function noSubjects(): Held['subjects'] {
  return {
    'downgrade-posture': new Map(),
    'freeze-tool': new Map(),
    'revoke-session': new Map(),
    'suspend-agent': new Map(),
  };
}

function sizeOf({ subjects }: Held): number {
  let size = 0;
  for (const map of Object.values(subjects)) size += map.size;
  return size;
}
