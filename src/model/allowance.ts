import type { ResponseCaps } from './response-policy.js';

/** The limits of the whole install of which every partition may use a part. Whole numbers that add up. */
export const LEASED_LIMITS = ['commandsPerMinute', 'totalCommandsPerMinute', 'minContainedAgents'] as const;
export type LeasedLimit = (typeof LEASED_LIMITS)[number];

/** How much of each limit one partition may use, or a limit as a whole. */
export type Allowance = Record<LeasedLimit, number>;

/** Which of how many partitions it is, from 0. */
export interface PartitionPlace {
  partition: number;
  partitions: number;
}

/** An install of one process has one partition, which may use all of every limit. */
export const ONLY_PARTITION: PartitionPlace = { partition: 0, partitions: 1 };

/** One who gives out leases. Of two the one with the higher term, or else the higher id, is the later one. */
export interface LeaseTerm {
  term: number;
  holder: string;
}

/**
 * Changes what one partition may use, from this record of its log on. Only the newest one holds: what is of an
 * earlier term, or not above the number that was taken last, changes nothing.
 */
export interface Lease extends LeaseTerm {
  /** Processing time, epoch ms. */
  time: number;
  partition: number;
  /** The limits that are given out, as `limitsKey` writes them: nobody takes a lease out of other ones. */
  limits: string;
  /** Rises by one with each lease to this partition in this term. 0 begins the term here and changes nothing else. */
  number: number;
  /** Absent in the first one of a term. */
  allowance?: Allowance;
}

/** What a partition says about its allowance, once the record that caused it is scored. */
export interface AllowanceStatus extends LeaseTerm {
  /** Processing time, epoch ms. */
  time: number;
  partition: number;
  limits: string;
  /** Number of the lease that was taken last in this term. */
  number: number;
  /** Rises with every status of this partition: an older one says nothing any more. */
  revision: number;
  /** What the partition may use from here on. */
  allowance: Allowance;
  /** What nobody else may use yet: the allowance, or more where it was lowered and what was used still counts. */
  held: Allowance;
  /** How much the partition asks for, where its allowance is used up. */
  wants: Partial<Allowance>;
}

/** The leased part of the caps. */
export function leasedOf({ commandsPerMinute, totalCommandsPerMinute, minContainedAgents }: ResponseCaps): Allowance {
  return { commandsPerMinute, totalCommandsPerMinute, minContainedAgents };
}

/** What is the same exactly where the same limits are divided among as many partitions. */
export function limitsKey(whole: Allowance, partitions: number): string {
  return [partitions, ...LEASED_LIMITS.map((limit) => whole[limit])].join('/');
}

/** What a partition begins with: an equal part, and one more for the first ones where it does not divide. */
export function firstShare(whole: Allowance, { partition, partitions }: PartitionPlace): Allowance {
  return allowanceOf(
    (limit) => Math.floor(whole[limit] / partitions) + (partition < whole[limit] % partitions ? 1 : 0),
  );
}

export function allowanceOf(amount: (limit: LeasedLimit) => number): Allowance {
  return {
    commandsPerMinute: amount('commandsPerMinute'),
    totalCommandsPerMinute: amount('totalCommandsPerMinute'),
    minContainedAgents: amount('minContainedAgents'),
  };
}

/** Below 0 where `a` is of an earlier term than `b`, 0 where it is the same one. */
export function compareTerms(a: LeaseTerm, b: LeaseTerm): number {
  if (a.term !== b.term) return a.term - b.term;
  return a.holder === b.holder ? 0 : a.holder < b.holder ? -1 : 1;
}
