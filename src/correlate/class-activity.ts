import { StateTable } from '../lib/state-table.js';

/** Parts of the window in which an agent's latest activity is told apart. */
const BUCKETS = 6;
/** Key prefix of the scoring state that belongs to this class. */
export const ACTIVITY_PREFIX = 'class-activity/';

/** One agent's latest activity, as it is stored. */
export interface ActiveAgent {
  tenant: string;
  agentId: string;
  agentClass: string;
  bucket: number;
}

interface ClassCounts {
  agents: Map<string, ActiveAgent>;
  /** Agents by the bucket of their latest activity. */
  buckets: Map<number, number>;
  newest: number;
}

export interface ClassActivityOptions {
  /** Event time within which an agent counts as active, ms. */
  windowMs: number;
  maxAgents: number;
}

/**
 * Which agents of a class were active lately, in event time: what a share of peers is a share of. Changes a few times
 * per agent and window, whatever the agent does in between.
 */
export class ClassActivity {
  readonly #bucketMs: number;
  readonly #maxAgents: number;
  readonly #classes = new Map<string, ClassCounts>();
  /** Only written here: what it holds is read at the start. */
  readonly #stored = new StateTable<ActiveAgent>({ prefix: ACTIVITY_PREFIX, capacity: 1, load: () => undefined });
  #size = 0;
  #untracked = 0;

  constructor({ windowMs, maxAgents }: ClassActivityOptions) {
    this.#bucketMs = Math.max(1, Math.ceil(windowMs / BUCKETS));
    this.#maxAgents = maxAgents;
  }

  get size(): number {
    return this.#size;
  }

  /** Times an agent was not counted because too many were active. */
  get untracked(): number {
    return this.#untracked;
  }

  /** @param time event time, epoch ms */
  touch(tenant: string, agentClass: string, agentId: string, time: number): void {
    const bucket = Math.floor(time / this.#bucketMs);
    const counts = this.#counts(tenant, agentClass);
    if (bucket < counts.newest - BUCKETS) return;
    const held = counts.agents.get(agentId);
    if (held !== undefined && held.bucket >= bucket) return;
    if (held === undefined && this.#size >= this.#maxAgents) {
      this.#untracked++;
      return;
    }
    if (bucket > counts.newest) this.#moveTo(counts, bucket);
    const agent = { tenant, agentId, agentClass, bucket };
    this.#enter(counts, agent);
    this.#stored.set(keyOf(agent), agent);
  }

  /** Agents of the class that were active in the window that ends at an event time. */
  active(tenant: string, agentClass: string, time: number): number {
    const oldest = Math.floor(time / this.#bucketMs) - BUCKETS;
    let sum = 0;
    const buckets = this.#classes.get(classKey(tenant, agentClass))?.buckets;
    for (const [bucket, agents] of buckets ?? []) if (bucket >= oldest) sum += agents;
    return sum;
  }

  /** Takes up what the store holds, after a restart. */
  restore(agents: Iterable<ActiveAgent>): void {
    for (const agent of agents) {
      const counts = this.#counts(agent.tenant, agent.agentClass);
      counts.newest = Math.max(counts.newest, agent.bucket);
      this.#enter(counts, agent);
    }
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#stored.drain(puts, deletes);
  }

  #enter(counts: ClassCounts, agent: ActiveAgent): void {
    const held = counts.agents.get(agent.agentId);
    if (held === undefined) this.#size++;
    else this.#leave(counts, held.bucket);
    counts.agents.set(agent.agentId, agent);
    counts.buckets.set(agent.bucket, (counts.buckets.get(agent.bucket) ?? 0) + 1);
  }

  /** Lets go of agents that were silent for longer than the window. */
  #moveTo(counts: ClassCounts, bucket: number): void {
    counts.newest = bucket;
    for (const [agentId, agent] of counts.agents) {
      if (agent.bucket >= bucket - BUCKETS) continue;
      counts.agents.delete(agentId);
      this.#leave(counts, agent.bucket);
      this.#size--;
      this.#stored.delete(keyOf(agent));
    }
  }

  #leave(counts: ClassCounts, bucket: number): void {
    const left = (counts.buckets.get(bucket) ?? 0) - 1;
    if (left > 0) counts.buckets.set(bucket, left);
    else counts.buckets.delete(bucket);
  }

  #counts(tenant: string, agentClass: string): ClassCounts {
    const key = classKey(tenant, agentClass);
    let counts = this.#classes.get(key);
    if (counts === undefined) {
      counts = { agents: new Map(), buckets: new Map(), newest: Number.NEGATIVE_INFINITY };
      this.#classes.set(key, counts);
    }
    return counts;
  }
}

function classKey(tenant: string, agentClass: string): string {
  return JSON.stringify([tenant, agentClass]);
}

function keyOf({ tenant, agentClass, agentId }: ActiveAgent): string {
  return JSON.stringify([tenant, agentClass, agentId]);
}
