import { StateTable } from '../lib/state-table.js';
import { ONLY_PARTITION, type PartitionPlace } from '../model/allowance.js';
import type { Activation } from '../model/log-record.js';
import type { Agents } from './agents.js';
import type { ClassPlace, ClassProfile, ClassState } from './class-profile.js';
import { NO_SAMPLES, outOfFoldOf, someSamples, type NamedSamples } from './class-samples.js';
import type { Learning } from './learning.js';
import { unpackState } from './packed-state.js';
import { poolCountsOf, type PoolLimits } from './pool-counts.js';
import type { OutOfFold } from './threshold.js';

/** Classes whose adopted samples are held in memory. */
const CLASSES_IN_MEMORY = 64;
/** Tenants whose own samples are held in memory. */
const TENANTS_IN_MEMORY = 64;
/** How the name of another partition's agent begins: no agent's name does. */
const ELSEWHERE = '\u0000';

/** What was adopted of a class, beside its pool; plain data. */
export interface StoredProfile extends ClassPlace {
  version: string;
  samples: ClassProfile['samples'];
}

interface KeptSamples extends NamedSamples {
  /** How often they were replaced. */
  calibrations: number;
}

/** What a partition has learned of a class itself, for others. */
export interface OwnState extends ClassPlace {
  /** Rises with all that is learned of it. */
  changes: number;
  /** Made when it is asked for: most of the time there is nothing new to give. */
  state: () => ClassState;
}

/** What other partitions have learned of classes of agents, as far as it was adopted, and what this one gives them. */
export class AdoptedProfiles {
  readonly #agents: Agents;
  readonly #table: StateTable<StoredProfile>;
  readonly #samples: StateTable<KeptSamples>;
  /** Version that was adopted last, by tenant and class. */
  readonly #versions = new Map<string, Map<string, string>>();
  readonly #place: PartitionPlace;
  /** Within which what is given to others and what is adopted lie. */
  readonly limits: PoolLimits;

  /** @param options `place`: nothing is kept for others where there are none */
  constructor(options: {
    agents: Agents;
    learning: Learning;
    place?: PartitionPlace;
    load: (key: string) => Uint8Array | undefined;
  }) {
    const { agents, learning, place = ONLY_PARTITION, load } = options;
    this.#agents = agents;
    this.#place = place;
    this.limits = { entries: learning.caps.peerCounts, requests: learning.caps.requests };
    this.#table = new StateTable({ prefix: 'adopted-profile/', capacity: CLASSES_IN_MEMORY, load });
    this.#samples = new StateTable({ prefix: 'own-samples/', capacity: TENANTS_IN_MEMORY, load });
  }

  /** Version that was adopted last of a class; empty before the first. */
  version(tenant: string, agentClass: string): string {
    return this.#versions.get(tenant)?.get(agentClass) ?? '';
  }

  /** Versions that were adopted last, of all classes of which something was. */
  *versions(): Generator<ClassPlace & { version: string }, void, undefined> {
    for (const [tenant, classes] of this.#versions) {
      for (const [agentClass, version] of classes) yield { tenant, agentClass, version };
    }
  }

  /**
   * Takes up a profile in the place of the one before.
   *
   * @returns false where it is the same one, or for another partition
   * @throws RangeError where it is damaged
   */
  adopt({ tenant, agentClass, partition, value: version, state = '' }: Activation): boolean {
    if (agentClass === undefined || partition !== this.#place.partition) return false;
    if (this.version(tenant, agentClass) === version) return false;
    // Whoever wrote the record had checked what it carries.
    const { pool, samples } = unpackState(state) as ClassProfile;
    this.#agents.pools.adopt(tenant, agentClass, pool);
    this.#table.set(keyOf(tenant, agentClass), { tenant, agentClass, version, samples });
    this.#note(tenant, agentClass, version);
    return true;
  }

  /** Samples of other partitions' agents. */
  samples(tenant: string): OutOfFold[] {
    const classes = [...(this.#versions.get(tenant)?.keys() ?? [])].sort();
    return classes.flatMap((agentClass) =>
      (this.#held(tenant, agentClass)?.samples ?? []).flatMap(({ partition, samples }) =>
        outOfFoldOf(samples, (agent) => `${ELSEWHERE}${partition}/${agentClass}/${agent}`),
      ),
    );
  }

  /** Samples of this partition's agents that its last calibration rested on. */
  ownSamples(tenant: string): OutOfFold[] {
    const held = this.#samples.get(JSON.stringify([tenant]));
    return held === undefined ? [] : outOfFoldOf(held, (agent) => held.agents[agent] ?? '');
  }

  /** Keeps what a calibration rested on, where others want it. */
  keepSamples(tenant: string, samples: NamedSamples): void {
    if (!this.#gives) return;
    const key = JSON.stringify([tenant]);
    this.#samples.set(key, { ...samples, calibrations: (this.#samples.get(key)?.calibrations ?? 0) + 1 });
  }

  /** Lets go of the agent's name; its samples are only numbers, and go with the next calibration. */
  forgetAgent(tenant: string, agentId: string): void {
    const key = JSON.stringify([tenant]);
    const held = this.#gives ? this.#samples.get(key) : undefined;
    if (held?.agents.includes(agentId) !== true) return;
    this.#samples.set(key, { ...held, agents: held.agents.map((name) => (name === agentId ? '' : name)) });
  }

  /** What was learned here of every class; nothing of what was adopted. */
  *own(): Generator<OwnState, void, undefined> {
    if (!this.#gives) return;
    for (const tenant of this.#agents.tenants()) {
      for (const agentClass of this.#agents.classes(tenant)) {
        const pool = this.#agents.pools.own(tenant, agentClass);
        if (pool === undefined) continue;
        const held = this.#samples.get(JSON.stringify([tenant]));
        const isMeant = (agent: number) => this.#agents.peersOf(held?.agents[agent] ?? '') === agentClass;
        const state = (): ClassState => ({
          pool: poolCountsOf(pool.toPlain()),
          samples: held === undefined ? NO_SAMPLES : someSamples(held, isMeant, held.risks.length),
        });
        yield { tenant, agentClass, changes: pool.changes + (held?.calibrations ?? 0), state };
      }
    }
  }

  /** After a restart: what was adopted. */
  restore(stored: Iterable<StoredProfile>): void {
    for (const { tenant, agentClass, version } of stored) {
      this.#note(tenant, agentClass, version);
      this.#agents.pools.restoreShared(tenant, agentClass);
    }
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#table.drain(puts, deletes);
    this.#samples.drain(puts, deletes);
  }

  get #gives(): boolean {
    return this.#place.partitions > 1;
  }

  #note(tenant: string, agentClass: string, version: string): void {
    const classes = this.#versions.get(tenant) ?? new Map<string, string>();
    this.#versions.set(tenant, classes.set(agentClass, version));
  }

  #held(tenant: string, agentClass: string): StoredProfile | undefined {
    return this.#table.get(keyOf(tenant, agentClass));
  }
}

/** Whether a sample's agent belongs to another partition. */
export function isElsewhere(agentId: string): boolean {
  return agentId.startsWith(ELSEWHERE);
}

function keyOf(tenant: string, agentClass: string): string {
  return JSON.stringify([tenant, agentClass]);
}
