import {
  isOwnContribution,
  profileFor,
  profileVersion,
  sealedContribution,
  type ClassContribution,
} from '../../src/baseline/class-profile.js';
import { BaselineRegistry } from '../../src/baseline/registry.js';
import { StateSeal } from '../../src/baseline/state-seal.js';
import type { Activation } from '../../src/model/log-record.js';
import { SEED } from './behaviour.js';
import { memoryStore, type MemoryStore } from './memory-store.js';
import { office } from './office.js';

export interface ClassPartition {
  registry: BaselineRegistry;
  store: MemoryStore;
  /** As after a restart, from what the store holds now. */
  again: () => BaselineRegistry;
}

/** The class of an agent is what its name begins with. */
const peersOf = (agentId: string) => agentId.split('-')[0] ?? '';

/** Baselines of so many partitions of one install. */
export function classPartitions(partitions: number): ClassPartition[] {
  return Array.from({ length: partitions }, (_, partition) => {
    const store = memoryStore();
    const options = { ...office({}, store).options, peersOf, place: { partition, partitions } };
    const again = (): BaselineRegistry => {
      const restored = new BaselineRegistry(options);
      restored.restore();
      return restored;
    };
    return { registry: new BaselineRegistry(options), store, again };
  });
}

/** What all of them have to give. */
export async function contributionsOf(partitions: readonly ClassPartition[]): Promise<ClassContribution[]> {
  const seal = await StateSeal.of(SEED);
  return partitions.flatMap(({ registry }, partition) =>
    [...registry.profiles.own()].map((own) =>
      sealedContribution({ ...own, state: own.state(), partition }, registry.profiles.limits, seal),
    ),
  );
}

/** The records that give each partition what the others have, for the classes that there are contributions to. */
export function profileRecords(contributions: readonly ClassContribution[], partitions: number): Activation[] {
  const places = new Map(contributions.map((one) => [JSON.stringify([one.tenant, one.agentClass]), one]));
  const limits = { entries: 65_536, requests: 1_024 };
  return [...places.values()].flatMap(({ tenant, agentClass }) => {
    const all = contributions.filter((one) => one.tenant === tenant && one.agentClass === agentClass);
    const { version } = profileVersion({ tenant, agentClass }, all);
    return Array.from({ length: partitions }, (_, partition) => {
      const state = profileFor(partition, all, limits);
      return { time: 1, tenant, what: 'class-profile' as const, value: version, agentClass, partition, state };
    });
  });
}

/** Every partition takes up what the others have learned. */
export async function exchange(partitions: readonly ClassPartition[]): Promise<Activation[]> {
  const contributions = await contributionsOf(partitions);
  const seal = await StateSeal.of(SEED);
  const intact = contributions.filter((one) => isOwnContribution(one, seal));
  const records = profileRecords(intact, partitions.length);
  // To all of them, as a record for everybody's log: each takes its own.
  for (const record of records) for (const { registry } of partitions) registry.adoptProfile(record);
  return records;
}
