import { setTimeout as timer } from 'node:timers/promises';
import type { Clock } from '../lib/clock.js';
import type { ScoringStore } from '../log/port.js';
import type { KeptVersion } from '../model/baseline.js';
import { writeBlock, type Inserter } from './block-writer.js';
import type { Sleep } from './follower.js';
import type { ArchiveStatus } from './port.js';
import type { Row } from './row.js';

/** A version that waits to be archived. */
export interface PendingState extends KeptVersion {
  tenant: string;
  agentId: string;
  /** Place in the order of keeping. */
  serial: number;
}

/** A state ready to be stored. */
export interface PackedState {
  state: string;
  seal: string;
  seedPrint: string;
  format: number;
}

/** Where versions come from: the scoring store, which keeps the newest of each agent. */
export interface StateSource {
  /** Serial that the next version gets. */
  readonly next: number;
  /** Versions from a serial on, in order; some may have gone. */
  from(serial: number): Iterable<PendingState>;
  /** Undefined where it has gone meanwhile. */
  pack(version: PendingState): Promise<PackedState | undefined>;
}

/** Where they go, while it is there. */
export interface StateTarget {
  inserter: Inserter;
  /** Makes room for more. @returns false where it stays too large */
  makeRoom(): Promise<boolean>;
}

export interface StateArchiverOptions {
  source: StateSource;
  target: () => StateTarget | undefined;
  cursors: Pick<ScoringStore, 'cursor' | 'setCursor'>;
  /** Scoring has nothing to catch up with. */
  isIdle: () => boolean;
  clock: Clock;
  sleep?: Sleep;
  /** Rest between two looks, ms; and longest wait for an idle moment, ms. */
  restMs?: number;
  patienceMs?: number;
}

const CURSOR = 'baseline-archive';
const TABLE = 'baseline_states';
const REST_MS = 2_000;
const PATIENCE_MS = 60_000;
const RETRY_MAX_MS = 60_000;
/** Of one insert. */
const MAX_ROWS = 64;
const MAX_BATCH_CHARS = 8 * 1024 * 1024;
/** A larger state stays in the scoring store only; the caps of a baseline keep it far below. */
const MAX_STATE_CHARS = 16 * 1024 * 1024;
/** Inserts between two looks at the size of all. */
const INSERTS_A_LOOK = 16;

const sleepTimer: Sleep = async (ms, signal) => {
  await timer(ms, undefined, { signal }).catch(() => {});
};

interface Batch {
  rows: Row[];
  /** Serial behind its last version. */
  next: number;
  chars: number;
  missed: number;
  oversized: number;
}

/**
 * Carries kept versions into ClickHouse, in the order of keeping, when scoring has time. It works beside scoring and
 * the outbox and holds neither up; what it could not carry follows once ClickHouse is back, as far as it is still kept.
 */
export class StateArchiver {
  readonly #options: StateArchiverOptions;
  readonly #stop = new AbortController();
  readonly #counts = { archived: 0, archivedChars: 0, missed: 0, refused: 0, oversized: 0, retries: 0 };
  #place: number;
  /** Made and not stored yet: the same rows with the same token go in every try. */
  #batch: Batch | undefined;
  #untilLook = 0;
  #latestAt = 0;
  #lastError: string | undefined;
  #failingSince: number | undefined;
  #running: Promise<void> | undefined;

  constructor(options: StateArchiverOptions) {
    this.#options = options;
    // After a crash scoring may be behind what was archived: it is archived again then, and counts once.
    this.#place = Math.min(options.cursors.cursor(CURSOR), options.source.next);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends after the insert under way; what is left follows at the next start. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  status(): ArchiveStatus {
    return {
      ...this.#counts,
      pending: Math.max(0, this.#options.source.next - this.#place),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(this.#failingSince === undefined ? {} : { failingSince: this.#failingSince }),
    };
  }

  /** Carries everything that waits, now. @throws StoreError, or an Error that says why it cannot be carried */
  async catchUp(): Promise<void> {
    const { source, cursors } = this.#options;
    while (!this.#stop.signal.aborted && this.#place < source.next) {
      this.#batch ??= await this.#collect();
      const { rows, next, chars, missed, oversized } = this.#batch;
      const refused = rows.length === 0 ? 0 : await this.#store(rows);
      await cursors.setCursor(CURSOR, next);
      this.#counts.archived += rows.length - refused;
      this.#counts.refused += refused;
      this.#counts.archivedChars += chars;
      this.#counts.missed += missed;
      this.#counts.oversized += oversized;
      this.#batch = undefined;
      this.#place = next;
    }
  }

  async #run(): Promise<void> {
    const { source, isIdle, clock, sleep = sleepTimer, restMs = REST_MS, patienceMs = PATIENCE_MS } = this.#options;
    const { signal } = this.#stop;
    let pauseMs = restMs;
    let waitingSince: number | undefined;
    while (!signal.aborted) {
      await sleep(pauseMs, signal);
      pauseMs = restMs;
      if (this.#place >= source.next) continue;
      waitingSince ??= clock.now();
      if (!isIdle() && clock.now() - waitingSince < patienceMs) continue;
      try {
        await this.catchUp();
        waitingSince = undefined;
        this.#lastError = undefined;
        this.#failingSince = undefined;
      } catch (error) {
        this.#counts.retries++;
        this.#lastError = error instanceof Error ? error.message : String(error);
        this.#failingSince ??= clock.now();
        pauseMs = Math.min(2 * pauseMs, RETRY_MAX_MS);
      }
    }
  }

  async #collect(): Promise<Batch> {
    const { source } = this.#options;
    const batch: Batch = { rows: [], next: this.#place, chars: 0, missed: 0, oversized: 0 };
    for (const version of source.from(this.#place)) {
      if (batch.rows.length >= MAX_ROWS || batch.chars >= MAX_BATCH_CHARS) return batch;
      const packed = await source.pack(version);
      batch.missed += version.serial - batch.next + (packed === undefined ? 1 : 0);
      batch.next = version.serial + 1;
      if (packed === undefined) continue;
      if (packed.state.length > MAX_STATE_CHARS) {
        batch.oversized++;
        continue;
      }
      batch.chars += packed.state.length;
      batch.rows.push(this.#row(version, packed));
    }
    const { next } = source;
    batch.missed += next - batch.next;
    batch.next = next;
    return batch;
  }

  #row(version: PendingState, packed: PackedState): Row {
    const { serial, tenant, agentId, version: number, time, sessionCount, bytes, ...origin } = version;
    // Later than all before it: what agents had in common is looked for by it.
    this.#latestAt = Math.max(this.#options.clock.now(), this.#latestAt + 1);
    const about = { tenant, agentId, version: number, time, archivedAt: this.#latestAt, sessionCount, bytes };
    const json = Buffer.from(JSON.stringify({ ...about, origin: JSON.stringify(origin), ...packed }));
    return { table: TABLE, place: serial, lead: '"partition":0', json };
  }

  /** @returns rows that the engine refused */
  async #store(rows: readonly Row[]): Promise<number> {
    const target = this.#options.target();
    if (target === undefined) throw new Error('ClickHouse is not open yet');
    if (this.#untilLook <= 0) {
      if (!(await target.makeRoom())) {
        throw new Error('the archive of baselines is full; raise clickhouse.baselineBytes, or shorten baselineDays');
      }
      this.#untilLook = INSERTS_A_LOOK;
    }
    const { clock } = this.#options;
    const { refused } = await writeBlock({ inserter: target.inserter, partition: 0, clock }, rows);
    this.#untilLook--;
    return refused;
  }
}
