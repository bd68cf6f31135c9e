import { BoundedMap } from '../lib/bounded-map.js';
import { decodeState, encodeState } from '../lib/state-table.js';
import type { ReaderMemory, ScoringStore } from '../log/port.js';
import type { Thread } from './grouping.js';
import type { Ledger } from './rate-limit.js';

/**
 * What a channel remembers: its threads and its ledger. Changes are collected until they are written together with the
 * channel's cursor, and stay collected when that fails.
 */
export class ThreadBook {
  readonly #prefix: string;
  readonly #threads: BoundedMap<string, Thread>;
  /** Threads with a message to come. */
  readonly #due = new Map<string, Thread>();
  readonly #changed = new Set<string>();
  #ledger: Ledger = { sentAt: [], lastSummaryAt: 0 };
  #isLedgerChanged = false;
  /** False in an install in which this channel has never run. */
  readonly isKnown: boolean;

  /** @param capacity most incidents followed; the least recently changed ones are forgotten first */
  constructor(channel: string, store: Pick<ScoringStore, 'get' | 'entries'>, capacity: number) {
    this.#prefix = `notify-${channel}/`;
    this.#threads = new BoundedMap(capacity, (id) => {
      this.#due.delete(id);
      this.#changed.add(id);
    });
    const ledger = store.get(this.#ledgerKey());
    this.isKnown = ledger !== undefined;
    // Under this prefix lies only what this class put there.
    if (ledger !== undefined) this.#ledger = decodeState(ledger) as Ledger;
    const stored = [...store.entries(this.#threadKey(''))].map(({ value }) => decodeState(value) as Thread);
    for (const thread of stored.sort((a, b) => a.lastSentAt - b.lastSentAt)) this.#hold(thread);
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  set ledger(ledger: Ledger) {
    this.#ledger = ledger;
    this.#isLedgerChanged = true;
  }

  get forgotten(): number {
    return this.#threads.evicted;
  }

  get due(): ReadonlyMap<string, Thread> {
    return this.#due;
  }

  get hasChanged(): boolean {
    return this.#changed.size > 0 || this.#isLedgerChanged;
  }

  get(incidentId: string): Thread | undefined {
    return this.#threads.peek(incidentId);
  }

  set(thread: Thread): void {
    this.#hold(thread);
    this.#changed.add(thread.incidentId);
  }

  delete(incidentId: string): void {
    this.#threads.delete(incidentId);
    this.#due.delete(incidentId);
    this.#changed.add(incidentId);
  }

  /** Hands everything that changed to `write`; what is not written is handed over again the next time. */
  async save(write: (memory: ReaderMemory) => Promise<void>): Promise<void> {
    const ids = [...this.#changed];
    const memory: ReaderMemory = { puts: [], deletes: [] };
    for (const id of ids) {
      const thread = this.#threads.peek(id);
      if (thread === undefined) memory.deletes.push(this.#threadKey(id));
      else memory.puts.push({ key: this.#threadKey(id), value: encodeState(thread) });
    }
    if (this.#isLedgerChanged) memory.puts.push({ key: this.#ledgerKey(), value: encodeState(this.#ledger) });
    await write(memory);
    for (const id of ids) this.#changed.delete(id);
    this.#isLedgerChanged = false;
  }

  #hold(thread: Thread): void {
    this.#threads.set(thread.incidentId, thread);
    if (thread.dueAt === undefined) this.#due.delete(thread.incidentId);
    else this.#due.set(thread.incidentId, thread);
  }

  #threadKey(id: string): string {
    return `${this.#prefix}thread/${id}`;
  }

  #ledgerKey(): string {
    return `${this.#prefix}ledger`;
  }
}
