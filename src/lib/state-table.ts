import { createHash } from 'node:crypto';
import { Packr } from 'msgpackr';
import { LatePut } from './late-put.js';

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

/** One entry to be stored. Its value may be made only when it is asked for. */
export interface StatePut {
  readonly key: string;
  readonly value: Uint8Array;
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
  /** Values are held and changed elsewhere too, without `get`: they are encoded when they are handed over. */
  isShared?: boolean;
}

/**
 * A keyed table whose entries live in memory while they are in use and in a durable store always: changes are
 * collected and handed over by `drain`, to be written in one transaction with everything else that changed.
 *
 * Forgetting an entry in memory never loses it, so the cap bounds memory without changing any result. An entry that was
 * handed over is encoded later, or when it is next asked for: so it must not be changed but after `get`.
 */
export class StateTable<V> {
  readonly #options: StateTableOptions<V>;
  readonly #entries = new Map<string, V>();
  readonly #dirty = new Set<string>();
  readonly #deleted = new Set<string>();
  /** New entries that the store has not got: their end needs no delete. */
  readonly #unstored = new Set<string>();
  /** The key that was last looked for in the store in vain. */
  #missed: string | undefined;
  /** Handed over and not encoded yet. */
  readonly #late = new Map<string, { put: LatePut; value: V }>();

  constructor(options: StateTableOptions<V>) {
    this.#options = options;
  }

  /** Entries in memory now. */
  get size(): number {
    return this.#entries.size;
  }

  /** The entry, from memory or the store. Call `touch` after changing it in place. */
  get(key: string): V | undefined {
    if (this.#late.size > 0) this.#fix(key);
    const held = this.#entries.get(key);
    if (held !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, held);
      return held;
    }
    if (this.#deleted.has(key)) return undefined;
    const bytes = this.#options.load(storedKey(this.#options.prefix, key));
    if (bytes === undefined) {
      this.#missed = key;
      return undefined;
    }
    // Only this table writes under its prefix, and only values of its own type.
    const stored = decodeState(bytes);
    const value = this.#options.plain === undefined ? (stored as V) : this.#options.plain.from(stored);
    this.#entries.set(key, value);
    return value;
  }

  set(key: string, value: V): void {
    if (this.#late.size > 0) this.#fix(key);
    if (key === this.#missed) this.#unstored.add(key);
    this.#missed = undefined;
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
    if (this.#late.size > 0) this.#fix(key);
    this.#entries.delete(key);
    this.#dirty.delete(key);
    if (!this.#unstored.delete(key)) this.#deleted.add(key);
  }

  /**
   * Adds everything that changed since the last call to `puts` and `deletes`, and lets go of the least recently used
   * clean entries above the cap. What was not read of the last call is encoded now.
   */
  drain(puts: StatePut[], deletes: string[]): void {
    for (const { put } of this.#late.values()) put.fix();
    for (const key of this.#dirty) {
      const value = this.#entries.get(key);
      if (value !== undefined) puts.push(this.#handOver(key, value));
    }
    for (const key of this.#deleted) deletes.push(storedKey(this.#options.prefix, key));
    this.#dirty.clear();
    this.#deleted.clear();
    this.#unstored.clear();
    this.#missed = undefined;
    let excess = this.#entries.size - this.#options.capacity;
    if (excess <= 0) return;
    for (const key of this.#entries.keys()) {
      if (excess-- <= 0) break;
      this.#entries.delete(key);
    }
  }

  #handOver(key: string, value: V): LatePut {
    const put = new LatePut(() => {
      this.#late.delete(key);
      const plain = this.#options.plain === undefined ? value : this.#options.plain.to(value);
      return { key: storedKey(this.#options.prefix, key), value: encodeState(plain) };
    });
    if (this.#options.isShared === true) put.fix();
    else this.#late.set(key, { put, value });
    return put;
  }

  /** Encodes an entry that may be changed now. One that left memory since it was handed over comes back. */
  #fix(key: string): void {
    const late = this.#late.get(key);
    if (late === undefined) return;
    late.put.fix();
    if (!this.#entries.has(key)) this.#entries.set(key, late.value);
  }
}

/** Stores limit the length of keys, and parts of a key may come from outside: long ones are stored by their hash. */
export function storedKey(prefix: string, key: string): string {
  return prefix + (key.length <= MAX_PLAIN_KEY ? key : `#${createHash('sha256').update(key).digest('hex')}`);
}
