import { decodeState, encodeState } from '../lib/state-table.js';
import type { EmbeddedEnvironment } from './embedded-environment.js';
import type { Operation } from './write-queue.js';

/** Bytes of a checkpoint that are written in one transaction: the log's appends wait no longer than for so many. */
const PART_BYTES = 64 * 1024;
/** Entries moved into the state in one transaction, for the same reason: each may touch a page of its own. */
const MOVED_ENTRIES = 64;
/** In the meta database: so many staged parts make a checkpoint that counts, and are on their way into the state. */
const STAGED_KEY = 'staged';

/** Entries of one checkpoint by key; null stands for a delete. */
export type Changes = Map<string, Uint8Array | null>;

/**
 * Writes a checkpoint of any size without a long transaction, which the log's appends would have to wait for: its parts
 * are staged one after the other, one small transaction makes all of them count at once, and then they are moved into
 * the state. A crash before that transaction takes all of it back, a crash after it is made good at the next start.
 */
export class CheckpointWriter {
  /** What it holds and the state does not show yet. */
  readonly changes: Changes = new Map();
  readonly #environment: EmbeddedEnvironment;
  readonly #write: (operations: readonly Operation[]) => Promise<void>;
  readonly #staging: Promise<void>[] = [];
  #part: [key: string, value: Uint8Array | null][] = [];
  #partBytes = 0;

  constructor(environment: EmbeddedEnvironment, write: (operations: readonly Operation[]) => Promise<void>) {
    this.#environment = environment;
    this.#write = write;
  }

  put(key: string, value: Uint8Array): void {
    this.#add(key, value);
  }

  delete(key: string): void {
    this.#add(key, null);
  }

  /**
   * Makes the checkpoint count.
   *
   * @param commit writes these operations and the checkpoint's position in one transaction
   */
  async finish(commit: (operations: readonly Operation[]) => Promise<void>): Promise<void> {
    if (this.#staging.length === 0) return commit(operationsOf(this.#environment, this.changes));
    this.#stage();
    await Promise.all(this.#staging);
    const { meta } = this.#environment;
    const parts = this.#staging.length;
    await commit([() => void meta.put(STAGED_KEY, parts)]);
    await this.#move(parts);
  }

  #add(key: string, value: Uint8Array | null): void {
    this.changes.set(key, value);
    this.#part.push([key, value]);
    this.#partBytes += key.length + (value?.length ?? 0);
    if (this.#partBytes >= PART_BYTES) this.#stage();
  }

  #stage(): void {
    if (this.#part.length === 0) return;
    const { staged } = this.#environment;
    const bytes = Buffer.from(encodeState(this.#part));
    this.#part = [];
    this.#partBytes = 0;
    const number = this.#staging.length + 1;
    const writing = this.#write([() => void staged.put(number, bytes)]);
    // It is waited for at the end; until then a failure must not count as unhandled.
    writing.catch(() => {});
    this.#staging.push(writing);
  }

  async #move(parts: number): Promise<void> {
    // In order of keys: neighbours lie on one page, which is then written once.
    const keys = [...this.changes.keys()].sort();
    for (let from = 0; from < keys.length; from += MOVED_ENTRIES) {
      const some: Changes = new Map(
        keys.slice(from, from + MOVED_ENTRIES).map((key) => [key, this.changes.get(key) ?? null]),
      );
      await this.#write(operationsOf(this.#environment, some));
    }
    await this.#write(clearing(this.#environment, parts));
  }
}

/** At the start: moves the rest of a checkpoint that counts into the state, and drops what was staged for another. */
export function finishStaged(environment: EmbeddedEnvironment): void {
  const { meta, staged } = environment;
  const counted = meta.get(STAGED_KEY);
  const parts = typeof counted === 'number' ? counted : 0;
  const numbers = [...staged.getKeys()];
  if (numbers.length === 0) return;
  const changes: Changes = new Map();
  for (let number = 1; number <= parts; number++) {
    const bytes = staged.get(number);
    if (bytes === undefined) throw new Error(`part ${number} of ${parts} of a checkpoint is missing`);
    // Only `#stage` writes there.
    for (const [key, value] of decodeState(bytes) as [string, Uint8Array | null][]) changes.set(key, value);
  }
  environment.writeNow([...operationsOf(environment, changes), ...clearing(environment, Math.max(...numbers))]);
}

function operationsOf({ state }: EmbeddedEnvironment, changes: Changes): Operation[] {
  return [...changes].map(([key, value]) => {
    const bytes = Buffer.from(key);
    if (value === null) return () => void state.remove(bytes);
    const view = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return () => void state.put(bytes, view);
  });
}

function clearing({ staged, meta }: EmbeddedEnvironment, parts: number): Operation[] {
  const removals = Array.from({ length: parts }, (_, i) => () => void staged.remove(i + 1));
  return [...removals, () => void meta.put(STAGED_KEY, 0)];
}
