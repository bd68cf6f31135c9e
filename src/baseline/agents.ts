import { BoundedMap } from '../lib/bounded-map.js';
import { JournaledTable, type Snapshot } from '../lib/journaled-table.js';
import { agentCaps, AgentBaseline, type BaselineCaps, type PlainBaseline } from './agent-baseline.js';
import type { SessionRecord } from './facts.js';
import type { Learning } from './learning.js';
import { Pools } from './pools.js';
import { packRecord, unpackRecord, type PackedRecord } from './session-record.js';

/** Baselines held in memory; the others live in the store until they are asked for. */
const AGENTS_IN_MEMORY = 1_024;

/** Agents not known yet, as a share of all that may be held; a flood of them pushes out only its own kind. */
const COLD_SHARE = 0.25;

/** An agent's baseline as it is stored. */
export interface StoredAgent {
  tenant: string;
  agentId: string;
  /** Order of learning among all agents. */
  learnedAt: number;
  plain: PlainBaseline;
}

/** What changes an agent: a session, the rate of a window, a way back to an earlier version, a publication. */
interface Change {
  learnedAt?: number;
  record?: SessionRecord;
  /** `sessionsBy`: sessions that the agent has more for it; none or fewer, mostly. */
  restored?: { plain: PlainBaseline; sessionsBy: number };
  /** Calls a minute, in a window that began at this event time (epoch ms). */
  rate?: number;
  rateAt?: number;
  rateVouched?: boolean;
}

/** A change as it is stored, with its agent's name. */
export interface StoredChange extends Omit<Change, 'record'> {
  tenant: string;
  agentId: string;
  record?: PackedRecord;
}

interface NamedChange extends Change, AgentName {}

interface AgentName {
  tenant: string;
  agentId: string;
}

interface HeldAgent {
  tenant: string;
  agentId: string;
  learnedAt: number;
  baseline: AgentBaseline;
}

/** The baselines of all agents, and one pool per tenant and class that new agents of the class lean on. The least recently learned goes first. */
export class Agents {
  readonly #agents: JournaledTable<HeldAgent, NamedChange>;
  /** What agents of one class have in common. */
  readonly pools: Pools;
  readonly #peersOf: (agentId: string) => string;
  readonly #warm: BoundedMap<string, AgentName>;
  readonly #cold: BoundedMap<string, AgentName>;
  readonly #caps: BaselineCaps;
  /** Until so many an agent teaches nobody else: a spray of invented agents moves neither the peers nor a threshold. */
  readonly #warmSessions: number;
  readonly #nothing: AgentBaseline;
  /** The key of the agent asked for last. */
  #latest = { tenant: '', agentId: '', text: '' };
  #learned = 0;

  /** @param onDrop told of each agent that is pushed out */
  constructor({
    maxAgents,
    learning,
    peersOf,
    load,
    onDrop,
  }: {
    maxAgents: number;
    learning: Learning;
    /** Class of agents that an agent leans on while it is new; '' for those of no class. */
    peersOf: (agentId: string) => string;
    load: (key: string) => Uint8Array | undefined;
    onDrop: (tenant: string, agentId: string) => void;
  }) {
    this.#peersOf = peersOf;
    this.pools = new Pools({ learning, load });
    this.#caps = agentCaps(learning);
    this.#warmSessions = learning.warmUp.sessions;
    this.#nothing = new AgentBaseline(this.#caps);
    this.#agents = new JournaledTable<HeldAgent, NamedChange>({
      name: 'agent',
      capacity: Math.min(maxAgents, AGENTS_IN_MEMORY),
      load,
      plain: {
        to: ({ baseline, ...held }): StoredAgent => ({ ...held, plain: baseline.toPlain() }),
        // Only this table writes under its prefixes.
        from: (stored) => heldFrom(stored as StoredAgent, this.#caps),
      },
      change: {
        to: ({ record, ...change }): StoredChange => ({ ...change, ...(record && { record: packRecord(record) }) }),
        // Only this table writes under its prefixes.
        from: (stored) => changeFrom(stored as StoredChange),
      },
      apply: (held, change) => applyTo(held, change, this.#caps),
    });
    const drop = (key: string, { tenant, agentId }: AgentName) => {
      this.#agents.delete(key);
      onDrop(tenant, agentId);
    };
    this.#warm = new BoundedMap(maxAgents, drop);
    this.#cold = new BoundedMap(Math.max(1, Math.floor(maxAgents * COLD_SHARE)), drop);
  }

  /** Agents with a baseline. */
  get size(): number {
    return this.#warm.size + this.#cold.size;
  }

  get dropped(): number {
    return this.#warm.evicted + this.#cold.evicted;
  }

  find(tenant: string, agentId: string): AgentBaseline | undefined {
    if (this.#latest.agentId !== agentId || this.#latest.tenant !== tenant || this.#latest.text === '') {
      this.#latest = { tenant, agentId, text: keyOf(tenant, agentId) };
    }
    const key = this.#latest.text;
    return this.#isKnown(key) ? this.#agents.get(key)?.baseline : undefined;
  }

  /** For looking only: reading all agents one after the other pushes none out of memory. */
  peek(tenant: string, agentId: string): AgentBaseline | undefined {
    const key = keyOf(tenant, agentId);
    return this.#isKnown(key) ? this.#agents.peek(key)?.baseline : undefined;
  }

  /** What is known of the agent; an agent without history has an empty baseline, which takes no memory. */
  read(tenant: string, agentId: string): AgentBaseline {
    return this.find(tenant, agentId) ?? this.#nothing;
  }

  /** Agents of a tenant that have a baseline, in order of their names. */
  of(tenant: string): string[] {
    const found: string[] = [];
    for (const known of [this.#warm, this.#cold]) {
      for (const held of known.values()) if (held.tenant === tenant) found.push(held.agentId);
    }
    return found.sort();
  }

  /** Known agents of a tenant; looks at all that are held. */
  countWarm(tenant: string): number {
    let count = 0;
    for (const held of this.#warm.values()) if (held.tenant === tenant) count++;
    return count;
  }

  /** Class of agents that the agent leans on. */
  peersOf(agentId: string): string {
    return this.#peersOf(agentId);
  }

  /** What the agent's peers have in common. */
  pool(tenant: string, agentId: string): AgentBaseline {
    return this.pools.get(tenant, this.#peersOf(agentId));
  }

  /** Whether enough was learned of the agent to judge it. */
  isWarm(tenant: string, agentId: string): boolean {
    return this.#warm.peek(keyOf(tenant, agentId)) !== undefined;
  }

  /** @returns true where the agent became known by this session */
  learn(tenant: string, agentId: string, record: SessionRecord): boolean {
    const wasWarm = this.isWarm(tenant, agentId);
    this.#change(tenant, agentId, { record });
    if (wasWarm) this.pools.learn(tenant, { record, peers: this.#peersOf(agentId) });
    return !wasWarm && this.isWarm(tenant, agentId);
  }

  /** Classes that a tenant has agents of, in order. */
  classes(tenant: string): string[] {
    return [...new Set(this.of(tenant).map((agentId) => this.#peersOf(agentId)))].sort();
  }

  /** Tenants that have known agents, in order. */
  tenants(): string[] {
    return [...new Set([...this.#warm.values()].map(({ tenant }) => tenant))].sort();
  }

  /**
   * @param rate calls a minute in a closed window
   * @param about `rateAt`: event time, epoch ms; `rateVouched`: an operator vouches for the traffic
   */
  learnRate(tenant: string, agentId: string, about: { rate: number; rateAt: number; rateVouched?: boolean }): void {
    this.#change(tenant, agentId, about);
  }

  /**
   * Makes an agent's baseline what it was, under the higher of the two version numbers; whoever was known then is known.
   */
  rollBack(tenant: string, agentId: string, plain: PlainBaseline): void {
    this.#change(tenant, agentId, {
      restored: { plain, sessionsBy: plain.sessions - this.read(tenant, agentId).sessions },
    });
  }

  /** Lets go of an agent, as of one that gave way to others. */
  forget(tenant: string, agentId: string): void {
    const key = keyOf(tenant, agentId);
    this.#warm.delete(key);
    this.#cold.delete(key);
    this.#agents.delete(key);
  }

  /** Raises the version of an agent that is known; it counts as no more recent for it. */
  publish(tenant: string, agentId: string): void {
    const key = keyOf(tenant, agentId);
    if (this.#isKnown(key)) this.#agents.change(key, { tenant, agentId });
  }

  /** Makes a change to an agent's baseline, made where it does not exist yet. */
  #change(tenant: string, agentId: string, change: Change): void {
    const key = keyOf(tenant, agentId);
    if (!this.#isKnown(key)) {
      this.#agents.add(key, { tenant, agentId, learnedAt: 0, baseline: new AgentBaseline(this.#caps) });
    }
    const held = this.#agents.change(key, { tenant, agentId, learnedAt: ++this.#learned, ...change });
    this.#note(key, { tenant, agentId }, held?.baseline.sessions ?? 0);
  }

  /** After a restart: which agents the store holds. */
  restore(snapshots: Iterable<Snapshot>, changes: Iterable<StoredChange[]>): void {
    const index = new Map<string, AgentName & { learnedAt: number; sessions: number }>();
    for (const { plain } of snapshots) {
      // Only this class writes under the prefix.
      const stored = plain as StoredAgent;
      const { tenant, agentId, learnedAt } = stored;
      index.set(keyOf(tenant, agentId), { tenant, agentId, learnedAt, sessions: stored.plain.sessions });
    }
    for (const list of changes) {
      for (const { tenant, agentId, learnedAt = 0, record, restored } of list) {
        const known = index.get(keyOf(tenant, agentId));
        if (known === undefined) continue;
        known.learnedAt = Math.max(known.learnedAt, learnedAt);
        if (record !== undefined) known.sessions++;
        known.sessions += restored?.sessionsBy ?? 0;
      }
    }
    for (const [key, { learnedAt, sessions, ...name }] of [...index].sort(
      ([, a], [, b]) => a.learnedAt - b.learnedAt,
    )) {
      this.#note(key, name, sessions);
      this.#learned = Math.max(this.#learned, learnedAt);
    }
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#agents.drain(puts, deletes);
    this.pools.drain(puts, deletes);
  }

  #isKnown(key: string): boolean {
    return this.#warm.peek(key) !== undefined || this.#cold.peek(key) !== undefined;
  }

  #note(key: string, name: AgentName, sessions: number): void {
    // A baseline that was made anew may be of fewer sessions than the one before.
    const [own, other] = sessions < this.#warmSessions ? [this.#cold, this.#warm] : [this.#warm, this.#cold];
    other.delete(key);
    own.set(key, name);
  }
}

function heldFrom({ plain, ...held }: StoredAgent, caps: BaselineCaps): HeldAgent {
  return { ...held, baseline: new AgentBaseline(caps, plain) };
}

function changeFrom({ record, ...change }: StoredChange): NamedChange {
  return { ...change, ...(record && { record: unpackRecord(record) }) };
}

function applyTo(
  held: HeldAgent,
  { learnedAt, record, rate, rateAt, rateVouched, restored }: NamedChange,
  caps: BaselineCaps,
): void {
  if (learnedAt === undefined) held.baseline.version++;
  else held.learnedAt = learnedAt;
  if (record !== undefined) held.baseline.learn(record, 1);
  if (rate !== undefined) held.baseline.callRates.learn(rate, rateAt, rateVouched);
  if (restored === undefined) return;
  const { version, changes } = held.baseline;
  // The numbers only ever rise: nothing that was computed before may pass for what holds now.
  held.baseline = new AgentBaseline(caps, {
    ...restored.plain,
    version: Math.max(version, restored.plain.version),
    changes: Math.max(changes, restored.plain.changes) + 1,
  });
}

function keyOf(tenant: string, agentId: string): string {
  return JSON.stringify([tenant, agentId]);
}
