import { JournaledTable } from '../lib/journaled-table.js';
import { StateTable } from '../lib/state-table.js';
import { AgentBaseline, peerCaps, type BaselineCaps, type PlainBaseline } from './agent-baseline.js';
import type { SessionRecord } from './facts.js';
import type { Learning } from './learning.js';
import { withAdopted, type PoolCounts } from './pool-counts.js';
import { packRecord, unpackRecord, type PackedRecord } from './session-record.js';

const POOLS_IN_MEMORY = 256;
/** Tenants whose number of pooled sessions is held in memory. */
const TENANTS_IN_MEMORY = 1_024;

interface PoolChange {
  record: SessionRecord;
  by: 1 | -1;
}

interface StoredPoolChange {
  record: PackedRecord;
  by: 1 | -1;
}

type PoolTable = JournaledTable<AgentBaseline, PoolChange>;

/**
 * What agents of one class have in common, by tenant: learned here, and together with what was adopted from elsewhere
 * where something was. The first alone is given to others, so that nothing comes back to where it was learned.
 */
export class Pools {
  readonly #own: PoolTable;
  /** What was learned here and what was adopted; there where something was adopted. */
  readonly #shared: PoolTable;
  /** Which are there: all others would be looked for in the store in vain, with every call. */
  readonly #isShared = new Set<string>();
  /** Sessions in all pools of a tenant that were learned here. */
  readonly #pooled: StateTable<number>;
  readonly #caps: BaselineCaps;
  readonly #nothing: AgentBaseline;
  /** The key of the pool asked for last. */
  #latest = { tenant: '', peers: '', text: '' };

  constructor({ learning, load }: { learning: Learning; load: (key: string) => Uint8Array | undefined }) {
    this.#caps = peerCaps(learning);
    this.#nothing = new AgentBaseline(this.#caps);
    this.#pooled = new StateTable({ prefix: 'pooled-sessions/', capacity: TENANTS_IN_MEMORY, load });
    this.#own = tableOf('pool', this.#caps, load);
    // What is known here must not give way to what was adopted: there is room for both.
    this.#shared = tableOf('shared-pool', { ...this.#caps, requests: 2 * this.#caps.requests }, load);
  }

  /** What agents of a class have in common, as far as is known here. */
  get(tenant: string, peers: string): AgentBaseline {
    if (this.#latest.tenant !== tenant || this.#latest.peers !== peers || this.#latest.text === '') {
      this.#latest = { tenant, peers, text: keyOf(tenant, peers) };
    }
    const { text } = this.#latest;
    const shared = this.#isShared.has(text) ? this.#shared.get(text) : undefined;
    return shared ?? this.#own.get(text) ?? this.#nothing;
  }

  /** What was learned here; undefined where that is nothing. */
  own(tenant: string, peers: string): AgentBaseline | undefined {
    return this.#own.get(keyOf(tenant, peers));
  }

  /** Sessions in all pools of a tenant that were learned here. */
  sessions(tenant: string): number {
    // An earlier version of this program had one pool for all.
    return this.#pooled.get(keyOf(tenant, '')) ?? this.#own.get(keyOf(tenant, ''))?.sessions ?? 0;
  }

  /** After a restart: something was adopted for this class. */
  restoreShared(tenant: string, peers: string): void {
    this.#isShared.add(keyOf(tenant, peers));
  }

  /** Counts a session in a pool, or with -1 takes it out again. */
  learn(tenant: string, { record, peers }: { record: SessionRecord; peers: string }, by: 1 | -1 = 1): void {
    this.#pooled.set(keyOf(tenant, ''), this.sessions(tenant) + by);
    const key = keyOf(tenant, peers);
    if (this.#own.get(key) === undefined) this.#own.add(key, new AgentBaseline(this.#caps));
    this.#own.change(key, { record, by });
    if (this.#isShared.has(key)) this.#shared.change(key, { record, by });
  }

  /** Takes up what others have learned, in the place of what was taken up before. */
  adopt(tenant: string, peers: string, counts: PoolCounts): void {
    const key = keyOf(tenant, peers);
    const own = this.#own.get(key);
    const before = this.get(tenant, peers).changes;
    if (this.#isShared.has(key)) this.#shared.delete(key);
    const caps = { ...this.#caps, requests: 2 * this.#caps.requests };
    // The numbers only ever rise: nothing that was computed before may pass for what holds now.
    this.#isShared.add(key);
    this.#shared.add(key, new AgentBaseline(caps, { ...withAdopted(own?.toPlain(), counts), changes: before + 1 }));
  }

  /**
   * Puts other states in the place of what was learned here, and of what was adopted.
   *
   * @param to `classes`: whose pools go; `sessions`: in all pools
   */
  replace(
    tenant: string,
    {
      classes,
      pools,
      sessions,
    }: { classes: readonly string[]; pools: readonly (readonly [string, PlainBaseline])[]; sessions: number },
  ): void {
    for (const peers of classes) this.#delete(keyOf(tenant, peers));
    for (const [peers, plain] of pools) {
      const key = keyOf(tenant, peers);
      this.#delete(key);
      this.#own.add(key, new AgentBaseline(this.#caps, plain));
    }
    this.#pooled.set(keyOf(tenant, ''), sessions);
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#own.drain(puts, deletes);
    this.#shared.drain(puts, deletes);
    this.#pooled.drain(puts, deletes);
  }

  #delete(key: string): void {
    this.#own.delete(key);
    if (this.#isShared.delete(key)) this.#shared.delete(key);
  }
}

function tableOf(name: string, caps: BaselineCaps, load: (key: string) => Uint8Array | undefined): PoolTable {
  return new JournaledTable<AgentBaseline, PoolChange>({
    name,
    capacity: POOLS_IN_MEMORY,
    load,
    plain: {
      to: (pool) => pool.toPlain(),
      // Only this table writes under its prefixes.
      from: (stored) => new AgentBaseline(caps, stored as PlainBaseline),
    },
    change: {
      to: ({ record, by }): StoredPoolChange => ({ record: packRecord(record), by }),
      // Only this table writes under its prefixes.
      from: (stored) => poolChangeFrom(stored as StoredPoolChange),
    },
    apply: (pool, { record, by }) => pool.learn(record, by),
  });
}

function poolChangeFrom({ record, by }: StoredPoolChange): PoolChange {
  return { record: unpackRecord(record), by };
}

/** Agents of no class keep the key that all agents had before there were pools by class. */
function keyOf(tenant: string, peers: string): string {
  return JSON.stringify(peers === '' ? [tenant] : [tenant, peers]);
}
