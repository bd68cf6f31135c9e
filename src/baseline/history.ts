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

interface Index {
  /** Agents of held sessions by serial, oldest first. */
  agents: Map<number, string>;
  perAgent: Map<string, number[]>;
  next: number;
}

/** The newest learned sessions of every agent: what thresholds are calibrated on. */
export class History {
  readonly #table: StateTable<PastSession>;
  readonly #limits: HistoryLimits;
  readonly #tenants = new Map<string, Index>();

  constructor(limits: HistoryLimits, load: (key: string) => Uint8Array | undefined) {
    this.#limits = limits;
    this.#table = new StateTable({ prefix: 'history/', capacity: limits.historyPerTenant, load });
  }

  /** Sessions held of a tenant. */
  size(tenant: string): number {
    return this.#tenants.get(tenant)?.agents.size ?? 0;
  }

  add(session: Omit<PastSession, 'serial'>): void {
    const index = this.#index(session.tenant);
    const entry = { ...session, serial: index.next++ };
    this.#table.set(keyOf(entry.tenant, entry.agentId, entry.serial), entry);
    const own = this.#enter(entry);
    if (own.length > this.#limits.historyPerAgent) this.#drop(entry.tenant, own[0] ?? entry.serial);
    while (index.agents.size > this.#limits.historyPerTenant) {
      const [oldest = entry.serial] = index.agents.keys();
      this.#drop(entry.tenant, oldest);
    }
  }

  /** The newest sessions of a tenant, oldest of them first. */
  newest(tenant: string, count: number): PastSession[] {
    const { agents } = this.#index(tenant);
    return [...agents]
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
    if (index === undefined) this.#tenants.set(tenant, (index = { agents: new Map(), perAgent: new Map(), next: 0 }));
    return index;
  }

  #enter({ tenant, agentId, serial }: Pick<PastSession, 'tenant' | 'agentId' | 'serial'>): number[] {
    const { agents, perAgent } = this.#index(tenant);
    agents.set(serial, agentId);
    let own = perAgent.get(agentId);
    if (own === undefined) perAgent.set(agentId, (own = []));
    own.push(serial);
    return own;
  }

  #drop(tenant: string, serial: number): void {
    const { agents, perAgent } = this.#index(tenant);
    const agentId = agents.get(serial);
    if (agentId === undefined) return;
    agents.delete(serial);
    const own = perAgent.get(agentId) ?? [];
    own.splice(own.indexOf(serial), 1);
    if (own.length === 0) perAgent.delete(agentId);
    this.#table.delete(keyOf(tenant, agentId, serial));
  }
}

function keyOf(tenant: string, agentId: string, serial: number): string {
  return JSON.stringify([tenant, agentId, serial]);
}
