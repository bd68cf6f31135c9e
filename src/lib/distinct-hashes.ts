/** More different hashes than this are not kept apart: no caller looks at as many words of one text. */
const MAX_HASHES = 2_048;
const SLOTS = 2 * MAX_HASHES;

/**
 * Collects unsigned 32-bit hashes, each once, in the order in which they came. One table serves one text after the
 * other without being emptied, which a new Set for each text would cost.
 */
export class DistinctHashes {
  readonly #slots = new Int32Array(SLOTS);
  /** The round in which a slot was last taken. */
  readonly #rounds = new Int32Array(SLOTS);
  #round = 0;
  #hashes: number[] = [];

  /** Begins anew. */
  begin(): void {
    this.#hashes = [];
    if (this.#round === 0x7fffffff) {
      this.#rounds.fill(0);
      this.#round = 0;
    }
    this.#round++;
  }

  add(hash: number): void {
    const own = hash | 0;
    let slot = own & (SLOTS - 1);
    while (this.#rounds[slot] === this.#round) {
      if (this.#slots[slot] === own) return;
      slot = (slot + 1) & (SLOTS - 1);
    }
    if (this.#hashes.length >= MAX_HASHES) return;
    this.#rounds[slot] = this.#round;
    this.#slots[slot] = own;
    this.#hashes.push(hash);
  }

  /** What was collected since `begin`; the caller may keep it. */
  get hashes(): number[] {
    return this.#hashes;
  }
}
