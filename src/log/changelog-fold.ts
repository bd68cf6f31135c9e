import {
  asBuffer,
  claimedNumber,
  outboxKey,
  parseCursor,
  parsedKey,
  parseKey,
  parsePlace,
  parseState,
  stateKey,
  type PlaceRecord,
} from './changelog-codec.js';
import type { EmbeddedEnvironment } from './embedded-environment.js';
import type { ChangelogRecord } from './port.js';
import { cursorKey, keyBytes } from './scoring-keys.js';
import { readPlace, SCORING_KEY, type Place } from './scoring-place.js';
import type { Operation } from './write-queue.js';

/** A value that is in the state already and whose checkpoint is not known to be finished. */
interface Version {
  number: number;
  generation: number;
  /** What is to be there again if it never is. */
  old: Buffer | undefined;
}

/** What the fold knows beside what is in the databases. */
export interface FoldFacts {
  /** Highest generation seen: what comes later from a lower one is not the owner's. */
  generation: number;
  completed: number;
  keys: number;
  trimmed: number;
  /** Highest number of a checkpoint seen, finished or not. */
  number: number;
}

/**
 * Folds a changelog into the databases of a scoring store, in order of offsets.
 *
 * Puts of a checkpoint go into the state as they come, for there may be no room to hold them back: of a compacted
 * changelog often only the very last entry says that they count. What they replaced is kept in memory until then.
 */
export class ChangelogFold {
  readonly facts: FoldFacts;
  /** Keys whose last entry in the changelog is not what counts, and must be written again by the next owner. */
  readonly dirty = new Set<string>();
  readonly #environment: EmbeddedEnvironment;
  readonly #pending = new Map<string, Version[]>();
  /** Outbox entries that no place reaches yet, and who wrote them. */
  readonly #beyond = new Map<number, number>();
  #place: Place;
  #hasPlace: boolean;
  #placeGeneration = -1;
  /** State keys by the last place. */
  #keys: number;
  /** Not in the databases yet. */
  #state = new Map<string, Buffer | undefined>();
  #outbox = new Map<number, string | undefined>();
  #cursors = new Map<string, number | undefined>();

  /** Goes on where the databases are. */
  constructor(environment: EmbeddedEnvironment, facts: FoldFacts) {
    this.#environment = environment;
    this.facts = facts;
    this.#keys = facts.keys;
    const stored = environment.meta.get(SCORING_KEY);
    this.#hasPlace = stored !== undefined;
    this.#place = readPlace(stored);
    for (const sequence of environment.outbox.getKeys({ start: this.#place.outboxHead + 1 })) {
      this.#beyond.set(sequence, facts.generation);
    }
  }

  /** Everything in the state is known to count. */
  get isSettled(): boolean {
    return this.#pending.size === 0;
  }

  /** Takes an entry whose generation is at least the highest seen. @throws ChangelogDamagedError */
  take(record: ChangelogRecord): void {
    const { value, offset, generation } = record;
    this.facts.generation = generation;
    const key = value === null ? parsedKey(record.key) : parseKey(record);
    if (key === undefined) {
      // The owner has ended what somebody else put there.
      this.dirty.delete(record.key);
      return;
    }
    switch (key.kind) {
      case 'owner':
        break;
      case 'place':
        if (value !== null) this.#takePlace(parsePlace(value, offset), generation);
        break;
      case 'state':
        this.#takeState(key.key, record);
        return;
      case 'memory':
        this.#state.set(key.key, value === null ? undefined : asBuffer(value));
        break;
      case 'cursor':
        this.#cursors.set(cursorKey(key.name), value === null ? undefined : parseCursor(value, offset));
        break;
      case 'outbox':
        if (value !== null && key.sequence <= this.facts.trimmed) {
          this.dirty.add(record.key);
          return;
        }
        this.#outbox.set(key.sequence, value === null ? undefined : asBuffer(value).toString());
        if (value !== null && key.sequence > this.#place.outboxHead) this.#beyond.set(key.sequence, generation);
        else this.#beyond.delete(key.sequence);
        break;
    }
    this.dirty.delete(record.key);
  }

  /** Takes an entry of somebody who was no longer the owner. */
  pass(record: ChangelogRecord): void {
    this.dirty.add(record.key);
    this.facts.number = Math.max(this.facts.number, claimedNumber(record));
  }

  /** Takes back whatever is not finished: its owner is gone. */
  settle(): void {
    this.#resolve(Number.POSITIVE_INFINITY);
  }

  /** Changes of the databases since the last call. */
  operations(): Operation[] {
    const { state, outbox, meta } = this.#environment;
    const operations: Operation[] = [];
    // In order of keys: neighbours lie on one page, which is then written once.
    for (const key of [...this.#state.keys()].sort()) {
      const bytes = keyBytes(key);
      const value = this.#state.get(key);
      operations.push(value === undefined ? () => void state.remove(bytes) : () => void state.put(bytes, value));
    }
    for (const [sequence, text] of this.#outbox) {
      operations.push(text === undefined ? () => void outbox.remove(sequence) : () => void outbox.put(sequence, text));
    }
    for (const [key, value] of this.#cursors) {
      operations.push(value === undefined ? () => void meta.remove(key) : () => void meta.put(key, value));
    }
    const place = this.#place;
    if (this.#hasPlace) operations.push(() => void meta.put(SCORING_KEY, place));
    this.#state = new Map();
    this.#outbox = new Map();
    this.#cursors = new Map();
    return operations;
  }

  /** What is missing of a whole store, once everything is settled and in the databases; undefined when nothing is. */
  missing(): string | undefined {
    const held = this.#environment.outbox.getKeysCount({});
    const { outboxHead } = this.#place;
    if (!this.#hasPlace) return this.facts.keys + held > 0 ? 'it has no record of how far scoring is' : undefined;
    if (this.facts.keys !== this.#keys) return `it has ${this.facts.keys} of ${this.#keys} state keys`;
    if (held === outboxHead - this.facts.trimmed) return undefined;
    return `it has ${held} of the ${outboxHead - this.facts.trimmed} outbox entries up to ${outboxHead}`;
  }

  #takePlace(record: PlaceRecord, generation: number): void {
    const { completed, keys, trimmed, ...place } = record;
    this.#place = place;
    this.#hasPlace = true;
    this.#keys = keys;
    const isNewOwner = generation > this.#placeGeneration;
    this.#placeGeneration = generation;
    if (trimmed > this.facts.trimmed) this.#trim(trimmed);
    this.facts.trimmed = trimmed;
    const isFinished = completed !== this.facts.completed;
    this.facts.completed = completed;
    this.facts.number = Math.max(this.facts.number, completed);
    for (const sequence of this.#beyond.keys()) if (sequence <= place.outboxHead) this.#beyond.delete(sequence);
    if (isFinished || isNewOwner) this.#resolve(generation);
  }

  #takeState(key: string, { value, offset, generation, key: entryKey }: ChangelogRecord): void {
    const old = this.#read(key);
    const frame = value === null ? undefined : parseState(value, offset);
    if (frame !== undefined) {
      this.facts.number = Math.max(this.facts.number, frame.number);
      if (frame.number > this.facts.completed) {
        const versions = this.#pending.get(key);
        const version = { number: frame.number, generation, old };
        if (versions === undefined) this.#pending.set(key, [version]);
        else versions.push(version);
      } else this.#pending.delete(key);
    } else this.#pending.delete(key);
    this.#set(key, frame?.value, old);
    // A delete is over with its tombstone.
    if (frame !== undefined && frame.value === undefined) this.dirty.add(entryKey);
    else this.dirty.delete(entryKey);
  }

  /** Lets go of what is finished, and takes back what owners before `generation` left unfinished. */
  #resolve(generation: number): void {
    const { completed } = this.facts;
    for (const [key, versions] of this.#pending) {
      let kept: Version[] = [];
      let dropped: { old: Buffer | undefined } | undefined;
      for (const version of versions) {
        if (version.number <= completed) {
          kept = [];
          dropped = undefined;
        } else if (version.generation < generation) {
          dropped ??= version;
          this.dirty.add(stateKey(key));
        } else {
          kept.push({ ...version, old: dropped === undefined ? version.old : dropped.old });
          dropped = undefined;
        }
      }
      if (dropped !== undefined) this.#set(key, dropped.old, this.#read(key));
      if (kept.length === 0) this.#pending.delete(key);
      else this.#pending.set(key, kept);
    }
    for (const [sequence, by] of this.#beyond) {
      if (by >= generation) continue;
      this.#beyond.delete(sequence);
      this.#outbox.set(sequence, undefined);
      this.dirty.add(outboxKey(sequence));
    }
  }

  #trim(trimmed: number): void {
    const held = this.#environment.outbox.getKeys({ end: trimmed, inclusiveEnd: true });
    for (const sequence of [...held, ...this.#outbox.keys()]) {
      if (sequence > trimmed) continue;
      if (this.#outbox.has(sequence) && this.#outbox.get(sequence) === undefined) continue;
      this.#outbox.set(sequence, undefined);
      this.dirty.add(outboxKey(sequence));
    }
  }

  #set(key: string, value: Buffer | undefined, old: Buffer | undefined): void {
    if (old === undefined && value !== undefined) this.facts.keys++;
    if (old !== undefined && value === undefined) this.facts.keys--;
    this.#state.set(key, value);
  }

  #read(key: string): Buffer | undefined {
    if (this.#state.has(key)) return this.#state.get(key);
    const stored = this.#environment.state.getBinary(keyBytes(key));
    return stored === undefined ? undefined : asBuffer(stored);
  }
}
