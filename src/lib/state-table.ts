import { createHash } from 'node:crypto';
import { Packr } from 'msgpackr';

/** Longest key stored as it is, UTF-16 code units; at most three times as many bytes. */
const MAX_PLAIN_KEY = 120;

const packr = new Packr({ structuredClone: true, moreTypes: true });

/** Bytes of a plain value (objects, arrays, Maps, Sets, typed arrays, numbers, text); `decodeState` gives it back. */
export function encodeState(value: unknown): Uint8Array {
  return packr.pack(value);
}

/** The value of bytes that `encodeState` made. The caller knows the type it put in under this key. */
export function decodeState(bytes: Uint8Array): unknown {
  return packr.unpack(bytes);
}

export interface StateTableOptions<V> {
  /** Key prefix; it belongs to this table alone. */
  prefix: string;
  /** Most entries kept in memory. Entries beyond it live in the store only. */
  capacity: number;
  /** Reads the stored bytes of a full key. */
  load: (key: string) => Uint8Array | undefined;
  /** Plain form of a value that is not plain itself (a class with private state), and the way back. */
  plain?: { to: (value: V) => unknown; from: (plain: unknown) => V };
}

/**
 * A keyed table whose entries live in memory while they are in use and in a durable store always: changes are
 * collected and handed over by `drain`, to be written in one transaction with everything else that changed.
 *
 * Forgetting an entry in memory never loses it, so the cap bounds memory without changing any result.
 */
export class StateTable<V> {
  readonly #options: StateTableOptions<V>;
  readonly #entries = new Map<string, V>();
  readonly #dirty = new Set<string>();
  readonly #deleted = new Set<string>();

  constructor(options: StateTableOptions<V>) {
    this.#options = options;
  }

  /** Entries in memory now. */
  get size(): number {
    return this.#entries.size;
  }

  /** The entry, from memory or the store. Call `touch` after changing it in place. */
  get(key: string): V | undefined {
    const held = this.#entries.get(key);
    if (held !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, held);
      return held;
    }
    if (this.#deleted.has(key)) return undefined;
    const bytes = this.#options.load(storedKey(this.#options.prefix, key));
    if (bytes === undefined) return undefined;
    // Only this table writes under its prefix, and only values of its own type.
    const stored = decodeState(bytes);
    const value = this.#options.plain === undefined ? (stored as V) : this.#options.plain.from(stored);
    this.#entries.set(key, value);
    return value;
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#deleted.delete(key);
    this.#dirty.add(key);
  }

  /** Marks an entry that was changed in place. */
  touch(key: string): void {
    if (this.#entries.has(key)) this.#dirty.add(key);
  }

  delete(key: string): void {
    this.#entries.delete(key);
    this.#dirty.delete(key);
    this.#deleted.add(key);
  }

  /**
   * Adds everything that changed since the last call to `puts` and `deletes`, and lets go of the least recently used
   * clean entries above the cap.
   */
  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    for (const key of this.#dirty) {
      const value = this.#entries.get(key);
      if (value === undefined) continue;
      const plain = this.#options.plain === undefined ? value : this.#options.plain.to(value);
      puts.push({ key: storedKey(this.#options.prefix, key), value: encodeState(plain) });
    }
    for (const key of this.#deleted) deletes.push(storedKey(this.#options.prefix, key));
    this.#dirty.clear();
    this.#deleted.clear();
    let excess = this.#entries.size - this.#options.capacity;
    if (excess <= 0) return;
    for (const key of this.#entries.keys()) {
      if (excess-- <= 0) break;
      this.#entries.delete(key);
    }
  }
}

/** Stores limit the length of keys, and parts of a key may come from outside: long ones are stored by their hash. */
export function storedKey(prefix: string, key: string): string {
  return prefix + (key.length <= MAX_PLAIN_KEY ? key : `#${createHash('sha256').update(key).digest('hex')}`);
}
