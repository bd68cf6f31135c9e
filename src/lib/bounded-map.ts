/**
 * A map with a hard cap that forgets the least recently used entry first.
 *
 * Built on the insertion order of `Map`: a touched key is deleted and set again, so the first key is always the
 * oldest. Deterministic: the same calls in the same order evict the same keys.
 */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #capacity: number;
  readonly #onEvict: (key: K, value: V) => void;
  /** Kept alive between evictions: a new iterator would step over all the holes at the front again. */
  #oldest = this.#entries.entries();
  #evicted = 0;

  /**
   * @param capacity most entries held, at least 1
   * @param onEvict told of each entry that is pushed out by a newer one
   */
  constructor(capacity: number, onEvict: (key: K, value: V) => void = () => {}) {
    if (!Number.isInteger(capacity) || capacity < 1) throw new RangeError('capacity must be a positive integer');
    this.#capacity = capacity;
    this.#onEvict = onEvict;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Entries pushed out so far. */
  get evicted(): number {
    return this.#evicted;
  }

  /** The value of `key`, which becomes the most recently used. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  /** The value of `key` without touching the order. */
  peek(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#capacity) this.#evictOldest();
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }

  /** From least to most recently used. */
  entries(): IterableIterator<[K, V]> {
    return this.#entries.entries();
  }

  /** From least to most recently used. */
  values(): IterableIterator<V> {
    return this.#entries.values();
  }

  #evictOldest(): void {
    let oldest = this.#oldest.next();
    if (oldest.done === true) {
      this.#oldest = this.#entries.entries();
      oldest = this.#oldest.next();
    }
    if (oldest.done === true) return;
    const [key, value] = oldest.value;
    this.#entries.delete(key);
    this.#evicted++;
    this.#onEvict(key, value);
  }
}
