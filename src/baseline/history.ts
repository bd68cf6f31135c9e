import { StateTable } from '../lib/state-table.js';
import type { Fact } from './facts.js';
import { requestKeyOf } from './scoring-state.js';

/** One learned session, enough to score it again. */
export interface PastSession {
  tenant: string;
  agentId: string;
  /** Order of learning within the tenant. */
  serial: number;
  facts: readonly Fact[];
  /** Risk from other signals than its calls, nats. */
  extraNats: number;
  /** The pool that it was counted in; absent for that of no class. */
  peers?: string;
}

/** Learned sessions kept. */
export interface HistoryLimits {
  perAgent: number;
  perTenant: number;
}

/** A past session as it is stored. */
export interface StoredPast extends PastSession {
  /** Hash of its first request. */
  request: number;
  /** The agent's `AgentBaseline.changes` with it. */
  changes: number;
}

/** Sessions of one agent with the same first request. */
export interface RequestGroup {
  agentId: string;
  /** Oldest first. */
  serials: number[];
}

/** Sessions held of a tenant's agents that are not known yet. */
const MAX_COLD_SESSIONS = 1_024;
/** Past sessions held in memory: they are asked for rarely, and each only once in a while. */
const PAST_IN_MEMORY = 64;

interface Entry {
  agentId: string;
  request: number;
}

interface Index {
  /** Held sessions by serial, oldest first: those of known agents, and the others. */
  warm: Map<number, Entry>;
  cold: Map<number, Entry>;
  perAgent: Map<string, number[]>;
  next: number;
}

/** The newest learned sessions of every agent: what thresholds are calibrated on. */
export class History {
  readonly #table: StateTable<StoredPast>;
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
    this.#table = new StateTable({ prefix: 'history/', capacity: PAST_IN_MEMORY, load });
  }

  /** Sessions held of a tenant's known agents. */
  size(tenant: string): number {
    return this.#tenants.get(tenant)?.warm.size ?? 0;
  }

  /** @param changes the agent's `AgentBaseline.changes` with it */
  add(session: Omit<PastSession, 'serial'>, changes = 0): void {
    const index = this.#index(session.tenant);
    const first = session.facts.find((fact) => fact.type === 'prompt');
    const entry = { ...session, serial: index.next++, request: requestKeyOf(first?.words ?? []), changes };
    this.#table.set(keyOf(entry.tenant, entry.agentId, entry.serial), entry);
    const own = this.#enter(entry);
    if (own.length > this.#limits.perAgent) this.#drop(entry.tenant, own[0] ?? entry.serial);
    this.#cut(entry.tenant, index.warm, this.#limits.perTenant);
    this.#cut(entry.tenant, index.cold, MAX_COLD_SESSIONS);
  }

  /** The agent is known from now on. @returns its sessions so far, oldest first */
  warmUp(tenant: string, agentId: string): PastSession[] {
    const index = this.#index(tenant);
    const { warm, cold, perAgent } = index;
    const serials = perAgent.get(agentId) ?? [];
    for (const serial of serials) {
      const entry = cold.get(serial);
      cold.delete(serial);
      if (entry !== undefined) warm.set(serial, entry);
    }
    index.warm = new Map([...warm].sort(([a], [b]) => a - b));
    return this.of(tenant, agentId);
  }

  /** The newest sessions of a tenant's known agents, by agent and first request, in order of the oldest of each. */
  groups(tenant: string, count: number): RequestGroup[] {
    const { warm } = this.#index(tenant);
    const groups = new Map<string, RequestGroup>();
    const newest = [...warm].slice(-count);
    for (const [serial, { agentId, request }] of newest) {
      const key = `${request} ${agentId}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { agentId, serials: [serial] });
      else group.serials.push(serial);
    }
    return [...groups.values()];
  }

  /** A session that is still held. */
  find(tenant: string, agentId: string, serial: number): PastSession | undefined {
    const { warm, cold } = this.#index(tenant);
    return warm.has(serial) || cold.has(serial) ? this.#table.get(keyOf(tenant, agentId, serial)) : undefined;
  }

  /** All sessions held of a tenant's known agents, oldest first, read one by one. */
  *known(tenant: string): Generator<PastSession, void, undefined> {
    for (const [serial, { agentId }] of this.#index(tenant).warm) {
      const session = this.find(tenant, agentId, serial);
      if (session !== undefined) yield session;
    }
  }

  /** An agent's sessions, oldest first. */
  of(tenant: string, agentId: string): StoredPast[] {
    const serials = this.#index(tenant).perAgent.get(agentId) ?? [];
    return serials
      .map((serial) => this.#table.get(keyOf(tenant, agentId, serial)))
      .filter((session) => session !== undefined);
  }

  /** Lets go of an agent's sessions that were learned after so many changes of its baseline. @returns them */
  takeBack(tenant: string, agentId: string, afterChanges: number): PastSession[] {
    const taken = this.of(tenant, agentId).filter(({ changes }) => changes > afterChanges);
    for (const { serial } of taken) this.#drop(tenant, serial);
    return taken;
  }

  forgetAgent(tenant: string, agentId: string): void {
    const serials = this.#index(tenant).perAgent.get(agentId)?.slice() ?? [];
    for (const serial of serials) this.#drop(tenant, serial);
  }

  /** After a restart: which sessions the store holds. */
  restore(stored: Iterable<Place>): void {
    // Without the facts, which would all be in memory at once.
    const places = [...map(stored, ({ tenant, agentId, serial, request }) => ({ tenant, agentId, serial, request }))];
    for (const session of places.sort((a, b) => a.serial - b.serial)) {
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

  #enter({ tenant, agentId, serial, request }: Place): number[] {
    const { warm, cold, perAgent } = this.#index(tenant);
    (this.#isWarm(tenant, agentId) ? warm : cold).set(serial, { agentId, request });
    let own = perAgent.get(agentId);
    if (own === undefined) perAgent.set(agentId, (own = []));
    own.push(serial);
    return own;
  }

  /** Lets the oldest go until at most `max` are held. */
  #cut(tenant: string, held: ReadonlyMap<number, Entry>, max: number): void {
    while (held.size > max) {
      const oldest = held.keys().next();
      if (oldest.done === true) return;
      this.#drop(tenant, oldest.value);
    }
  }

  #drop(tenant: string, serial: number): void {
    const { warm, cold, perAgent } = this.#index(tenant);
    const entry = warm.get(serial) ?? cold.get(serial);
    if (entry === undefined) return;
    const { agentId } = entry;
    warm.delete(serial);
    cold.delete(serial);
    const own = perAgent.get(agentId) ?? [];
    own.splice(own.indexOf(serial), 1);
    if (own.length === 0) perAgent.delete(agentId);
    this.#table.delete(keyOf(tenant, agentId, serial));
  }
}

type Place = Pick<StoredPast, 'tenant' | 'agentId' | 'serial' | 'request'>;

function* map<T, U>(items: Iterable<T>, change: (item: T) => U): Generator<U> {
  for (const item of items) yield change(item);
}

function keyOf(tenant: string, agentId: string, serial: number): string {
  return JSON.stringify([tenant, agentId, serial]);
}
