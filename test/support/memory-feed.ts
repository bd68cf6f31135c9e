import type { Log, LogEntry, RawRecord, ScoringStore } from '../../src/log/port.js';
import type { Effect, OutboxEntry } from '../../src/model/effect.js';
import { StoreError, type InsertRequest } from '../../src/store/client.js';

/** The reading half of a log, in memory. */
export class MemoryLog implements Pick<Log, 'head' | 'tail' | 'read' | 'waitBeyond'> {
  readonly #entries: LogEntry[] = [];
  readonly #waiting = new Set<() => void>();
  tail = 1;

  get head(): number {
    return this.#entries.length;
  }

  add(...records: RawRecord[]): void {
    for (const record of records) this.#entries.push({ ...record, position: this.#entries.length + 1 });
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  read(from: number, max: number): LogEntry[] {
    if (from < this.tail) throw new Error('truncated');
    return this.#entries.slice(from - 1, from - 1 + max);
  }

  async waitBeyond(position: number, signal: AbortSignal): Promise<void> {
    while (this.head <= position && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
}

/** Cursors and outbox, in memory; outlives the readers of a test as the real one outlives a process. */
export class MemoryStore implements Pick<
  ScoringStore,
  'cursor' | 'setCursor' | 'outbox' | 'outboxHead' | 'waitForOutbox'
> {
  readonly cursors = new Map<string, number>();
  readonly #entries: OutboxEntry[] = [];
  readonly #waiting = new Set<() => void>();

  get outboxHead(): number {
    return this.#entries.length;
  }

  add(...effects: Effect[]): void {
    for (const effect of effects) this.#entries.push({ sequence: this.#entries.length + 1, effect });
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  cursor(name: string): number {
    return this.cursors.get(name) ?? 0;
  }

  async setCursor(name: string, value: number): Promise<void> {
    this.cursors.set(name, value);
  }

  outbox(after: number, max: number): OutboxEntry[] {
    return this.#entries.slice(after, after + max);
  }

  async waitForOutbox(after: number, signal: AbortSignal): Promise<void> {
    while (this.outboxHead <= after && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
}

/** Takes blocks as ClickHouse does: once per token, and not at all when a row is refused. */
export class MemoryInserter {
  readonly blocks: { table: string; token: string; lines: string[] }[] = [];
  tries = 0;
  /** Thrown by the next tries, one each. */
  failures: Error[] = [];
  refuses: (line: string) => boolean = () => false;

  async insert(request: InsertRequest): Promise<void> {
    this.tries++;
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    const lines = Buffer.from(request.body).toString('utf8').trimEnd().split('\n');
    if (request.table !== 'dead_letters' && lines.some((line) => this.refuses(line))) {
      throw new StoreError('bad row', 'row', 27);
    }
    if (this.blocks.some((block) => block.table === request.table && block.token === request.token)) return;
    this.blocks.push({ table: request.table, token: request.token, lines });
  }

  lines(table: string): string[] {
    return this.blocks.filter((block) => block.table === table).flatMap((block) => block.lines);
  }
}
