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
  /** Set when the change was older than what is held: the place of that. */
  heldSequence?: number;
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

/** One command in force. The subject is a session, tool or posture, or nothing for the whole agent. */
export interface HeldCommand {
  agentId: string;
  action: CommandAction;
  subject: string;
  entry: RestrictionEntry;
  /** The observer went back behind it: no full state of all agents can say that it is over. */
  isForgotten?: true;
}

interface Held {
  /** Every command in force, by id, and the place in the observer's outbox that it is known from. */
  commands: Map<string, { command: HeldCommand; sequence: number }>;
  /** For each action, what counts for each subject: where commands concern the same one, the one that lasts longest. */
  subjects: Record<CommandAction, Map<string, { expiresAt: number; found: FoundRestriction }>>;
}

/**
 * What is in force, in memory. What is newer is told by the place in the observer's outbox that a message is true for,
 * not by when it came: late, doubled and repeated messages change nothing.
 *
 * Full: a new restriction is refused (and confirmed as `rejected`), because pushing out an old one would silently break
 * a promise that was already given.
 */
export class RestrictionCache {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #held = new Map<string, Held>();
  /** Place of each agent's newest full restrictions. Outlives them, so that old news stays old. */
  readonly #agentAt: BoundedMap<string, number>;
  /** Place of the newest state of all agents. */
  #stateAt = -1;
  #size = 0;

  /** @param capacity most restrictions in force at once, over all agents */
  constructor({ capacity, clock }: { capacity: number; clock: Clock }) {
    this.#clock = clock;
    this.#capacity = capacity;
    this.#agentAt = new BoundedMap(capacity);
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

  /** Takes up what was kept over a restart. @param sequence the place it was true for */
  restore(commands: readonly HeldCommand[], sequence: number): void {
    const change = noChange();
    for (const command of commands) this.#add(change, command, sequence);
    this.#stateAt = sequence;
  }

  /** What is in force now, to be kept over a restart. */
  commands(): HeldCommand[] {
    const now = this.#clock.now();
    return [...this.#held.values()]
      .flatMap(({ commands }) => [...commands.values()].map(({ command }) => command))
      .filter(({ entry }) => entry.expiresAt > now);
  }

  /**
   * Takes the full state of all agents, true for a place. Agents that it does not name are free again, unless something
   * newer is known of them.
   *
   * @param wentBack the observer begins an epoch before the place it had reached, so it does not remember everything:
   *   its state adds to what is held and loosens nothing, and from here on its places count. What it does not name is
   *   forgotten there: it ends by expiry, or by a change of that agent
   */
  replaceAll(
    restrictions: readonly Restriction[],
    { sequence, wentBack }: { sequence: number; wentBack: boolean },
  ): CacheChange {
    const change = noChange();
    if (wentBack) this.#rebase(sequence);
    else if (sequence < this.#stateAt) return change;
    const named = new Set(restrictions.map((r) => r.agentId));
    // A copy: an agent of which something is kept comes back at the end of the map.
    for (const agentId of wentBack ? [] : [...this.#held.keys()]) {
      if (!named.has(agentId)) this.#replace(change, { agentId, commands: [], sequence, keepForgotten: true });
    }
    for (const restriction of restrictions) {
      const commands = commandsOf(restriction);
      if (wentBack) for (const command of commands) this.#add(change, command, sequence);
      else this.#replace(change, { agentId: restriction.agentId, commands, sequence, keepForgotten: true });
    }
    this.#stateAt = sequence;
    return change;
  }

  /** Takes the full state of one agent, unless a newer one is held. */
  replaceAgent(restriction: Restriction, sequence: number): CacheChange {
    const { agentId } = restriction;
    const change = noChange();
    if (sequence < this.#at(agentId)) {
      change.inForce.push(...(this.#held.get(agentId)?.commands.keys() ?? []));
      change.heldSequence = this.#at(agentId);
      return change;
    }
    this.#replace(change, { agentId, commands: commandsOf(restriction), sequence, keepForgotten: false });
    return change;
  }

  /**
   * Adds one restriction at once, without waiting for the agent's full state. The reverse does not exist: only a full
   * state loosens, because it alone knows whether another command restricts the same session or tool.
   */
  tighten(command: CommandMessage, sequence: number): CacheChange {
    const change = noChange();
    const subject = subjectOf(command);
    // A newer full state knows this command already, or that it is over.
    if (subject === undefined || sequence <= this.#at(command.agentId)) return change;
    const { id: commandId, agentId, action, expiresAt, reason } = command;
    this.#add(change, { agentId, action, subject, entry: { commandId, expiresAt, reason } }, sequence);
    return change;
  }

  /** Place of the newest full restrictions that are known of an agent. */
  #at(agentId: string): number {
    return Math.max(this.#stateAt, this.#agentAt.peek(agentId) ?? -1);
  }

  /** The commands take the place of those held, except for what is known from a later place. */
  #replace(change: CacheChange, { agentId, commands, sequence, keepForgotten }: Replacement): void {
    if (sequence < this.#at(agentId)) return;
    const before = this.#held.get(agentId)?.commands ?? new Map<string, never>();
    this.#held.delete(agentId);
    this.#size -= before.size;
    this.#agentAt.set(agentId, sequence);
    for (const command of commands) this.#add(change, command, sequence);
    const isNamed = new Set(commands.map(({ entry }) => entry.commandId));
    const later = noChange();
    for (const one of before.values()) {
      const isKept = one.sequence > sequence || (keepForgotten && one.command.isForgotten === true);
      if (isKept && !isNamed.has(one.command.entry.commandId)) this.#add(later, one.command, one.sequence);
    }
    const after = this.#held.get(agentId)?.commands;
    change.lifted.push(...[...before.keys()].filter((id) => after?.has(id) !== true && !change.rejected.includes(id)));
  }

  #add(change: CacheChange, command: HeldCommand, sequence: number): void {
    const { agentId, entry } = command;
    const { commandId, expiresAt } = entry;
    if (expiresAt <= this.#clock.now()) return;
    const known = this.#held.get(agentId)?.commands.has(commandId) === true;
    if (!known) {
      if (this.#size >= this.#capacity) this.#clearExpired();
      if (this.#size >= this.#capacity) {
        change.rejected.push(commandId);
        return;
      }
      this.#size++;
    }
    let held = this.#held.get(agentId);
    if (held === undefined) {
      held = { subjects: noSubjects(), commands: new Map() };
      this.#held.set(agentId, held);
    }
    held.commands.set(commandId, { command, sequence });
    index(held.subjects, command);
    change.inForce.push(commandId);
  }

  #live(subjects: Held['subjects'][CommandAction], subject: string): FoundRestriction | undefined {
    const entry = subjects.get(subject);
    return entry !== undefined && entry.expiresAt > this.#clock.now() ? entry.found : undefined;
  }

  #lowered(subjects: Held['subjects'][CommandAction]): FoundRestriction | undefined {
    return subjects.size === 0 ? undefined : (this.#live(subjects, 'read-only') ?? this.#live(subjects, 'approval'));
  }

  /** Places of before mean nothing any more: whatever is held counts as known from here. */
  #rebase(sequence: number): void {
    for (const [agentId] of this.#agentAt.entries()) this.#agentAt.delete(agentId);
    for (const { commands } of this.#held.values()) {
      for (const one of commands.values()) {
        one.sequence = sequence;
        one.command = { ...one.command, isForgotten: true };
      }
    }
  }

  #clearExpired(): void {
    const now = this.#clock.now();
    for (const [agentId, held] of this.#held) {
      for (const [id, { command }] of held.commands) {
        if (command.entry.expiresAt > now) continue;
        held.commands.delete(id);
        this.#size--;
      }
      for (const map of Object.values(held.subjects)) {
        for (const [subject, { expiresAt }] of map) if (expiresAt <= now) map.delete(subject);
      }
      if (held.commands.size === 0) this.#held.delete(agentId);
    }
  }
}

interface Replacement {
  agentId: string;
  commands: readonly HeldCommand[];
  sequence: number;
  keepForgotten: boolean;
}

const WHOLE_AGENT = '';

/** Made when it comes in, so that a refusal costs no more than a look. */
function index(subjects: Held['subjects'], { action, subject, entry }: HeldCommand): void {
  const { commandId, expiresAt } = entry;
  const longest = subjects[action].get(subject);
  if (longest !== undefined && longest.expiresAt > expiresAt) return;
  const posture = action === 'downgrade-posture' ? postureOf(subject) : undefined;
  const reason = explainRestriction(posture === undefined ? { action } : { action, posture }, entry);
  const found = { commandId, reason, restriction: action, decision: strengthOf(action, posture) };
  subjects[action].set(subject, { expiresAt, found });
}

function commandsOf(restriction: Restriction): HeldCommand[] {
  const { agentId, revokedSessions, frozenTools, downgrades = [], suspensions = [] } = restriction;
  const held = (action: CommandAction, subject: string, { commandId, expiresAt, reason }: RestrictionEntry) => {
    return { agentId, action, subject, entry: { commandId, expiresAt, reason } };
  };
  return [
    ...suspensions.map((entry) => held('suspend-agent', WHOLE_AGENT, entry)),
    ...revokedSessions.map((entry) => held('revoke-session', entry.sessionId, entry)),
    ...frozenTools.map((entry) => held('freeze-tool', entry.tool, entry)),
    ...downgrades.map((entry) => held('downgrade-posture', entry.posture, entry)),
  ];
}

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

function noChange(): CacheChange {
  return { inForce: [], lifted: [], rejected: [] };
}
