import { StateTable } from '../lib/state-table.js';
import type { Fact } from './facts.js';

/** One learned session, enough to score it again. */
export interface PastSession {
  tenant: string;
  agentId: string;
  /** Order of learning within the tenant. */
  serial: number;
  facts: readonly Fact[];
  /** Risk from other signals than its calls, nats. */
  extraNats: number;
}

/** Learned sessions kept. */
export interface HistoryLimits {
  historyPerAgent: number;
  historyPerTenant: number;
}

/** Sessions held of a tenant's agents that are not known yet. */
const MAX_COLD_SESSIONS = 1_024;

interface Index {
  /** Agents of held sessions by serial: those of known agents, and the others. */
  warm: Map<number, string>;
  cold: Map<number, string>;
  perAgent: Map<string, number[]>;
  next: number;
}

/** The newest learned sessions of every agent: what thresholds are calibrated on. */
export class History {
  readonly #table: StateTable<PastSession>;
  readonly #limits: HistoryLimits;
  readonly #tenants = new Map<string, Index>();
  readonly #isWarm: (tenant: string, agentId: string) => boolean;

  /** @param isWarm whether an agent is known: only such sessions count for thresholds */
  constructor(
    limits: HistoryLimits,
    load: (key: string) => Uint8Array | undefined,
    isWarm: (tenant: string, agentId: string) => boolean,
  ) {
    this.#limits = limits;
    this.#isWarm = isWarm;
    this.#table = new StateTable({ prefix: 'history/', capacity: limits.historyPerTenant, load });
  }

  /** Sessions held of a tenant's known agents. */
  size(tenant: string): number {
    return this.#tenants.get(tenant)?.warm.size ?? 0;
  }

  add(session: Omit<PastSession, 'serial'>): void {
    const index = this.#index(session.tenant);
    const entry = { ...session, serial: index.next++ };
    this.#table.set(keyOf(entry.tenant, entry.agentId, entry.serial), entry);
    const own = this.#enter(entry);
    if (own.length > this.#limits.historyPerAgent) this.#drop(entry.tenant, own[0] ?? entry.serial);
    this.#cut(entry.tenant, index.warm, this.#limits.historyPerTenant);
    this.#cut(entry.tenant, index.cold, MAX_COLD_SESSIONS);
  }

  /** The agent is known from now on. @returns its sessions so far, oldest first */
  warmUp(tenant: string, agentId: string): PastSession[] {
    const { warm, cold, perAgent } = this.#index(tenant);
    const serials = perAgent.get(agentId) ?? [];
    for (const serial of serials) {
      cold.delete(serial);
      warm.set(serial, agentId);
    }
    return serials
      .map((serial) => this.#table.get(keyOf(tenant, agentId, serial)))
      .filter((session) => session !== undefined);
  }

  /** The newest sessions of a tenant's known agents, oldest of them first. */
  newest(tenant: string, count: number): PastSession[] {
    const { warm } = this.#index(tenant);
    return [...warm]
      .sort(([a], [b]) => a - b)
      .slice(-count)
      .map(([serial, agentId]) => this.#table.get(keyOf(tenant, agentId, serial)))
      .filter((session) => session !== undefined);
  }

  forgetAgent(tenant: string, agentId: string): void {
    const serials = this.#index(tenant).perAgent.get(agentId)?.slice() ?? [];
    for (const serial of serials) this.#drop(tenant, serial);
  }

  /** After a restart: which sessions the store holds. */
  restore(stored: Iterable<Pick<PastSession, 'tenant' | 'agentId' | 'serial'>>): void {
    for (const session of [...stored].sort((a, b) => a.serial - b.serial)) {
      this.#enter(session);
      const index = this.#index(session.tenant);
      index.next = Math.max(index.next, session.serial + 1);
    }
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#table.drain(puts, deletes);
  }

  #index(tenant: string): Index {
    let index = this.#tenants.get(tenant);
    if (index === undefined)
      this.#tenants.set(tenant, (index = { warm: new Map(), cold: new Map(), perAgent: new Map(), next: 0 }));
    return index;
  }

  #enter({ tenant, agentId, serial }: Pick<PastSession, 'tenant' | 'agentId' | 'serial'>): number[] {
    const { warm, cold, perAgent } = this.#index(tenant);
    (this.#isWarm(tenant, agentId) ? warm : cold).set(serial, agentId);
    let own = perAgent.get(agentId);
    if (own === undefined) perAgent.set(agentId, (own = []));
    own.push(serial);
    return own;
  }

  /** Lets the oldest go until at most `max` are held. */
  #cut(tenant: string, held: ReadonlyMap<number, string>, max: number): void {
    while (held.size > max) {
      let oldest = Number.POSITIVE_INFINITY;
      // Not simply the first: warming up puts older sessions behind newer ones.
      for (const serial of held.keys()) oldest = Math.min(oldest, serial);
      this.#drop(tenant, oldest);
    }
  }

  #drop(tenant: string, serial: number): void {
    const { warm, cold, perAgent } = this.#index(tenant);
    const agentId = warm.get(serial) ?? cold.get(serial);
    if (agentId === undefined) return;
    warm.delete(serial);
    cold.delete(serial);
    const own = perAgent.get(agentId) ?? [];
    own.splice(own.indexOf(serial), 1);
    if (own.length === 0) perAgent.delete(agentId);
    this.#table.delete(keyOf(tenant, agentId, serial));
  }
}

function keyOf(tenant: string, agentId: string, serial: number): string {
  return JSON.stringify([tenant, agentId, serial]);
}
