import { stableId } from '../lib/hash.js';
import { decodeState, encodeState } from '../lib/state-table.js';
import { FiredMemory, type FiredEntry } from './fired-memory.js';
import { SequenceMemory, type Progress } from './sequence-memory.js';

/** How often a detector of the active set has thrown. */
export interface FailureRecord {
  id: string;
  failures: number;
  lastError: string;
}

/** What the store held of it, by kind. */
export type StoredEntries = (prefix: string) => Iterable<{ key: string; value: Uint8Array }>;

const FIRED = 'fired/';
const SEQUENCE = 'sequence/';
const FAILURE = 'detector-failure/';
const ACTIVE = 'detector-set/active';

/**
 * All that detectors remember, so that a restart between two records changes nothing: what has fired, how far sequences
 * have come, which detectors failed, and which set is active.
 */
export class DetectorMemory {
  readonly fired: FiredMemory;
  readonly sequences = new SequenceMemory();
  readonly #failures = new Map<string, FailureRecord>();
  readonly #addedFired = new Map<number, FiredEntry>();
  readonly #forgottenFired = new Set<number>();
  readonly #changedFailures = new Set<string>();
  #activeHash = '';
  #isActiveChanged = false;

  constructor(firedCapacity?: number) {
    this.fired = new FiredMemory(firedCapacity, {
      added: (entry) => this.#addedFired.set(entry.sequence, entry),
      forgotten: (sequence) => {
        if (!this.#addedFired.delete(sequence)) this.#forgottenFired.add(sequence);
      },
    });
  }

  /** Hash of the set that the log activated last; empty before the first. */
  get activeHash(): string {
    return this.#activeHash;
  }

  /** Another set is active: what the old one had begun or failed at is forgotten; what has fired stays quiet. */
  activate(hash: string): void {
    this.#activeHash = hash;
    this.#isActiveChanged = true;
    this.sequences.clear();
    for (const id of this.#failures.keys()) this.#changedFailures.add(id);
    this.#failures.clear();
  }

  failure(id: string): FailureRecord | undefined {
    return this.#failures.get(id);
  }

  /** Bounded by the number of detectors. */
  noteFailure(record: FailureRecord): void {
    this.#failures.set(record.id, record);
    this.#changedFailures.add(record.id);
  }

  restore(stored: StoredEntries): void {
    // Only this class writes under these prefixes.
    this.fired.restore(valuesOf(stored(FIRED)) as Iterable<FiredEntry>);
    this.sequences.restore(valuesOf(stored(SEQUENCE)) as Iterable<Progress>);
    for (const record of valuesOf(stored(FAILURE)) as Iterable<FailureRecord>) this.#failures.set(record.id, record);
    for (const hash of valuesOf(stored(ACTIVE))) this.#activeHash = String(hash);
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    for (const [sequence, entry] of this.#addedFired) puts.push({ key: FIRED + sequence, value: encodeState(entry) });
    for (const sequence of this.#forgottenFired) deletes.push(FIRED + sequence);
    this.#addedFired.clear();
    this.#forgottenFired.clear();
    const sequences = this.sequences.changes();
    for (const progress of sequences.puts) puts.push({ key: sequenceKey(progress.key), value: encodeState(progress) });
    for (const key of sequences.deletes) deletes.push(sequenceKey(key));
    for (const id of this.#changedFailures) {
      const record = this.#failures.get(id);
      if (record === undefined) deletes.push(FAILURE + id);
      else puts.push({ key: FAILURE + id, value: encodeState(record) });
    }
    this.#changedFailures.clear();
    if (this.#isActiveChanged) puts.push({ key: ACTIVE, value: encodeState(this.#activeHash) });
    this.#isActiveChanged = false;
  }
}

/** Keys hold what agents write: the store gets their hash. */
function sequenceKey(key: string): string {
  return SEQUENCE + stableId('seq', key);
}

function* valuesOf(entries: ReturnType<StoredEntries>): Generator {
  for (const { value } of entries) yield decodeState(value);
}
