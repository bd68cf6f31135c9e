import { mkdirSync, statfsSync } from 'node:fs';
import { constants } from 'node:os';
import { open, type Database, type RootDatabase } from 'lmdb';
import type { Clock } from '../lib/clock.js';
import { acquireDirectoryLock, DirectoryHeldError, type DirectoryLock } from './directory-lock.js';
import { bringUp } from './format.js';
import { EnvironmentFailedError, LogFullError } from './log-errors.js';
import { markMachineStart, type MachineStartMark } from './machine-start.js';
import { SpaceGuard, type SpaceUse } from './space-guard.js';
import { WriteQueue, type Operation, type WriteJob } from './write-queue.js';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** The system's error numbers, which the library passes on. LMDB turns a short write, as on a full disk, into EIO. */
const EIO = 5;
const ENOSPC = constants.errno.ENOSPC;
const EDQUOT = constants.errno.EDQUOT;

/** An EIO with less than this free, which is the most that one transaction writes, is taken for a full disk. */
const SHORT_OF_SPACE_BYTES = 64 * MIB;

export interface EmbeddedEnvironmentOptions {
  /** Created when missing. Local disk: the locks and the memory map do not work over a network file system. */
  directory: string;
  clock: Clock;
  /** Most bytes that log, state and outbox may take together; 16 GiB. */
  maxBytes?: number;
  /** Bytes of the volume and of `maxBytes` that appends leave free; 256 MiB. */
  reserveBytes?: number;
  /** Bytes this user may still write on the volume; asks the system. */
  freeBytes?: () => number;
  /** The data is thrown away in the end: nothing waits for the disk, and nothing outlives a crash of the machine. */
  isTemporary?: boolean;
  /**
   * All of it can be had again from elsewhere: nothing waits for the disk, an end of the process loses nothing, and when
   * the machine went down it begins empty.
   */
  isReplica?: boolean;
}

/** A small fact about the whole environment: a position, a sequence. */
export type MetaValue = number | Partial<Record<string, number>>;

/**
 * One LMDB environment that holds the log, the scoring state and the outbox, so that one transaction can move all.
 *
 * Durability: but for temporary data and replicas `noSync` stays off and `overlappingSync` is switched off. Then LMDB writes the pages, flushes them
 * (fdatasync), writes the meta page through a descriptor opened with O_DSYNC, and only then reports the commit: a
 * resolved promise means on disk, and nothing is ever visible that is not. With `overlappingSync` (the library's
 * default) a commit is visible before it is flushed, two promises have to be told apart, and a crash of the machine
 * falls back to an older meta page; it saves nothing here, because {@link WriteQueue} already gathers everything that
 * arrives during a flush into the next commit.
 */
export class EmbeddedEnvironment {
  readonly directory: string;
  readonly clock: Clock;
  /** Log segments by their first position. */
  readonly segments: Database<Uint8Array, number>;
  /** Scoring state, by key in UTF-8. */
  readonly state: Database<Uint8Array, Uint8Array>;
  /** Effects as JSON text, by sequence. */
  readonly outbox: Database<string, number>;
  readonly meta: Database<MetaValue, string>;
  /** Parts of a large checkpoint, by number, before they are moved into the state. */
  readonly staged: Database<Uint8Array, number>;
  readonly space: SpaceGuard;
  readonly #root: RootDatabase<Uint8Array, string>;
  readonly #lock: DirectoryLock;
  readonly #queue: WriteQueue;
  readonly #freeBytes: () => number;
  readonly #mark: MachineStartMark | undefined;
  #closing: Promise<void> | undefined;
  #transactions = 0;

  /**
   * Opens or creates the environment.
   *
   * @throws DirectoryHeldError when another process has it open
   * @throws RangeError for limits that do not fit each other
   */
  static open(options: EmbeddedEnvironmentOptions): EmbeddedEnvironment {
    const { maxBytes = 16 * GIB, reserveBytes = 256 * MIB } = options;
    if (!Number.isSafeInteger(maxBytes) || !Number.isSafeInteger(reserveBytes) || reserveBytes < 0) {
      throw new RangeError('maxBytes and reserveBytes must be whole numbers of bytes.');
    }
    if (maxBytes <= reserveBytes) {
      throw new RangeError(`maxBytes (${maxBytes}) must be greater than reserveBytes (${reserveBytes}).`);
    }
    // Whole payloads lie in it, and the folder above may be open to everybody.
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    const lock = acquireDirectoryLock(options.directory);
    try {
      return new EmbeddedEnvironment({ ...options, maxBytes, reserveBytes }, lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  private constructor(
    options: EmbeddedEnvironmentOptions & { maxBytes: number; reserveBytes: number },
    lock: DirectoryLock,
  ) {
    const { directory, clock, maxBytes, reserveBytes } = options;
    this.#freeBytes = options.freeBytes ?? ((): number => volumeFreeBytes(directory));
    this.directory = directory;
    this.clock = clock;
    this.#lock = lock;
    const isReplica = options.isReplica ?? false;
    this.#mark = isReplica ? markMachineStart(directory) : undefined;
    this.#root = open<Uint8Array, string>({
      path: directory,
      noSubdir: false,
      encoding: 'binary',
      overlappingSync: false,
      noSync: isReplica || (options.isTemporary ?? false),
      // Every write here is an explicit batch. With implicit batches around it the library makes a promise of its own
      // for each, which nobody can handle when the commit fails, and that ends the process.
      eventTurnBatching: false,
      maxDbs: 8,
      // Address space, not memory. The library would grow a smaller map by itself and keep the old ones mapped; the
      // limit on what is stored is the space guard's.
      mapSize: Math.ceil((maxBytes + GIB) / MIB) * MIB,
    });
    try {
      this.meta = this.#root.openDB<MetaValue, string>({ name: 'meta', encoding: 'json' });
      // Before anything else is opened: what a newer version wrote stays as it is.
      bringUp(directory, this.meta.get('format'), (format) => this.meta.putSync('format', format));
      this.segments = this.#root.openDB<Uint8Array, number>({ name: 'segments', encoding: 'binary' });
      this.state = this.#root.openDB<Uint8Array, Uint8Array>({
        name: 'state',
        encoding: 'binary',
        keyEncoding: 'binary',
      });
      this.outbox = this.#root.openDB<string, number>({ name: 'outbox', encoding: 'string' });
      this.staged = this.#root.openDB<Uint8Array, number>({ name: 'staged', encoding: 'binary' });
      this.#checkReaders();
    } catch (error) {
      void this.#root.close();
      throw error;
    }
    this.#queue = new WriteQueue(
      (operations) => this.#commit(operations),
      (cause) => new EnvironmentFailedError(directory, cause),
    );
    this.space = new SpaceGuard({ clock, maxBytes, reserveBytes, look: () => this.#look() });
  }

  /** It began empty, because the machine went down while it was open. Only a replica does so. */
  get wasDiscarded(): boolean {
    return this.#mark?.wasDiscarded ?? false;
  }

  /** Durable transactions since it was opened: what they gather is records divided by this. */
  get transactions(): number {
    return this.#transactions;
  }

  /** Makes a job part of the next transaction. */
  submit(job: WriteJob): void {
    this.#queue.submit(job);
  }

  /** Does all operations in one durable transaction before it returns. Only before anything is submitted. */
  writeNow(operations: readonly Operation[]): void {
    this.#root.transactionSync(() => {
      for (const operation of operations) operation();
    });
  }

  /** Bytes that live log segments take on disk, page by page. */
  segmentBytes(): number {
    return liveBytes(this.segments);
  }

  /** Refuses new writes, waits for those accepted, and gives the directory up. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#queue.close();
    await this.#root.close();
    this.#mark?.clear();
    this.#lock.release();
  }

  async #commit(operations: readonly Operation[]): Promise<void> {
    try {
      // `batch` keeps the operations in one transaction; they run on a thread of the pool, as does the flush.
      await this.#root.batch(() => {
        for (const operation of operations) operation();
      });
      this.#transactions++;
    } catch (error) {
      const cause = await rootCause(error);
      if (this.#wasForWantOfSpace(cause)) {
        throw new LogFullError('disk', 'The volume is full; nothing was written. Free some space.', { cause });
      }
      throw cause;
    }
  }

  /** Whether a failed commit left everything as it was, so that the next may try again once there is room. */
  #wasForWantOfSpace(cause: unknown): boolean {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    const noSpace = code === ENOSPC || code === EDQUOT || (code === EIO && this.#freeBytes() < SHORT_OF_SPACE_BYTES);
    if (!noSpace) return false;
    try {
      // LMDB refuses every further transaction where not the data but the meta page failed. Writes nothing.
      this.#root.transactionSync(() => {});
      return true;
    } catch {
      return false;
    }
  }

  /** The reader table is guarded by kernel locks, so it also shows a process that cannot be seen in /proc from here. */
  #checkReaders(): void {
    this.#root.readerCheck();
    for (const line of this.#root.readerList().split('\n')) {
      const pid = Number.parseInt(line.trim(), 10);
      if (!Number.isNaN(pid) && pid !== process.pid) throw new DirectoryHeldError(this.directory, pid);
    }
  }

  #look(): SpaceUse {
    const stats = statsOf(this.#root);
    let usedBytes = 0;
    for (const database of [this.segments, this.state, this.outbox, this.meta, this.staged])
      usedBytes += liveBytes(database);
    return { usedBytes, fileBytes: (stats.lastPageNumber + 1) * stats.pageSize, freeBytes: this.#freeBytes() };
  }
}

interface DatabaseStats {
  pageSize: number;
  treeBranchPageCount: number;
  treeLeafPageCount: number;
  overflowPages: number;
  lastPageNumber: number;
}

/** A database of any key and value. */
type WithStats = Pick<Database, 'getStats'>;

function statsOf(database: WithStats): DatabaseStats {
  // The library types its statistics as `{}`; these are LMDB's own MDB_stat and MDB_envinfo fields.
  return database.getStats() as DatabaseStats;
}

function liveBytes(database: WithStats): number {
  const stats = statsOf(database);
  return (stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages) * stats.pageSize;
}

function volumeFreeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

/** The library rejects with a general error that carries a promise of the real one. */
async function rootCause(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}
