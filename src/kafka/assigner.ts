import { AssignerProtocol, type GroupMember, type GroupMemberAssignment, type PartitionAssigner } from 'kafkajs';
import type { TopicPartition } from './port.js';

const { MemberAssignment, MemberMetadata } = AssignerProtocol;
/** Of the protocol of consumers; 0 has nothing behind the user data, which brokers read along. */
const VERSION = 0;

/** What a member tells the one that assigns: what it owns, and since when. */
export interface Holding {
  generation: number;
  partitions: number[];
}

/**
 * Partition N of all topics goes to one member. Members keep what they own as far as an even share allows, so that a
 * rebalance moves few partitions: each one moved is state that has to be restored elsewhere.
 *
 * @param holding what this member owns when it joins
 */
export function colocated(holding: () => Holding): PartitionAssigner {
  return ({ cluster }) => ({
    name: 'parallax-colocated',
    version: VERSION,
    protocol: ({ topics }) => ({
      name: 'parallax-colocated',
      metadata: MemberMetadata.encode({ version: VERSION, topics, userData: encodeHolding(holding()) }),
    }),
    assign: async ({ members, topics }) => {
      const counts = topics.map((topic) => ({ topic, count: cluster.findTopicPartitionMetadata(topic).length }));
      const count = Math.max(0, ...counts.map((each) => each.count));
      const owners = distribute(
        count,
        members.map((member) => ({ id: member.memberId, ...holdingOf(member) })),
      );
      return members.map(({ memberId }) => {
        const own = owners.get(memberId) ?? [];
        return encodeAssignment(
          memberId,
          counts.map((each) => ({ topic: each.topic, partitions: own.filter((partition) => partition < each.count) })),
        );
      });
    },
  });
}

/** Every member reads everything. */
export function everything(): PartitionAssigner {
  return ({ cluster }) => ({
    name: 'parallax-everything',
    version: VERSION,
    protocol: ({ topics }) => ({
      name: 'parallax-everything',
      metadata: MemberMetadata.encode({ version: VERSION, topics, userData: Buffer.alloc(0) }),
    }),
    assign: async ({ members, topics }) =>
      members.map(({ memberId }) =>
        encodeAssignment(
          memberId,
          topics.map((topic) => ({
            topic,
            partitions: cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId),
          })),
        ),
      ),
  });
}

/**
 * Shares `count` partitions evenly among members.
 *
 * @param members in any order; what two of them claim goes to the one with the newer generation
 * @returns partitions in ascending order, by member
 */
export function distribute(count: number, members: readonly ({ id: string } & Holding)[]): Map<string, number[]> {
  const sorted = [...members].sort((a, b) => b.generation - a.generation || (a.id < b.id ? -1 : 1));
  const taken = new Set<number>();
  const claims = new Map<string, number[]>();
  for (const { id, partitions } of sorted) {
    const valid = [...new Set(partitions)].filter((each) => each >= 0 && each < count && !taken.has(each));
    for (const partition of valid) taken.add(partition);
    claims.set(
      id,
      valid.sort((a, b) => a - b),
    );
  }
  // The larger shares go to those who own most already: fewer partitions move.
  const byClaim = [...claims.keys()].sort(
    (a, b) => (claims.get(b)?.length ?? 0) - (claims.get(a)?.length ?? 0) || (a < b ? -1 : 1),
  );
  const quotas = new Map(
    byClaim.map((id, index) => [id, Math.floor(count / byClaim.length) + Number(index < count % byClaim.length)]),
  );
  const owners = new Map<string, number[]>();
  const kept = new Set<number>();
  for (const [id, claim] of claims) {
    const own = claim.slice(0, quotas.get(id) ?? 0);
    for (const partition of own) kept.add(partition);
    owners.set(id, own);
  }
  const free = Array.from({ length: count }, (_, partition) => partition).filter((each) => !kept.has(each));
  for (const id of byClaim) {
    const own = owners.get(id) ?? [];
    while (own.length < (quotas.get(id) ?? 0)) {
      const next = free.shift();
      if (next === undefined) break;
      own.push(next);
    }
    owners.set(
      id,
      own.sort((a, b) => a - b),
    );
  }
  return owners;
}

/** The partitions that are owned in all of the topics they exist in. */
export function holdingFrom(generation: number, owned: readonly TopicPartition[]): Holding {
  return { generation, partitions: [...new Set(owned.map(({ partition }) => partition))] };
}

function encodeHolding({ generation, partitions }: Holding): Buffer {
  const bytes = Buffer.alloc(4 + 4 * partitions.length);
  bytes.writeUInt32BE(generation, 0);
  for (const [index, partition] of partitions.entries()) bytes.writeUInt32BE(partition, 4 + 4 * index);
  return bytes;
}

/** Another member may be of another version, or hostile: what cannot be read is nothing. */
function holdingOf({ memberMetadata }: GroupMember): Holding {
  const nothing = { generation: 0, partitions: [] };
  try {
    const data = MemberMetadata.decode(memberMetadata)?.userData;
    if (data === undefined || data.length < 4 || data.length % 4 !== 0) return nothing;
    const partitions: number[] = [];
    for (let at = 4; at < data.length; at += 4) partitions.push(data.readUInt32BE(at));
    return { generation: data.readUInt32BE(0), partitions };
  } catch {
    return nothing;
  }
}

function encodeAssignment(
  memberId: string,
  topics: readonly { topic: string; partitions: number[] }[],
): GroupMemberAssignment {
  const assignment = Object.fromEntries(topics.map(({ topic, partitions }) => [topic, partitions]));
  return {
    memberId,
    memberAssignment: MemberAssignment.encode({ version: VERSION, assignment, userData: Buffer.alloc(0) }),
  };
}
