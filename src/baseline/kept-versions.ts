import { decodeState, encodeState, StateTable } from '../lib/state-table.js';
import type { KeptVersion } from '../model/baseline.js';
import type { PlainBaseline } from './agent-baseline.js';
import type { AgentState, TenantState } from './packed-state.js';

/** Versions kept of an agent, and of a tenant; bytes of all versions together. The oldest go first. */
const VERSIONS_PER_AGENT = 8;
const VERSIONS_PER_TENANT = 2;
const MAX_BYTES = 256 * 1024 * 1024;
/** States held in memory: they are read at a rollback only. */
const STATES_IN_MEMORY = 4;
const LISTS_IN_MEMORY = 64;

/** Stands for an agent where a version is of what all agents of the tenant have in common. No agent is named so. */
export const WHOLE_TENANT = '';

interface Place {
  tenant: string;
  agentId: string;
  version: number;
}

/** A kept version in the order of all. */
export interface KeptPlace extends KeptVersion {
  tenant: string;
  agentId: string;
  serial: number;
}

/** What is kept of one agent, oldest first; as it is stored. */
export interface StoredVersions {
  tenant: string;
  agentId: string;
  /** `serial`: order among all agents' versions. */
  versions: (KeptVersion & { serial: number })[];
}

/**
 * The whole state of each agent's latest published versions. Kept in the scoring store beside the state of scoring
 * itself, because a rollback must give the same after every restart; ClickHouse has the features alone.
 */
export class KeptVersions {
  readonly #states: StateTable<Uint8Array>;
  readonly #stored: StateTable<StoredVersions>;
  /** All lists: they are small, and people ask for them. */
  readonly #lists = new Map<string, StoredVersions>();
  /** All kept versions by serial, oldest first. */
  readonly #order = new Map<number, Place & { bytes: number }>();
  #bytes = 0;
  #next = 0;
  #dropped = 0;
  readonly #maxBytes: number;

  constructor(load: (key: string) => Uint8Array | undefined, maxBytes = MAX_BYTES) {
    this.#maxBytes = maxBytes;
    this.#states = new StateTable({ prefix: 'kept-version/', capacity: STATES_IN_MEMORY, load });
    this.#stored = new StateTable({ prefix: 'kept-versions/', capacity: LISTS_IN_MEMORY, load, isShared: true });
  }

  get size(): number {
    return this.#order.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Versions that gave way to newer ones. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Order that the next version gets. */
  get next(): number {
    return this.#next;
  }

  /** Keeps a version as it is now. */
  keep(
    { tenant, agentId }: { tenant: string; agentId: string },
    state: AgentState | TenantState,
    about: Omit<KeptVersion, 'bytes'>,
  ): void {
    const key = keyOf(tenant, agentId);
    const encoded = encodeState(state);
    const { version } = about;
    const serial = this.#next++;
    const kept = { ...about, bytes: encoded.length, serial };
    let list = this.#lists.get(key);
    if (list === undefined) this.#lists.set(key, (list = { tenant, agentId, versions: [] }));
    list.versions.push(kept);
    this.#enter({ tenant, agentId, ...kept });
    this.#states.set(stateKey({ tenant, agentId, version }), encoded);
    this.#stored.set(key, list);
    const most = agentId === WHOLE_TENANT ? VERSIONS_PER_TENANT : VERSIONS_PER_AGENT;
    const oldest = list.versions.length > most ? list.versions[0] : undefined;
    if (oldest !== undefined) this.#drop(oldest.serial);
    for (const first of this.#order.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#drop(first);
    }
  }

  /** The state of an agent's version; undefined where it is not kept (any more). */
  find(place: Place): AgentState | undefined {
    const bytes = this.bytesOf(place);
    if (bytes === undefined) return undefined;
    // Only `keep` writes under the prefix; earlier versions of this program kept the baseline alone.
    const state = decodeState(bytes) as AgentState | PlainBaseline;
    return 'baseline' in state ? state : { baseline: state };
  }

  /** The state of a version as it is stored. */
  bytesOf(place: Place): Uint8Array | undefined {
    if (!this.of(place.tenant, place.agentId).some(({ version }) => version === place.version)) return undefined;
    return this.#states.get(stateKey(place));
  }

  /** Versions in the order in which they were kept, from one of them on, tenants' own among them. */
  *from(serial: number): Generator<KeptPlace, void, undefined> {
    for (const [at, { tenant, agentId }] of this.#order) {
      const kept = at < serial ? undefined : this.#lists.get(keyOf(tenant, agentId));
      const version = kept?.versions.find((one) => one.serial === at);
      if (version !== undefined) yield { ...version, tenant, agentId };
    }
  }

  /** Oldest first. */
  of(tenant: string, agentId: string): KeptVersion[] {
    const versions = this.#lists.get(keyOf(tenant, agentId))?.versions ?? [];
    return versions.map((version) => {
      const { serial: _, ...kept } = version;
      return kept;
    });
  }

  forgetAgent(tenant: string, agentId: string): void {
    for (const { serial } of this.#lists.get(keyOf(tenant, agentId))?.versions.slice() ?? []) this.#drop(serial);
  }

  /** After a restart: what the store holds. */
  restore(stored: Iterable<StoredVersions>): void {
    const places: (Place & KeptVersion & { serial: number })[] = [];
    for (const list of stored) {
      const { tenant, agentId } = list;
      this.#lists.set(keyOf(tenant, agentId), list);
      for (const kept of list.versions) places.push({ tenant, agentId, ...kept });
    }
    for (const place of places.sort((a, b) => a.serial - b.serial)) {
      this.#enter(place);
      this.#next = place.serial + 1;
    }
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#states.drain(puts, deletes);
    this.#stored.drain(puts, deletes);
  }

  #enter({ tenant, agentId, version, bytes, serial }: Place & { bytes: number; serial: number }): void {
    this.#order.set(serial, { tenant, agentId, version, bytes });
    this.#bytes += bytes;
  }

  #drop(serial: number): void {
    const place = this.#order.get(serial);
    if (place === undefined) return;
    const key = keyOf(place.tenant, place.agentId);
    const list = this.#lists.get(key);
    this.#order.delete(serial);
    this.#bytes -= place.bytes;
    this.#dropped++;
    this.#states.delete(stateKey(place));
    if (list === undefined) return;
    list.versions = list.versions.filter((kept) => kept.serial !== serial);
    if (list.versions.length > 0) return this.#stored.set(key, list);
    this.#lists.delete(key);
    this.#stored.delete(key);
  }
}

function keyOf(tenant: string, agentId: string): string {
  return JSON.stringify([tenant, agentId]);
}

function stateKey({ tenant, agentId, version }: Place): string {
  return JSON.stringify([tenant, agentId, version]);
}
