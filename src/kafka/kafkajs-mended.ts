/**
 * kafkajs with what is known to be wrong in it mended. It has had no release since 2023 and is pinned to one version, so
 * its inner modules can be replaced before they are first used; each replacement says which fault it counters. The tests
 * beside the real broker fail when one of them does not take hold.
 */
import { createRequire } from 'node:module';
import type * as KafkaJs from 'kafkajs';
import { CODECS, MAX_BATCH_BYTES } from './codec/codecs.js';
import { crc32c } from './codec/crc32c.js';
import { readRecordSet, type FetchedMessage } from './record-set.js';

const load = createRequire(import.meta.url);

/** What the group has to know of a membership, and the library does not tell. */
export interface Membership {
  generation: number;
  /** Commits in the name of exactly this generation. One try: the library would try again under the next one. */
  commit(topics: CommitTopic[]): Promise<void>;
  /** Tells the coordinator that the member lives. The library does so only between fetches. */
  heartbeat(): Promise<void>;
  /** Called, instead of a silent reset that is also committed, when an offset is not in the log. */
  onOutOfRange: ((topic: string, partition: number, asked: number, logStart: number) => void) | undefined;
}

export interface CommitTopic {
  topic: string;
  partitions: { partition: number; offset: string; metadata: string | null }[];
}

/** What is mended once in a process, however often this file is loaded there. */
interface Mended {
  library: typeof KafkaJs;
  /** By member id; taken when the group tells that the member joined. */
  memberships: Map<string, Membership>;
}
const held = globalThis as typeof globalThis & { parallaxKafkaJs?: Mended };

/** The membership that a member has just got. */
export function takeMembership(memberId: string): Membership | undefined {
  const membership = memberships.get(memberId);
  memberships.delete(memberId);
  return membership;
}

// The library's own types end at its public face: what follows is the part of its insides that is touched.
interface Decoder {
  readInt32(): number;
  canReadBytes(count: number): boolean;
  readBytes(count: number): Buffer;
}
interface OffsetManager {
  groupId: string;
  generationId: number;
  memberId: string;
  getCoordinator(): Promise<{
    heartbeat(options: { groupId: string; memberId: string; groupGenerationId: number }): Promise<unknown>;
  }>;
  topicConfigurations: Record<string, { fromBeginning: boolean }>;
  cluster: {
    fetchTopicsOffset(
      topics: { topic: string; partitions: { partition: number }[]; fromBeginning: boolean }[],
    ): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>;
  };
  resolvedOffsets: Record<string, Record<number, string>>;
  committedOffsets(): Record<string, Record<number, string>>;
  commitOffsets(offsets: { topics: CommitTopic[] }): Promise<void>;
}
type OffsetManagerClass = new (options: unknown) => OffsetManager;
interface Message {
  partition?: number;
}
interface FetchRequest {
  requestTimeout: number;
}
type FetchProtocol = (options: { version: number }) => (request: unknown) => FetchRequest;

/** The library gives a fetch 100 ms beyond its waiting time, which a busy machine exceeds. */
const FETCH_GRACE_MS = 30_000;

const { library, memberships } = (held.parallaxKafkaJs ??= mend());
export const { Kafka, logLevel, CompressionTypes, ConfigResourceTypes, ConfigSource } = library;

function mend(): Mended {
  const memberships = new Map<string, Membership>();
  // First, because the next ones load what uses it.
  replace('kafkajs/src/protocol/recordBatch/crc32C', () => crc32c);
  replace('kafkajs/src/protocol/requests/fetch/v4/decodeMessages', (): unknown => readMessages);
  replace('kafkajs/src/producer/groupMessagesPerPartition', (): unknown => groupByPartition);
  replace('kafkajs/src/consumer/offsetManager', (original): unknown =>
    withoutSilentReset(original as unknown as OffsetManagerClass, memberships),
  );
  replace('kafkajs/src/protocol/requests/fetch', (original): unknown => {
    const { versions, protocol } = original as unknown as { versions: string[]; protocol: FetchProtocol };
    return { versions, protocol: (options: { version: number }) => patiently(protocol(options)) };
  });

  const library = load('kafkajs') as typeof KafkaJs;

  for (const [number, codec] of CODECS) {
    const forLibrary = {
      compress: async (encoder: { buffer: Buffer }) => codec.compress(encoder.buffer),
      decompress: async (data: Buffer) => codec.decompress(data, MAX_BATCH_BYTES),
    };
    Object.assign(library.CompressionCodecs, { [number]: () => forLibrary });
  }
  return { library, memberships };
}

/** Puts a module of the library's own in the place of another, before anything else has loaded it. */
function replace(name: string, make: (original: object) => unknown): void {
  const path = load.resolve(name);
  const original = load(path) as object;
  const entry = load.cache[path];
  if (entry === undefined) throw new Error(`${name} was not loaded as a module of its own`);
  entry.exports = make(original);
}

/** Checks every batch and bounds it; one that cannot be read does not take the others with it. */
async function readMessages(decoder: Decoder): Promise<FetchedMessage[]> {
  const size = decoder.readInt32();
  if (size <= 0 || !decoder.canReadBytes(size)) return [];
  return readRecordSet(decoder.readBytes(size));
}

/** The library copies the list for every message: ten thousand messages take a minute. Here they are only sorted. */
function groupByPartition({ messages }: { messages: readonly Message[] }): Record<number, Message[]> {
  const groups: Record<number, Message[]> = {};
  for (const message of messages) {
    if (message.partition === undefined) throw new Error('every message must name its partition');
    (groups[message.partition] ??= []).push(message);
  }
  return groups;
}

/**
 * When an offset is not in the log, the library commits "the beginning" over the offset that was committed, and reads
 * on as if nothing had been. Here reading goes on at the beginning, nothing is committed, and the group is told.
 */
function withoutSilentReset(Original: OffsetManagerClass, memberships: Map<string, Membership>): OffsetManagerClass {
  return class extends Original {
    readonly #membership: Membership;

    constructor(options: unknown) {
      super(options);
      this.#membership = {
        generation: this.generationId,
        commit: (topics) => this.commitOffsets({ topics }),
        heartbeat: async () => {
          const { groupId, memberId, generationId } = this;
          await (await this.getCoordinator()).heartbeat({ groupId, memberId, groupGenerationId: generationId });
        },
        onOutOfRange: undefined,
      };
      memberships.set(this.memberId, this.#membership);
    }

    async setDefaultOffset({ topic, partition }: { topic: string; partition: number }): Promise<void> {
      const [found] = await this.cluster.fetchTopicsOffset([
        { topic, partitions: [{ partition }], fromBeginning: true },
      ]);
      const offset = found?.partitions[0]?.offset;
      if (offset === undefined) return;
      const committed = this.committedOffsets()[topic];
      const resolved = this.resolvedOffsets[topic];
      const asked = Number(resolved?.[partition] ?? committed?.[partition] ?? -1);
      if (committed !== undefined) committed[partition] = offset;
      if (resolved !== undefined) resolved[partition] = offset;
      this.#membership.onOutOfRange?.(topic, partition, asked, Number(offset));
    }
  };
}

function patiently(make: (request: unknown) => FetchRequest): (request: unknown) => FetchRequest {
  return (request) => {
    const made = make(request);
    return { ...made, requestTimeout: made.requestTimeout + FETCH_GRACE_MS };
  };
}
