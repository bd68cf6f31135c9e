import { BoundedMap } from '../lib/bounded-map.js';
import { StateTable } from '../lib/state-table.js';
import { AGENT_CAPS, AgentBaseline, POOL_CAPS, type PlainBaseline } from './agent-baseline.js';
import type { SessionRecord } from './facts.js';

/** Baselines held in memory; the others live in the store until they are asked for. */
const AGENTS_IN_MEMORY = 1_024;
const POOLS_IN_MEMORY = 64;

/**
 * Learned sessions after which an agent counts as known. Until then its calls open no statistical incident, since all
 * of them are new, and it teaches nobody else: a spray of invented agents moves neither the pool nor a threshold.
 */
export const WARM_SESSIONS = 10;
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

/** The baselines of all agents, and one pool per tenant that new agents lean on. The least recently learned goes first. */
export class Agents {
  readonly #agents: StateTable<HeldAgent>;
  readonly #pools: StateTable<AgentBaseline>;
  readonly #warm: BoundedMap<string, AgentName>;
  readonly #cold: BoundedMap<string, AgentName>;
  readonly #nothing = new AgentBaseline(AGENT_CAPS);
  /** The key of the agent asked for last. */
  #latest = { tenant: '', agentId: '', text: '' };
  #learned = 0;

  /** @param onDrop told of each agent that is pushed out */
  constructor({
    maxAgents,
    load,
    onDrop,
  }: {
    maxAgents: number;
    load: (key: string) => Uint8Array | undefined;
    onDrop: (tenant: string, agentId: string) => void;
  }) {
    this.#agents = new StateTable<HeldAgent>({
      prefix: 'agent/',
      capacity: Math.min(maxAgents, AGENTS_IN_MEMORY),
      load,
      plain: {
        to: ({ baseline, ...held }): StoredAgent => ({ ...held, plain: baseline.toPlain() }),
        // Only this table writes under its prefix.
        from: (stored) => heldFrom(stored as StoredAgent),
      },
    });
    this.#pools = new StateTable<AgentBaseline>({
      prefix: 'pool/',
      capacity: POOLS_IN_MEMORY,
      load,
      plain: {
        to: (pool) => pool.toPlain(),
        // Only this table writes under its prefix.
        from: (stored) => new AgentBaseline(POOL_CAPS, stored as PlainBaseline),
      },
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

  /** What all of a tenant's agents have in common. */
  pool(tenant: string): AgentBaseline {
    return this.#pools.get(JSON.stringify([tenant])) ?? this.#nothing;
  }

  /** Whether enough was learned of the agent to judge it. */
  isWarm(tenant: string, agentId: string): boolean {
    return this.#warm.peek(keyOf(tenant, agentId)) !== undefined;
  }

  /** @returns true where the agent became known by this session */
  learn(tenant: string, agentId: string, record: SessionRecord): boolean {
    const wasWarm = this.isWarm(tenant, agentId);
    this.change(tenant, agentId, (baseline) => baseline.learn(record, 1));
    if (wasWarm) this.learnPool(tenant, record);
    return !wasWarm && this.isWarm(tenant, agentId);
  }

  learnPool(tenant: string, record: SessionRecord): void {
    const key = JSON.stringify([tenant]);
    const pool = this.#pools.get(key) ?? new AgentBaseline(POOL_CAPS);
    pool.learn(record, 1);
    this.#pools.set(key, pool);
  }

  /** Changes an agent's baseline, made where it does not exist yet. */
  change(tenant: string, agentId: string, change: (baseline: AgentBaseline) => void): void {
    const key = keyOf(tenant, agentId);
    const held = (this.#isKnown(key) ? this.#agents.get(key) : undefined) ?? {
      tenant,
      agentId,
      learnedAt: 0,
      baseline: new AgentBaseline(AGENT_CAPS),
    };
    held.learnedAt = ++this.#learned;
    change(held.baseline);
    this.#agents.set(key, held);
    this.#note(key, { tenant, agentId }, held.baseline.sessions);
  }

  /** Changes what is not learned, such as the version: the agent counts as no more recent for it. */
  revise(tenant: string, agentId: string, change: (baseline: AgentBaseline) => void): void {
    const baseline = this.find(tenant, agentId);
    if (baseline === undefined) return;
    change(baseline);
    this.#agents.touch(keyOf(tenant, agentId));
  }

  restore(stored: Iterable<StoredAgent>): void {
    const index = [...stored].map(({ tenant, agentId, learnedAt, plain }) => ({
      name: { tenant, agentId },
      learnedAt,
      sessions: plain.sessions,
    }));
    for (const { name, learnedAt, sessions } of index.sort((a, b) => a.learnedAt - b.learnedAt)) {
      this.#note(keyOf(name.tenant, name.agentId), name, sessions);
      this.#learned = Math.max(this.#learned, learnedAt);
    }
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#agents.drain(puts, deletes);
    this.#pools.drain(puts, deletes);
  }

  #isKnown(key: string): boolean {
    return this.#warm.peek(key) !== undefined || this.#cold.peek(key) !== undefined;
  }

  #note(key: string, name: AgentName, sessions: number): void {
    if (sessions < WARM_SESSIONS) {
      this.#cold.set(key, name);
      return;
    }
    this.#cold.delete(key);
    this.#warm.set(key, name);
  }
}

function heldFrom({ plain, ...held }: StoredAgent): HeldAgent {
  return { ...held, baseline: new AgentBaseline(AGENT_CAPS, plain) };
}

function keyOf(tenant: string, agentId: string): string {
  return JSON.stringify([tenant, agentId]);
}
