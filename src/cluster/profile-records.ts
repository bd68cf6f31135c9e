import { z } from 'zod';
import { isOwnContribution, MAX_CONTRIBUTION_CHARS, type ClassContribution } from '../baseline/class-profile.js';
import { STATE_FORMAT } from '../baseline/packed-state.js';
import type { SealedPlace, StateSeal } from '../baseline/state-seal.js';
import type { KafkaRecord, ReceivedRecord } from '../kafka/port.js';

/** Longest value that is looked at: a contribution, and what says whose it is. */
const MAX_VALUE_BYTES = MAX_CONTRIBUTION_CHARS + 16 * 1024;
const MAX_NAME_CHARS = 1_024;

const name = z.string().max(MAX_NAME_CHARS);
const place = { tenant: name, agentClass: name, seal: z.string().max(128) };
const contributionSchema = z.object({
  ...place,
  partition: z.number().int().min(0),
  changes: z.number().int().min(0),
  format: z.number().int(),
  state: z.string().max(MAX_CONTRIBUTION_CHARS),
});
const givenOutSchema = z.object({ ...place, version: z.string().max(128), at: z.number().int().min(0) });

/** Says that a version of a class is in every partition's log: whoever leads next need not write it again. */
export interface GivenOut {
  tenant: string;
  agentClass: string;
  version: string;
  /** When it was, epoch ms. */
  at: number;
}

/** Why a record of the topic counts for nothing. */
export const DROP_REASONS = ['unreadable', 'tampered', 'elsewhere', 'full'] as const;
export type DropReason = (typeof DROP_REASONS)[number];

export type ProfileRecord = { contribution: ClassContribution } | { givenOut: GivenOut } | { dropped: DropReason };

/** A contribution's place is its key: the topic keeps the last of each. */
export function contributionRecord(topic: string, contribution: ClassContribution): KafkaRecord {
  const { tenant, agentClass, partition } = contribution;
  return recordOf(topic, [tenant, agentClass, partition], contribution);
}

export function givenOutRecord(topic: string, givenOut: GivenOut, seal: StateSeal): KafkaRecord {
  const { tenant, agentClass, version } = givenOut;
  return recordOf(topic, [tenant, agentClass], { ...givenOut, seal: seal.seal(sealedPlace(givenOut), version) });
}

/**
 * Reads a record of the topic. Only what this install has sealed, under the key that it was written with, is let
 * through: contributions are decoded by what trusts its input.
 *
 * @param partitions how many there are
 */
export function readProfileRecord({ key, value }: ReceivedRecord, seal: StateSeal, partitions: number): ProfileRecord {
  if (key === null || value === null || value.byteLength > MAX_VALUE_BYTES) return { dropped: 'unreadable' };
  let plain: unknown;
  try {
    plain = JSON.parse(Buffer.from(value).toString('utf8'));
  } catch {
    return { dropped: 'unreadable' };
  }
  const isUnder = (parts: readonly unknown[]): boolean => Buffer.from(key).toString('utf8') === JSON.stringify(parts);
  const contribution = contributionSchema.safeParse(plain).data;
  if (contribution !== undefined) {
    const { tenant, agentClass, partition, format } = contribution;
    // Of a node of another version of this program, while they are upgraded one after the other.
    if (format !== STATE_FORMAT) return { dropped: 'unreadable' };
    if (!isUnder([tenant, agentClass, partition]) || !isOwnContribution(contribution, seal)) {
      return { dropped: 'tampered' };
    }
    return partition < partitions ? { contribution } : { dropped: 'elsewhere' };
  }
  const givenOut = givenOutSchema.safeParse(plain).data;
  if (givenOut === undefined) return { dropped: 'unreadable' };
  const { tenant, agentClass, version, seal: found } = givenOut;
  const isOwn = isUnder([tenant, agentClass]) && seal.isIntact(sealedPlace(givenOut), version, found);
  return isOwn ? { givenOut } : { dropped: 'tampered' };
}

function recordOf(topic: string, key: readonly unknown[], value: unknown): KafkaRecord {
  return { topic, partition: 0, key: Buffer.from(JSON.stringify(key)), value: Buffer.from(JSON.stringify(value)) };
}

function sealedPlace({ tenant, agentClass, at }: GivenOut): SealedPlace {
  return { tenant, agentId: JSON.stringify(['class-version', agentClass]), version: at };
}
