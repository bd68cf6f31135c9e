/** Entries that the first table holds; it doubles from there. */
const SMALLEST = 4;
const NOTHING = new Uint32Array(0);

/**
 * Positive counts by 32-bit key in one flat array: open addressing with linear probing, keys beside their counts,
 * removal by moving back what follows. 11 to 22 bytes an entry where a `Map` takes forty and more, and nothing for the
 * collector to follow. A count of zero is no entry.
 */
export class CountTable {
  /** Key, count, key, count ...; a count of zero marks a free place. */
  #cells = NOTHING;
  /** Places less one. */
  #mask = -1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: number): number {
    if (this.#size === 0) return 0;
    return this.#cells[2 * this.#find(key) + 1] ?? 0;
  }

  /** @param count at most 2^32 - 1; zero removes the key @returns the count before */
  set(key: number, count: number): number {
    if (count === 0) {
      if (this.#size === 0) return 0;
      const place = this.#find(key);
      const before = this.#cells[2 * place + 1] ?? 0;
      this.#remove(place);
      return before;
    }
    this.reserve(this.#size + 1);
    const at = 2 * this.#find(key);
    const before = this.#cells[at + 1] ?? 0;
    if (before === 0) {
      this.#cells[at] = key;
      this.#size++;
    }
    this.#cells[at + 1] = count;
    return before;
  }

  /**
   * Adds to a count, in one search.
   *
   * @param mayInsert whether a key without a count may get one
   * @returns the count before; -1 where nothing changed, since no count falls below zero
   */
  add(key: number, by: 1 | -1, mayInsert: boolean): number {
    let place = this.#mask < 0 ? 0 : this.#find(key);
    const before = this.#cells[2 * place + 1] ?? 0;
    if (before === 0) {
      if (by < 0 || !mayInsert) return -1;
      if (this.reserve(this.#size + 1)) place = this.#find(key);
      this.#cells[2 * place] = key;
      this.#size++;
    }
    if (before + by === 0) this.#remove(place);
    else this.#cells[2 * place + 1] = before + by;
    return before;
  }

  /** Makes room for so many keys at once. @returns whether there was not enough of it */
  reserve(size: number): boolean {
    let places = Math.max(SMALLEST, this.#mask + 1);
    while (4 * size > 3 * places) places *= 2;
    if (places === this.#mask + 1) return false;
    this.#resize(places);
    return true;
  }

  /** In no particular order. Must not be changed meanwhile. */
  *entries(): Generator<[key: number, count: number]> {
    for (let at = 0; at < this.#cells.length; at += 2) {
      const count = this.#cells[at + 1] ?? 0;
      if (count > 0) yield [this.#cells[at] ?? 0, count];
    }
  }

  /** All keys in ascending order, and the count of each: the same counts always give the same arrays. */
  toSorted(): { keys: Uint32Array; counts: Uint32Array } {
    const keys = new Uint32Array(this.#size);
    let n = 0;
    for (let at = 0; at < this.#cells.length; at += 2) {
      if (this.#cells[at + 1] !== 0) keys[n++] = this.#cells[at] ?? 0;
    }
    keys.sort();
    return { keys, counts: keys.map((key) => this.get(key)) };
  }

  /** Where the key is, or where it belongs. The table always has a free place. */
  #find(key: number): number {
    let place = home(key) & this.#mask;
    while (this.#cells[2 * place + 1] !== 0 && this.#cells[2 * place] !== key) place = (place + 1) & this.#mask;
    return place;
  }

  #remove(hole: number): void {
    if (this.#cells[2 * hole + 1] === 0) return;
    this.#size--;
    let place = hole;
    for (;;) {
      place = (place + 1) & this.#mask;
      if (this.#cells[2 * place + 1] === 0) break;
      // It may move back only as far as its own home.
      const fromHome = (place - home(this.#cells[2 * place] ?? 0)) & this.#mask;
      if (fromHome < ((place - hole) & this.#mask)) continue;
      this.#cells.copyWithin(2 * hole, 2 * place, 2 * place + 2);
      hole = place;
    }
    this.#cells[2 * hole + 1] = 0;
  }

  #resize(places: number): void {
    const old = this.#cells;
    this.#cells = new Uint32Array(2 * places);
    this.#mask = places - 1;
    for (let at = 0; at < old.length; at += 2) {
      const count = old[at + 1] ?? 0;
      if (count === 0) continue;
      const key = old[at] ?? 0;
      const to = 2 * this.#find(key);
      this.#cells[to] = key;
      this.#cells[to + 1] = count;
    }
  }
}

/** Spreads keys whose low bits are alike (multiplicative hashing, Knuth). */
function home(key: number): number {
  const h = Math.imul(key, 0x9e3779b1);
  return h ^ (h >>> 15);
}
