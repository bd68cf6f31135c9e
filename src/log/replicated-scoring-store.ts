import type { Clock } from '../lib/clock.js';
import type { Effect, OutboxEntry } from '../model/effect.js';
import {
  asBuffer,
  cursorEntry,
  memoryKey,
  outboxKey,
  OWNER_KEY,
  ownerEntry,
  PLACE_KEY,
  placeEntry,
  stateEntry,
  stateKey,
} from './changelog-codec.js';
import { ChangelogWriter, entryBytes, type Counts, type Item } from './changelog-writer.js';
import { CursorGathering } from './cursor-gathering.js';
import type { EmbeddedEnvironment } from './embedded-environment.js';
import { EmbeddedScoringStore, prepareCommit, prepareEffects, type PreparedEffect } from './embedded-scoring-store.js';
import type {
  Changelog,
  ChangelogEntry,
  ChangelogRecord,
  ReaderMemory,
  ScoringStore,
  StateCheckpoint,
  StateCommit,
} from './port.js';
import type { ReplicaSync } from './replica-sync.js';
import { checkedCursor, checkedKey, CURSOR_PREFIX, cursorKey, isStateKey, keyBytes } from './scoring-keys.js';
import { afterCheckpoint, afterCommit, afterEffects, checkpointHead, type Place } from './scoring-place.js';

const KIB = 1024;

export interface ReplicationLimits {
  /** Most bytes that go to the changelog in one piece; 512 KiB. */
  groupBytes: number;
  /** Largest value of a key; 4 MiB. The topic's `max.message.bytes` must have room for it. */
  valueBytes: number;
  /** How long a cursor that moves alone waits for company, ms; 20. */
  cursorLingerMs: number;
}

export interface ReplicatedScoringStoreParts {
  environment: EmbeddedEnvironment;
  clock: Clock;
  changelog: Changelog;
  /** Name of this owner in the entry that began its ownership. */
  owner: string;
  sync: ReplicaSync;
  /** Offset before which the whole changelog is in the store. */
  observed: number;
  limits?: Partial<ReplicationLimits> | undefined;
}

/**
 * {@link ScoringStore} whose every change is in the changelog before it is in the store on this machine: so the store is
 * never ahead, and nothing counts for a reader of it that a new owner would not have. All that is asked for while one
 * append is under way shares the next.
 *
 * A write that fails is the last one: nobody knows then whether the changelog has it.
 */
export class ReplicatedScoringStore implements ScoringStore {
  readonly #parts: ReplicatedScoringStoreParts;
  readonly #limits: ReplicationLimits;
  readonly #local: EmbeddedScoringStore;
  readonly #writer: ChangelogWriter;
  readonly #cursors: CursorGathering;
  /** After all that is being written. */
  #place: Place;
  #counts: Counts;
  #changing: Promise<unknown> = Promise.resolve();
  /** Of the checkpoint that is being written. */
  #pending: { number: number; changes: Map<string, Uint8Array | undefined> } | undefined;

  /** Only `StateReplica.takeOver` makes one. */
  constructor(parts: ReplicatedScoringStoreParts) {
    this.#parts = parts;
    this.#limits = { groupBytes: 512 * KIB, valueBytes: 4096 * KIB, cursorLingerMs: 20, ...parts.limits };
    const { environment, clock, changelog, sync, observed } = parts;
    this.#counts = { completed: sync.completed, keys: sync.keys, trimmed: sync.trimmed, number: sync.number };
    this.#writer = new ChangelogWriter({
      environment,
      clock,
      changelog,
      groupBytes: this.#limits.groupBytes,
      sync,
      observed,
      counts: () => ({ ...this.#counts }),
      repaired: (key) => this.#repaired(key),
    });
    this.#local = new EmbeddedScoringStore(environment, (operations) => operations.push(this.#writer.syncOperation()));
    this.#place = this.#local.place;
    this.#cursors = new CursorGathering(this.#limits.cursorLingerMs, (name, value) => this.#setCursor(name, value));
  }

  /** Generation of this owner. */
  get generation(): number {
    return this.#parts.changelog.generation;
  }

  get nextPosition(): number {
    return this.#local.nextPosition;
  }

  get effectsPosition(): number {
    return this.#local.effectsPosition;
  }

  get checkpointOutboxHead(): number {
    return this.#local.checkpointOutboxHead;
  }

  get outboxHead(): number {
    return this.#local.outboxHead;
  }

  get(key: string): Uint8Array | undefined {
    return this.#local.get(key);
  }

  entries(prefix: string): Generator<{ key: string; value: Uint8Array }, void, undefined> {
    return this.#local.entries(prefix);
  }

  outbox(after: number, max: number): OutboxEntry[] {
    return this.#local.outbox(after, max);
  }

  waitForOutbox(after: number, signal: AbortSignal): Promise<void> {
    return this.#local.waitForOutbox(after, signal);
  }

  cursor(name: string): number {
    return this.#local.cursor(name);
  }

  /** Begins the ownership: says how far scoring is, and writes again what somebody has overwritten. */
  async begin(dirty: ReadonlySet<string>): Promise<void> {
    await this.#submit(() => [
      { entry: this.#placeEntry() },
      ...[...dirty].map((key) => ({ repair: key })),
      // In the store at once: it has written here.
      { local: () => this.#writer.keepSync() },
    ]);
  }

  /** See {@link ScoringStore.commit}. @throws RangeError as `EmbeddedScoringStore.commit`, or for too large a value */
  async commit(change: StateCommit): Promise<OutboxEntry[]> {
    const prepared = prepareCommit(change);
    const { nextPosition, puts, deletes, effects } = prepared;
    for (const { key, value } of puts) this.#checkSize(key, value);
    const changes = new Map<string, Uint8Array | undefined>();
    for (const { key, value } of puts) changes.set(key, value);
    for (const key of deletes) changes.set(key, undefined);
    let entries: OutboxEntry[] = [];
    await this.#change(changes, (number) => {
      this.#place = afterCommit(this.#place, nextPosition, effects.length);
      return [
        ...[...changes].map(([key, value]) => ({ entry: stateEntry(key, number, value) })),
        ...this.#effectItems(effects),
        this.#finished(number, changes),
        {
          local: async () => {
            entries = await this.#local.commitPrepared(prepared);
          },
        },
      ];
    });
    return entries;
  }

  /** See {@link ScoringStore.commitEffects}. @throws RangeError for a position before the committed one */
  async commitEffects(effectsPosition: number, effects: readonly Effect[]): Promise<OutboxEntry[]> {
    const prepared = prepareEffects(effects);
    let entries: OutboxEntry[] = [];
    await this.#submit(() => {
      this.#place = afterEffects(this.#place, effectsPosition, effects.length);
      return [
        ...this.#effectItems(prepared),
        { entry: this.#placeEntry() },
        {
          local: async () => {
            entries = await this.#local.commitPreparedEffects(effectsPosition, prepared);
          },
        },
      ];
    });
    return entries;
  }

  /** See {@link ScoringStore.openCheckpoint}. @throws RangeError for an impossible key or too large a value */
  openCheckpoint(nextPosition: number): StateCheckpoint {
    const local = this.#local.openCheckpoint(nextPosition);
    const head = checkpointHead(this.#local.place, nextPosition);
    const number = ++this.#counts.number;
    const changes = new Map<string, Uint8Array | undefined>();
    this.#pending = { number, changes };
    this.#writer.hold();
    let group: Item[] = [];
    let bytes = 0;
    const send = (): void => {
      const items = group;
      group = [];
      bytes = 0;
      // Whoever finishes the checkpoint learns of a failure: it is the last write that there is.
      this.#submit(() => items).catch(() => {});
    };
    const add = (key: string, value: Uint8Array | undefined): void => {
      const entry = stateEntry(key, number, value);
      changes.set(key, value);
      group.push({ entry });
      bytes += entryBytes(entry);
      if (bytes >= this.#limits.groupBytes) send();
    };
    return {
      put: (key, value) => {
        this.#checkSize(checkedKey(key), value);
        local.put(key, value);
        add(key, value);
      },
      delete: (key) => {
        local.delete(checkedKey(key));
        add(key, undefined);
      },
      finish: async () => {
        send();
        await this.#inTurn(async () => {
          await this.#submit(() => {
            this.#place = afterCheckpoint(this.#place, nextPosition, head);
            return [this.#finished(number, changes), { local: () => local.finish() }];
          });
          this.#pending = undefined;
          await this.#bury(changes);
        });
        this.#writer.release();
      },
    };
  }

  /** See {@link ScoringStore.trimOutbox}. @throws RangeError for a sequence beyond the newest entry */
  async trimOutbox(sequence: number): Promise<void> {
    if (!Number.isSafeInteger(sequence) || sequence > this.outboxHead) {
      throw new RangeError(`Cannot drop the outbox up to ${sequence}: the newest entry is ${this.outboxHead}.`);
    }
    await this.#submit(() => {
      const { trimmed } = this.#counts;
      if (sequence <= trimmed) return [];
      this.#counts.trimmed = sequence;
      const tombstones = Array.from({ length: sequence - trimmed }, (_, index) => ({
        entry: { key: outboxKey(trimmed + 1 + index), value: null },
      }));
      return [{ entry: this.#placeEntry() }, ...tombstones, { local: () => this.#local.trimOutbox(sequence) }];
    });
  }

  /** See {@link ScoringStore.setCursor}. A cursor that moves alone waits a moment for others. */
  async setCursor(name: string, value: number, memory?: ReaderMemory): Promise<void> {
    cursorKey(checkedCursor(name, value));
    if (memory === undefined) return this.#cursors.set(name, value);
    const own = {
      puts: memory.puts.map((put) => ({ key: checkedKey(put.key), value: Buffer.from(put.value) })),
      deletes: memory.deletes.map(checkedKey),
    };
    for (const put of own.puts) this.#checkSize(put.key, put.value);
    await this.#submit(() => [
      ...own.puts.map((put) => ({ entry: { key: memoryKey(put.key), value: put.value } })),
      ...own.deletes.map((key) => ({ entry: { key: memoryKey(key), value: null } })),
      { entry: cursorEntry(name, value) },
      { local: () => this.#local.setCursor(name, value, own) },
    ]);
  }

  /**
   * Sees an entry of the changelog: of its own, which says how far a restart has not to read again; or of an owner before
   * it, who does not know yet, and whose entry would be the one that compaction keeps.
   */
  observe(record: ChangelogRecord): void {
    this.#writer.observe(record);
  }

  /** Refuses everything from now on, and waits for what is under way. */
  async end(why: Error): Promise<void> {
    this.#cursors.end(why);
    await this.#writer.end(why);
    this.#local.close();
  }

  /** Releases those who wait for the outbox. The environment and the replica stay open. */
  close(): void {
    this.#local.close();
  }

  /** Writes a change of state, one after the other: each counts the keys that it adds. */
  async #change(changes: ReadonlyMap<string, unknown>, make: (number: number) => Item[]): Promise<void> {
    await this.#inTurn(async () => {
      await this.#submit(() => make(changes.size > 0 ? ++this.#counts.number : this.#counts.completed));
      await this.#bury(changes);
    });
  }

  /** In a compacted topic only a tombstone ends a key. */
  async #bury(changes: ReadonlyMap<string, unknown>): Promise<void> {
    const gone = [...changes].filter(([, value]) => value === undefined);
    if (gone.length > 0)
      await this.#submit(() => gone.map(([key]) => ({ entry: { key: stateKey(key), value: null } })));
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const turn = this.#changing.then(step);
    this.#changing = turn.catch(() => {});
    return turn;
  }

  /** The entry that makes a checkpoint count. */
  #finished(number: number, changes: ReadonlyMap<string, Uint8Array | undefined>): Item {
    let { keys } = this.#counts;
    for (const [key, value] of changes) {
      const isThere = this.#parts.environment.state.doesExist(keyBytes(key));
      if (value !== undefined && !isThere) keys++;
      if (value === undefined && isThere) keys--;
    }
    this.#counts = { ...this.#counts, completed: number, keys };
    return { entry: this.#placeEntry() };
  }

  #placeEntry(): ChangelogEntry {
    const { completed, keys, trimmed } = this.#counts;
    return placeEntry({ ...this.#place, completed, keys, trimmed });
  }

  #effectItems(effects: readonly PreparedEffect[]): Item[] {
    let sequence = this.#place.outboxHead - effects.length;
    return effects.map(({ text }) => ({ entry: { key: outboxKey(++sequence), value: Buffer.from(text) } }));
  }

  /** What the changelog must have last under a key that somebody else wrote to. Nothing else is being written. */
  #repaired(key: string): ChangelogEntry {
    if (key === PLACE_KEY) return this.#placeEntry();
    if (key === OWNER_KEY) return ownerEntry({ owner: this.#parts.owner });
    if (key.startsWith('s/')) return this.#repairedState(key.slice(2));
    const value = this.#valueOf(key);
    return { key, value: value === undefined ? null : asBuffer(value) };
  }

  #repairedState(key: string): ChangelogEntry {
    const pending = this.#pending;
    if (pending?.changes.has(key) === true) return stateEntry(key, pending.number, pending.changes.get(key));
    const value = this.#stored(key);
    if (value === undefined) return { key: stateKey(key), value: null };
    return stateEntry(key, this.#counts.completed, value);
  }

  /** What the store has under a key of the changelog that is not state. */
  #valueOf(entryKey: string): Uint8Array | undefined {
    const rest = entryKey.slice(2);
    if (entryKey.startsWith('m/')) return this.#stored(rest);
    if (entryKey.startsWith('c/')) {
      const cursor = this.#parts.environment.meta.get(`${CURSOR_PREFIX}${rest}`);
      return typeof cursor === 'number' ? Buffer.from(String(cursor)) : undefined;
    }
    const sequence = entryKey.startsWith('o/') ? Number(rest) : 0;
    const text = Number.isSafeInteger(sequence) ? this.#parts.environment.outbox.get(sequence) : undefined;
    return text === undefined ? undefined : Buffer.from(text);
  }

  #stored(key: string): Uint8Array | undefined {
    // Somebody else's key may be anything.
    return isStateKey(key) ? this.#parts.environment.state.getBinary(keyBytes(key)) : undefined;
  }

  #setCursor(name: string, value: number): Promise<void> {
    return this.#writer.submit(() => [
      { entry: cursorEntry(name, value) },
      { local: () => this.#local.setCursor(name, value) },
    ]);
  }

  #submit(make: () => Item[]): Promise<void> {
    // A cursor that waits for company has it now, and must not come after a later value of its own.
    this.#cursors.flush();
    return this.#writer.submit(make);
  }

  #checkSize(key: string, value: Uint8Array): void {
    if (value.byteLength <= this.#limits.valueBytes) return;
    throw new RangeError(
      `The value of ${key} has ${value.byteLength} bytes, and the changelog takes ${this.#limits.valueBytes} at most.`,
    );
  }
}
