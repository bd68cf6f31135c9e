import { agentKey } from '../model/record-key.js';

/**
 * The 32-bit MurmurHash2 of Kafka's default partitioner (`org.apache.kafka.common.utils.Utils.murmur2`).
 *
 * @returns a signed number, as in Java
 */
export function murmur2(data: Uint8Array): number {
  const M = 0x5bd1e995;
  const { length } = data;
  const byte = (index: number): number => data[index] ?? 0;
  let hash = (0x9747b28c ^ length) | 0;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let k = byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    hash = Math.imul(hash, M) ^ Math.imul(k, M);
  }
  const rest = length - at;
  if (rest === 3) hash ^= byte(at + 2) << 16;
  if (rest >= 2) hash ^= byte(at + 1) << 8;
  if (rest >= 1) hash = Math.imul(hash ^ byte(at), M);
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}

/** The partition that Kafka's default partitioner gives a key. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitions;
}

/** The partition in which all records of an agent are. */
export function partitionOf(tenant: string, agentId: string, partitions: number): number {
  return partitionOfKey(Buffer.from(agentKey(tenant, agentId)), partitions);
}
