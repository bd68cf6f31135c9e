/** So few hashes are looked through one by one. */
const LISTED = 8;

/**
 * Distinct unsigned 32-bit hashes in the order in which they came, in two flat arrays: 6 to 16 bytes a hash where a
 * `Set` takes thirty and more, and nothing for the collector to follow. Nothing is ever removed; it holds up to 65,535.
 */
export class HashSet {
  #hashes = NOTHING;
  /** Open addressing with linear probing: place of the hash among the hashes, from 1; 0 where free. */
  #slots = NO_SLOTS;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(hash: number): boolean {
    if (this.#size > LISTED) return this.#slots[this.#slotOf(hash)] !== 0;
    for (let i = 0; i < this.#size; i++) if (this.#hashes[i] === hash) return true;
    return false;
  }

  /** @param limit most hashes held: above it nothing is added */
  addAll(hashes: Iterable<number>, limit: number): void {
    for (const hash of hashes) {
      if (this.#size >= limit) return;
      this.add(hash);
    }
  }

  add(hash: number): void {
    if (this.#size < LISTED ? this.has(hash) : this.#isHeld(hash)) return;
    if (this.#size === this.#hashes.length) {
      const longer = new Uint32Array(Math.max(LISTED, 2 * this.#size));
      longer.set(this.#hashes);
      this.#hashes = longer;
    }
    this.#hashes[this.#size++] = hash;
    if (this.#slots.length > 0) this.#slots[this.#slotOf(hash)] = this.#size;
  }

  /** In the order in which they came. It is no copy: it holds until something is added. */
  values(): Uint32Array {
    return this.#hashes.subarray(0, this.#size);
  }

  /** Before a hash is added to eight or more. */
  #isHeld(hash: number): boolean {
    if (2 * (this.#size + 1) > this.#slots.length) {
      this.#slots = new Uint16Array(Math.max(4 * LISTED, 2 * this.#slots.length));
      for (let i = 0; i < this.#size; i++) this.#slots[this.#slotOf(this.#hashes[i] ?? 0)] = i + 1;
    }
    return this.#slots[this.#slotOf(hash)] !== 0;
  }

  /** Where the hash is, or belongs. There is always a free slot. */
  #slotOf(hash: number): number {
    const mask = this.#slots.length - 1;
    const spread = Math.imul(hash, 0x9e3779b1);
    let slot = (spread ^ (spread >>> 15)) & mask;
    for (;;) {
      const place = this.#slots[slot] ?? 0;
      if (place === 0 || this.#hashes[place - 1] === hash) return slot;
      slot = (slot + 1) & mask;
    }
  }
}

const NOTHING = new Uint32Array(0);
const NO_SLOTS = new Uint16Array(0);
