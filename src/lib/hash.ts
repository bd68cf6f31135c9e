import { createHash } from 'node:crypto';

/**
 * MurmurHash3 x86 32-bit over the UTF-16 code units of a string (two bytes each, little endian).
 *
 * Source: Austin Appleby's public-domain MurmurHash3. Keyed by `seed`: with a per-install secret seed an outsider
 * cannot craft colliding values.
 *
 * @returns an unsigned 32-bit integer
 */
export function murmur32(text: string, seed: number): number {
  return murmur32Between(text, { start: 0, end: text.length }, seed);
}

/** As `murmur32`, of the part of a text from `start` to before `end`, without cutting it out. */
export function murmur32Between(text: string, { start, end }: { start: number; end: number }, seed: number): number {
  let h = seed | 0;
  const length = end - start;
  for (let i = start; i < end - 1; i += 2) {
    let k = text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16) | 0;
    k = Math.imul(k, 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    h ^= Math.imul(k, 0x1b873593);
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  if (length & 1) {
    let k = Math.imul(text.charCodeAt(end - 1), 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    h ^= Math.imul(k, 0x1b873593);
  }
  h ^= length * 2;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A 53-bit keyed hash as an exact JavaScript number: wide enough that accidental collisions do not matter. */
export function hash53(text: string, seed: number): number {
  return murmur32(text, seed) * 0x200000 + (murmur32(text, seed ^ 0x5bd1e995) >>> 11);
}

/**
 * A short stable identifier for facts that replay must reproduce: the same parts give the same id on every machine.
 *
 * @param prefix what is identified, e.g. `inc`
 * @param parts the facts; joined with a separator that cannot occur in them unescaped
 */
export function stableId(prefix: string, ...parts: (string | number)[]): string {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  return `${prefix}_${digest.slice(0, 24)}`;
}
