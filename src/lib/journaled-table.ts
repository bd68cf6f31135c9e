import { LatePut } from './late-put.js';
import { decodeState, encodeState, storedKey, type StatePut } from './state-table.js';

export interface JournaledTableOptions<V, C> {
  /** Name of the table, without a slash. It owns the prefixes `name/` and `name-change/`. */
  name: string;
  /** Most entries kept in memory. Entries beyond it live in the store only. */
  capacity: number;
  /** Reads the stored bytes of a full key. */
  load: (key: string) => Uint8Array | undefined;
  /** Plain form of a value, and the way back. */
  plain: { to: (value: V) => unknown; from: (plain: unknown) => V };
  /** Plain form of a change, and the way back. */
  change: { to: (change: C) => unknown; from: (plain: unknown) => C };
  /** Makes a change: the same changes of the same value in the same order must give the same value. */
  apply: (value: V, change: C) => void;
}

/** What is stored of an entry: it as a whole, at the time of the change `from`. */
export interface Snapshot {
  plain: unknown;
  from: number;
}

interface Entry<V, C> {
  value: V;
  /** Numbers of the stored changes since the snapshot: `from` to `next` - 1, several changes under each. */
  from: number;
  next: number;
  snapshotBytes: number;
  changeBytes: number;
  pending: C[];
}

/**
 * Like `StateTable`, for large values that change a little at a time: stored are a snapshot and what changed since, and
 * a new snapshot only when the changes have become as large as the last one. So what is written is at most about twice
 * the changes, and what is read at most about twice the value.
 */
export class JournaledTable<V, C> {
  readonly #options: JournaledTableOptions<V, C>;
  readonly #entries = new Map<string, Entry<V, C>>();
  readonly #dirty = new Set<string>();
  /** Full keys to be deleted from the store. */
  readonly #deletes = new Set<string>();
  readonly #deleted = new Set<string>();
  /** Handed over and not encoded yet. */
  readonly #late = new Map<string, { put: LatePut; entry: Entry<V, C> }>();

  constructor(options: JournaledTableOptions<V, C>) {
    this.#options = options;
  }

  /** The entry, from memory or the store; to be changed through `change` alone. */
  get(key: string): V | undefined {
    return this.#entry(key)?.value;
  }

  /** The entry as it is, for looking only: what is not in memory is read and not kept there. */
  peek(key: string): V | undefined {
    const held = this.#entries.get(key) ?? this.#late.get(key)?.entry;
    return (held ?? this.#load(key))?.value;
  }

  /** Makes a change to an entry that is there. @returns its value; undefined where there is no such entry */
  change(key: string, change: C): V | undefined {
    const entry = this.#entry(key);
    if (entry === undefined) return undefined;
    this.#options.apply(entry.value, change);
    entry.pending.push(change);
    this.#dirty.add(key);
    return entry.value;
  }

  /** Adds an entry that is not there yet. */
  add(key: string, value: V): void {
    this.#entries.set(key, { value, from: 0, next: 0, snapshotBytes: 0, changeBytes: 0, pending: [] });
    this.#dirty.add(key);
    this.#deletes.delete(this.#snapshotKey(key));
  }

  delete(key: string): void {
    const entry = this.#entry(key);
    if (entry === undefined) return;
    for (const stored of [this.#snapshotKey(key), ...this.#changeKeys(key, entry)]) this.#deletes.add(stored);
    this.#entries.delete(key);
    this.#dirty.delete(key);
    this.#deleted.add(key);
  }

  /**
   * Adds everything that changed since the last call to `puts` and `deletes`, and lets go of the least recently used
   * entries above the cap. What was not read of the last call is encoded now; reading the puts may add to `deletes`.
   */
  drain(puts: StatePut[], deletes: string[]): void {
    for (const { put } of this.#late.values()) put.fix();
    // One by one: there may be more of them than a call takes arguments.
    for (const key of this.#deletes) deletes.push(key);
    this.#deletes.clear();
    this.#deleted.clear();
    for (const key of this.#dirty) {
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      const put = new LatePut(() => {
        this.#late.delete(key);
        return this.#store(key, entry, deletes);
      });
      this.#late.set(key, { put, entry });
      puts.push(put);
    }
    this.#dirty.clear();
    let excess = this.#entries.size - this.#options.capacity;
    for (const key of this.#entries.keys()) {
      if (excess-- <= 0) break;
      this.#entries.delete(key);
    }
  }

  #store(key: string, entry: Entry<V, C>, deletes: string[]): StatePut {
    if (entry.snapshotBytes > 0) {
      const value = encodeState(entry.pending.map((change) => this.#options.change.to(change)));
      if (entry.changeBytes + value.length <= entry.snapshotBytes) {
        entry.changeBytes += value.length;
        entry.pending = [];
        return { key: this.#changeKey(key, entry.next++), value };
      }
    }
    const snapshot: Snapshot = { plain: this.#options.plain.to(entry.value), from: entry.next };
    const value = encodeState(snapshot);
    deletes.push(...this.#changeKeys(key, entry));
    Object.assign(entry, { from: entry.next, snapshotBytes: value.length, changeBytes: 0, pending: [] });
    return { key: this.#snapshotKey(key), value };
  }

  /** Encodes an entry that may be changed now. One that left memory since it was handed over comes back. */
  #fix(key: string): void {
    const late = this.#late.get(key);
    if (late === undefined) return;
    late.put.fix();
    if (!this.#entries.has(key)) this.#entries.set(key, late.entry);
  }

  #entry(key: string): Entry<V, C> | undefined {
    if (this.#late.size > 0) this.#fix(key);
    const held = this.#entries.get(key);
    if (held !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, held);
      return held;
    }
    const entry = this.#load(key);
    if (entry !== undefined) this.#entries.set(key, entry);
    return entry;
  }

  #load(key: string): Entry<V, C> | undefined {
    const bytes = this.#deleted.has(key) ? undefined : this.#options.load(this.#snapshotKey(key));
    if (bytes === undefined) return undefined;
    // Only this table writes under its prefixes, and only snapshots and changes of its own type.
    const { plain, from } = decodeState(bytes) as Snapshot;
    const value = this.#options.plain.from(plain);
    const entry: Entry<V, C> = { value, from, next: from, snapshotBytes: bytes.length, changeBytes: 0, pending: [] };
    for (;;) {
      const more = this.#options.load(this.#changeKey(key, entry.next));
      if (more === undefined) break;
      for (const change of decodeState(more) as unknown[]) {
        this.#options.apply(value, this.#options.change.from(change));
      }
      entry.changeBytes += more.length;
      entry.next++;
    }
    return entry;
  }

  #snapshotKey(key: string): string {
    return storedKey(`${this.#options.name}/`, key);
  }

  #changeKey(key: string, n: number): string {
    return storedKey(`${this.#options.name}-change/${n}/`, key);
  }

  #changeKeys(key: string, { from, next }: Entry<V, C>): string[] {
    return Array.from({ length: next - from }, (_, i) => this.#changeKey(key, from + i));
  }
}
