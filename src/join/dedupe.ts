import { hash53 } from '../lib/hash.js';

export interface IdRingOptions {
  /** Per-install secret: without it nobody can craft an id that suppresses another. Must survive a restart. */
  seed: number;
  /** How many of the newest ids are remembered. */
  capacity?: number;
  /** Prefix of the keys chunks are stored under. */
  prefix?: string;
}

/** Bytes to store under a key, and keys that are no longer needed. */
export interface IdChunk {
  puts: { key: string; value: Uint8Array }[];
  deletes: string[];
}

const DEFAULT_CAPACITY = 500_000;
/** Ids per stored chunk. The newest chunk is rewritten until it is full, so that small commits leave no crumbs. */
const CHUNK_IDS = 1_024;
const BYTES_PER_ID = 8;
const ORDINAL_DIGITS = 16;

/**
 * Remembers the newest ids as keyed 53-bit hashes: a ring in order of arrival and an open-addressing table over it,
 * both typed arrays (24 bytes an id). Two different ids collide with probability 2^-53, about 1 in 18 billion for
 * one id against a full ring.
 */
export class IdRing {
  readonly #seed: number;
  readonly #capacity: number;
  readonly #prefix: string;
  readonly #ring: Float64Array;
  readonly #table: Float64Array;
  readonly #mask: number;
  /** Ids added since the first start. */
  #added = 0;
  /** Ordinal up to which chunks were handed over. */
  #drained = 0;
  /** Ordinal of the first id of the oldest chunk that is still stored. */
  #oldestChunk = 0;

  constructor(options: IdRingOptions) {
    this.#seed = options.seed;
    this.#capacity = options.capacity ?? DEFAULT_CAPACITY;
    if (!Number.isInteger(this.#capacity) || this.#capacity < 1) {
      throw new RangeError('capacity: must be a whole number of ids, at least 1');
    }
    this.#prefix = options.prefix ?? 'join/ids/';
    this.#ring = new Float64Array(this.#capacity);
    let slots = 4;
    while (slots < 2 * this.#capacity) slots *= 2;
    this.#table = new Float64Array(slots);
    this.#mask = slots - 1;
  }

  /** Ids remembered now. */
  get size(): number {
    return Math.min(this.#added, this.#capacity);
  }

  /** Ids that were pushed out by newer ones. */
  get evicted(): number {
    return this.#added - this.size;
  }

  /**
   * Remembers an id.
   *
   * @param salt separates name spaces, such as emitters: equal ids with different salts are different
   * @returns false when it was known already
   */
  add(id: string, salt = 0): boolean {
    const hash = hash53(id, this.#seed ^ salt) || 1;
    if (this.#table[this.#slotOf(hash)] === hash) return false;
    this.#insert(hash);
    return true;
  }

  /** What was added since the last call, as bytes to store, and chunks that hold only forgotten ids. */
  drainChunk(): IdChunk {
    const change: IdChunk = { puts: [], deletes: [] };
    if (this.#drained === this.#added) return change;
    const oldest = this.#added - this.size;
    const from = Math.max(this.#drained, oldest);
    for (let first = from - (from % CHUNK_IDS); first < this.#added; first += CHUNK_IDS) {
      change.puts.push({ key: this.#chunkKey(first), value: this.#chunk(first) });
    }
    for (; this.#oldestChunk + CHUNK_IDS <= oldest; this.#oldestChunk += CHUNK_IDS) {
      if (this.#oldestChunk < this.#drained) change.deletes.push(this.#chunkKey(this.#oldestChunk));
    }
    this.#drained = this.#added;
    return change;
  }

  /** Takes up stored chunks, in any order. The ring must be new. */
  restore(chunks: Iterable<{ key: string; value: Uint8Array }>): void {
    const sorted = [...chunks].sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const [i, { key, value }] of sorted.entries()) {
      const first = Number(key.slice(this.#prefix.length));
      if (!Number.isSafeInteger(first) || value.byteLength % BYTES_PER_ID !== 0) {
        throw new Error(`${key}: not a chunk of ids; delete the scoring state and replay the log`);
      }
      if (i === 0) {
        this.#added = first;
        this.#oldestChunk = first;
      }
      const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
      for (let at = 0; at < value.byteLength; at += BYTES_PER_ID) {
        const hash = view.getFloat64(at, true);
        // A slot that the ring had already given away when the chunk was written.
        if (hash === 0) this.#added++;
        else this.#insert(hash);
      }
    }
    this.#drained = this.#added;
  }

  #insert(hash: number): void {
    const place = this.#added % this.#capacity;
    const old = this.#ring[place] ?? 0;
    if (old !== 0) this.#remove(old);
    this.#ring[place] = hash;
    this.#table[this.#slotOf(hash)] = hash;
    this.#added++;
  }

  /** Slot of the hash, or the free slot where it belongs. The upper 32 bits decide where the search begins. */
  #slotOf(hash: number): number {
    let slot = (hash / 0x200000) & this.#mask;
    for (;;) {
      const held = this.#table[slot];
      if (held === 0 || held === hash) return slot;
      slot = (slot + 1) & this.#mask;
    }
  }

  /** Deletes by shifting followers back (Knuth, vol. 3, 6.4, algorithm R), so that no tombstones pile up. */
  #remove(hash: number): void {
    const table = this.#table;
    let gap = this.#slotOf(hash);
    let slot = gap;
    for (;;) {
      slot = (slot + 1) & this.#mask;
      const held = table[slot] ?? 0;
      if (held === 0) break;
      const home = (held / 0x200000) & this.#mask;
      const isBetween = gap <= slot ? gap < home && home <= slot : gap < home || home <= slot;
      if (isBetween) continue;
      table[gap] = held;
      gap = slot;
    }
    table[gap] = 0;
  }

  #chunkKey(first: number): string {
    return this.#prefix + String(first).padStart(ORDINAL_DIGITS, '0');
  }

  #chunk(first: number): Uint8Array {
    const end = Math.min(first + CHUNK_IDS, this.#added);
    const oldest = this.#added - this.size;
    const bytes = new Uint8Array((end - first) * BYTES_PER_ID);
    const view = new DataView(bytes.buffer);
    for (let ordinal = Math.max(first, oldest); ordinal < end; ordinal++) {
      view.setFloat64((ordinal - first) * BYTES_PER_ID, this.#ring[ordinal % this.#capacity] ?? 0, true);
    }
    return bytes;
  }
}
