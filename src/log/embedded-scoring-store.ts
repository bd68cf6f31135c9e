import type { Effect, OutboxEntry } from '../model/effect.js';
import { CheckpointWriter, finishStaged, type Changes } from './checkpoint-writer.js';
import type { EmbeddedEnvironment } from './embedded-environment.js';
import { LogClosedError, LogDamagedError } from './log-errors.js';
import type { ReaderMemory, ScoringStore, StateCheckpoint, StateCommit } from './port.js';
import { PositionWaiters } from './position-waiters.js';
import { checkedCursor, checkedKey, cursorKey, keyBytes } from './scoring-keys.js';
import {
  afterCheckpoint,
  afterCommit,
  afterEffects,
  checkpointHead,
  readPlace,
  SCORING_KEY,
  type Place,
} from './scoring-place.js';
import type { Operation } from './write-queue.js';

/** Outbox entries dropped in one transaction. */
const TRIM_STEP = 10_000;

/** An effect and its text, made at once: the caller may change the effect afterwards. */
export interface PreparedEffect {
  effect: Effect;
  text: string;
}

/** A {@link StateCommit} that shares nothing with its caller. */
export interface PreparedCommit {
  nextPosition: number;
  puts: { key: string; value: Buffer }[];
  deletes: string[];
  effects: PreparedEffect[];
}

/** What a transaction moves; what it does not name stays. */
interface Move {
  place: (before: Place) => Place;
  operations: readonly Operation[];
  effects: readonly PreparedEffect[];
}

/** @throws RangeError for a key that is empty or too long */
export function prepareCommit({ nextPosition, puts, deletes, effects }: StateCommit): PreparedCommit {
  return {
    nextPosition,
    puts: puts.map(({ key, value }) => ({ key: checkedKey(key), value: Buffer.from(value) })),
    deletes: deletes.map(checkedKey),
    effects: prepareEffects(effects),
  };
}

export function prepareEffects(effects: readonly Effect[]): PreparedEffect[] {
  return effects.map((effect) => ({ effect, text: JSON.stringify(effect) }));
}

/** {@link ScoringStore} in the environment of the log. One per environment. */
export class EmbeddedScoringStore implements ScoringStore {
  readonly #environment: EmbeddedEnvironment;
  readonly #alongside: ((operations: Operation[]) => void) | undefined;
  readonly #waiters = new PositionWaiters();
  /** What is durable. */
  #committed: Place;
  /** What the transaction that is being written will make durable. */
  #staged: Place;
  /** Of the checkpoint that is being written. */
  #pending: Changes | undefined;

  /**
   * Finishes the checkpoint that a crash may have left half moved.
   *
   * @param alongside adds to each transaction what is to move with it
   */
  constructor(environment: EmbeddedEnvironment, alongside?: (operations: Operation[]) => void) {
    this.#environment = environment;
    this.#alongside = alongside;
    finishStaged(environment);
    this.#committed = readPlace(environment.meta.get(SCORING_KEY));
    this.#staged = this.#committed;
  }

  get nextPosition(): number {
    return this.#committed.nextPosition;
  }

  get effectsPosition(): number {
    return this.#committed.effectsPosition;
  }

  get outboxHead(): number {
    return this.#committed.outboxHead;
  }

  get checkpointOutboxHead(): number {
    return this.#committed.checkpointOutboxHead;
  }

  get(key: string): Uint8Array | undefined {
    const pending = this.#pending?.get(key);
    if (pending !== undefined) return pending ?? undefined;
    return this.#environment.state.getBinary(keyBytes(key));
  }

  /**
   * See {@link ScoringStore.entries}; key order is the order of the keys' UTF-8 bytes. Read it to its end without
   * waiting in between: while it is open, pages that are no longer needed cannot be used again.
   */
  *entries(prefix: string): Generator<{ key: string; value: Uint8Array }, void, undefined> {
    const start = Buffer.from(prefix);
    const { state } = this.#environment;
    for (const { key, value } of state.getRange(start.length > 0 ? { start } : {})) {
      const text = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('utf8');
      if (!text.startsWith(prefix)) return;
      yield { key: text, value };
    }
  }

  /** What is durable, as one. */
  get place(): Place {
    return this.#committed;
  }

  /**
   * See {@link ScoringStore.commit}. Takes a copy of everything at once: the caller may go on changing it.
   *
   * @throws RangeError for a key that is empty or too long, or a position before the committed one
   */
  async commit(change: StateCommit): Promise<OutboxEntry[]> {
    return this.commitPrepared(prepareCommit(change));
  }

  /** As {@link commit}. */
  commitPrepared({ nextPosition, puts, deletes, effects }: PreparedCommit): Promise<OutboxEntry[]> {
    const { state } = this.#environment;
    return this.#move({
      operations: [
        ...puts.map(
          ({ key, value }) =>
            () =>
              void state.put(keyBytes(key), value),
        ),
        ...deletes.map((key) => () => void state.remove(keyBytes(key))),
      ],
      effects,
      place: (before) => afterCommit(before, nextPosition, effects.length),
    });
  }

  /** See {@link ScoringStore.commitEffects}. @throws RangeError for a position before the committed one */
  commitEffects(effectsPosition: number, effects: readonly Effect[]): Promise<OutboxEntry[]> {
    return this.commitPreparedEffects(effectsPosition, prepareEffects(effects));
  }

  /** As {@link commitEffects}. */
  commitPreparedEffects(effectsPosition: number, effects: readonly PreparedEffect[]): Promise<OutboxEntry[]> {
    return this.#move({
      operations: [],
      effects,
      place: (before) => afterEffects(before, effectsPosition, effects.length),
    });
  }

  /** See {@link ScoringStore.openCheckpoint}. @throws RangeError for a key that is empty or too long */
  openCheckpoint(nextPosition: number): StateCheckpoint {
    if (this.#pending !== undefined) throw new Error('a checkpoint is being written already');
    const head = checkpointHead(this.#committed, nextPosition);
    const writer = new CheckpointWriter(this.#environment, (operations) => this.#write(operations));
    this.#pending = writer.changes;
    return {
      put: (key, value) => writer.put(checkedKey(key), value),
      delete: (key) => writer.delete(checkedKey(key)),
      finish: async () => {
        await writer.finish((operations) => this.#moveState(nextPosition, head, operations));
        this.#pending = undefined;
      },
    };
  }

  outbox(after: number, max: number): OutboxEntry[] {
    const entries: OutboxEntry[] = [];
    for (const { key, value } of this.#environment.outbox.getRange({ start: after + 1, limit: max })) {
      entries.push({ sequence: key, effect: parseEffect(key, value) });
    }
    return entries;
  }

  waitForOutbox(after: number, signal: AbortSignal): Promise<void> {
    return this.outboxHead > after ? Promise.resolve() : this.#waiters.wait(after, signal);
  }

  /** @throws RangeError for a sequence beyond the newest entry */
  async trimOutbox(sequence: number): Promise<void> {
    if (!Number.isSafeInteger(sequence) || sequence > this.outboxHead) {
      throw new RangeError(`Cannot drop the outbox up to ${sequence}: the newest entry is ${this.outboxHead}.`);
    }
    const { outbox } = this.#environment;
    for (;;) {
      const keys = [...outbox.getKeys({ end: sequence, inclusiveEnd: true, limit: TRIM_STEP })];
      if (keys.length > 0) await this.#write(keys.map((key) => () => void outbox.remove(key)));
      if (keys.length < TRIM_STEP) return;
    }
  }

  cursor(name: string): number {
    const value = this.#environment.meta.get(cursorKey(name));
    return typeof value === 'number' ? value : 0;
  }

  async setCursor(name: string, value: number, memory?: ReaderMemory): Promise<void> {
    const key = cursorKey(checkedCursor(name, value));
    const { meta, state } = this.#environment;
    const puts = (memory?.puts ?? []).map((put) => ({ key: keyBytes(put.key), value: Buffer.from(put.value) }));
    const deletes = (memory?.deletes ?? []).map((own) => keyBytes(own));
    await this.#write([
      ...puts.map((put) => () => void state.put(put.key, put.value)),
      ...deletes.map((own) => () => void state.remove(own)),
      () => void meta.put(key, value),
    ]);
  }

  /** Releases those who wait for the outbox. The environment stays open. */
  close(): void {
    this.#waiters.close(new LogClosedError());
  }

  async #moveState(nextPosition: number, head: number, operations: readonly Operation[]): Promise<void> {
    await this.#move({ operations, effects: [], place: (before) => afterCheckpoint(before, nextPosition, head) });
  }

  #move(change: Move): Promise<OutboxEntry[]> {
    const { effects } = change;
    const { outbox, meta } = this.#environment;
    return new Promise((resolve, reject) => {
      let entries: OutboxEntry[] = [];
      let place = this.#staged;
      this.#environment.submit({
        fill: (operations) => {
          place = change.place(this.#staged);
          this.#staged = place;
          // One by one: there may be more of them than a call takes arguments.
          for (const operation of change.operations) operations.push(operation);
          let sequence = place.outboxHead - effects.length;
          entries = effects.map(({ effect, text }) => {
            const own = ++sequence;
            operations.push(() => void outbox.put(own, text));
            return { sequence: own, effect };
          });
          const value = place;
          operations.push(() => void meta.put(SCORING_KEY, value));
          this.#alongside?.(operations);
        },
        committed: () => {
          this.#committed = place;
          this.#waiters.advance(place.outboxHead);
          resolve(entries);
        },
        failed: (error) => {
          this.#staged = this.#committed;
          reject(error);
        },
      });
    });
  }

  #write(own: readonly Operation[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#environment.submit({
        fill: (operations) => {
          for (const operation of own) operations.push(operation);
          this.#alongside?.(operations);
        },
        committed: resolve,
        failed: reject,
      });
    });
  }
}

function parseEffect(sequence: number, text: string): Effect {
  try {
    // Only commit() writes the outbox, and it was given an Effect.
    return JSON.parse(text) as Effect;
  } catch (cause) {
    throw new LogDamagedError(sequence, 'this number is an outbox entry, and it is not valid JSON.', { cause });
  }
}
