import { createHash } from 'node:crypto';
import { atOnce, type Steps } from '../lib/steps.js';
import { someSamples, type ClassSamples } from './class-samples.js';
import { packState, STATE_FORMAT, unpackState } from './packed-state.js';
import { mergeSteps, type PoolCounts, type PoolLimits } from './pool-counts.js';
import type { SealedPlace, StateSeal } from './state-seal.js';

/** Longest packed contribution of one partition, and longest packed profile: it has to fit into one record. */
export const MAX_CONTRIBUTION_CHARS = 256 * 1024;
export const MAX_PROFILE_CHARS = 640 * 1024;
/** Samples of clean sessions in a profile. */
const MAX_SAMPLES = 6_000;

/** Which class of agents of which tenant. */
export interface ClassPlace {
  tenant: string;
  /** Empty for agents of no class. */
  agentClass: string;
}

/** What one partition has learned itself of a class; nothing of what it was given. */
export interface ClassState {
  pool: PoolCounts;
  samples: ClassSamples;
}

/** A partition's contribution to a class, as it travels. */
export interface ClassContribution extends ClassPlace {
  partition: number;
  /** Rises with all that is learned: of two of one partition the higher one is later. */
  changes: number;
  /** Shape of the state; others are not read. */
  format: number;
  /** Packed `ClassState`. */
  state: string;
  /** Shows that this install made it. */
  seal: string;
}

/** What all other partitions have learned of a class, for one partition. */
export interface ClassProfile {
  pool: PoolCounts;
  /** By partition that they are from. */
  samples: { partition: number; samples: ClassSamples }[];
}

/** What a contribution carries. */
export interface OpenedContribution {
  partition: number;
  state: ClassState;
}

/** One version of what agents of a class have in common. */
export interface ProfileVersion extends ClassPlace {
  /** Hash of the contributions. */
  version: string;
  /** Partitions that contributed, in order. */
  partitions: number[];
}

/**
 * Packs and seals a contribution. Where it would be too large, the rarest counts and the oldest requests are left out.
 *
 * @param limits of a pool
 */
export function sealedContribution(
  own: ClassPlace & { partition: number; changes: number; state: ClassState },
  limits: PoolLimits,
  seal: StateSeal,
): ClassContribution {
  return atOnce(contributionSteps(own, limits, seal));
}

/** As `sealedContribution`, in steps. */
export function* contributionSteps(
  { state, ...place }: ClassPlace & { partition: number; changes: number; state: ClassState },
  limits: PoolLimits,
  seal: StateSeal,
): Steps<ClassContribution> {
  const packed = yield* fitting([state.pool], limits, MAX_CONTRIBUTION_CHARS, (pool) => ({ ...state, pool }));
  return { ...place, format: STATE_FORMAT, state: packed, seal: seal.seal(sealedPlace(place), packed) };
}

/** Whether this install made a contribution, in a shape that is known here. Only such may be merged. */
export function isOwnContribution(contribution: ClassContribution, seal: StateSeal): boolean {
  const { format, state } = contribution;
  return (
    format === STATE_FORMAT &&
    state.length <= MAX_CONTRIBUTION_CHARS &&
    seal.isIntact(sealedPlace(contribution), state, contribution.seal)
  );
}

/** The latest contribution of each partition, by partition. */
export function latestContributions(all: readonly ClassContribution[]): ClassContribution[] {
  const latest = new Map<number, ClassContribution>();
  for (const one of all) {
    const held = latest.get(one.partition);
    const isLater =
      held === undefined || one.changes > held.changes || (one.changes === held.changes && one.state > held.state);
    if (isLater) latest.set(one.partition, one);
  }
  return [...latest.values()].sort((a, b) => a.partition - b.partition);
}

/**
 * What all partitions' contributions to one class come to. A pure function; their order changes nothing.
 *
 * @param contributions of one class; those of a partition that are not its latest are passed over
 */
export function profileVersion(
  { tenant, agentClass }: ClassPlace,
  contributions: readonly ClassContribution[],
): ProfileVersion {
  const latest = latestContributions(contributions);
  const hash = createHash('sha256').update(JSON.stringify([STATE_FORMAT, tenant, agentClass]));
  for (const { partition, state } of latest) hash.update(`\n${partition} ${state}`);
  const version = hash.digest('hex').slice(0, 32);
  return { tenant, agentClass, version, partitions: latest.map(({ partition }) => partition) };
}

/**
 * What the other partitions have learned, packed for one of them: without its own, so that it counts nothing twice.
 *
 * @param contributions whose seals were checked
 * @throws RangeError where one is damaged
 */
export function profileFor(partition: number, contributions: readonly ClassContribution[], limits: PoolLimits): string {
  const others = contributions.filter((one) => one.partition !== partition);
  return atOnce(profileSteps(partition, openContributions(others), limits));
}

/**
 * The latest contribution of each partition, unpacked: once for all partitions that get a profile of them.
 *
 * @param contributions whose seals were checked
 * @throws RangeError where one is damaged
 */
export function openContributions(contributions: readonly ClassContribution[]): OpenedContribution[] {
  return latestContributions(contributions).map(({ partition, state }) => ({
    partition,
    // Only `sealedContribution` makes what has a seal.
    state: unpackState(state) as ClassState,
  }));
}

/** As `profileFor`, in steps, of contributions that are unpacked already. */
export function* profileSteps(
  partition: number,
  opened: readonly OpenedContribution[],
  limits: PoolLimits,
): Steps<string> {
  const others = opened.filter((one) => one.partition !== partition);
  const pools = others.map(({ state }) => state.pool);
  const most = Math.floor(MAX_SAMPLES / Math.max(1, others.length));
  const samples = others.map((one) => ({
    partition: one.partition,
    samples: someSamples(one.state.samples, () => true, most),
  }));
  return yield* fitting(pools, limits, MAX_PROFILE_CHARS, (pool) => ({ pool, samples }));
}

/** Packs what `make` gives of the merged pools, within ever tighter limits, until it is short enough. */
function* fitting(
  pools: readonly PoolCounts[],
  limits: PoolLimits,
  maxChars: number,
  make: (pool: PoolCounts) => ClassState | ClassProfile,
): Steps<string> {
  const whole = yield* mergeSteps(pools, limits);
  let pool = whole;
  for (let share = 1; ;) {
    yield;
    const packed = packState(make(pool));
    if (packed.length <= maxChars || Math.floor(limits.entries * share) === 0) return packed;
    share *= Math.min(0.8, (0.95 * maxChars) / packed.length);
    // What is the rarest of the whole is the rarest of what is left of it, too.
    const within = { entries: Math.floor(limits.entries * share), requests: Math.floor(limits.requests * share) };
    pool = yield* mergeSteps([whole], within);
  }
}

/** A seal is for one partition's contribution to one class at one time. */
function sealedPlace({
  tenant,
  agentClass,
  partition,
  changes,
}: Omit<ClassContribution, 'format' | 'state' | 'seal'>): SealedPlace {
  return { tenant, agentId: JSON.stringify(['class', agentClass, partition]), version: changes };
}
