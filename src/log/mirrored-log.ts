import type { EmbeddedEnvironment } from './embedded-environment.js';
import { EmbeddedLog, type EmbeddedLogOptions } from './embedded-log.js';
import { LogClosedError } from './log-errors.js';
import type { Log, LogEntry, RawRecord, RemoteLog } from './port.js';
import type { SegmentSummary } from './segment.js';

/** Records between two positions that the shared log no longer had. */
export interface LogGap {
  /** The first that is missing. */
  from: number;
  /** The first that is there again. */
  to: number;
}

export interface MirroredLogParts {
  environment: EmbeddedEnvironment;
  remote: RemoteLog;
  /**
   * Where a mirror begins that is new here. May lie before what is needed, for those who look back; where the shared log
   * begins later, what is missing becomes a gap, so it should not lie before the shared log's first without need.
   */
  begin: number;
  /**
   * The first position that a reader here cannot do without; `begin` when not given. A mirror that does not hold it, and
   * cannot go on to it, is given up for a new one.
   */
  needed?: number;
  /** Records are missing. Told before what follows them can be read. */
  gap: (gap: LogGap) => void;
  limits?: EmbeddedLogOptions;
}

/**
 * {@link Log} that is shared by several machines. Appending goes to the shared log; what is read, here and by everyone
 * else, is a local mirror, which whoever consumes the shared log feeds by {@link accept}. So `head` is what has come back,
 * and a record may be read a moment before or after its append is acknowledged.
 *
 * Records that are lost are a gap: reading goes on behind it, and positions stay what they are everywhere.
 */
export class MirroredLog implements Log {
  readonly #mirror: EmbeddedLog;
  readonly #remote: RemoteLog;
  readonly #gap: (gap: LogGap) => void;
  /** The last position that was handed to the mirror; its head follows. */
  #accepted: number;
  readonly #taking = new Set<Promise<unknown>>();
  #isClosed = false;

  /** Opens the mirror of an environment, in place of an {@link EmbeddedLog}. Feed it from `head + 1` on. */
  static async open(parts: MirroredLogParts): Promise<MirroredLog> {
    const mirror = new EmbeddedLog(parts.environment, parts.limits);
    const { begin, needed = begin } = parts;
    if (needed < mirror.tail || needed > mirror.head + 1) await mirror.startAt(Math.min(begin, needed));
    return new MirroredLog(mirror, parts);
  }

  private constructor(mirror: EmbeddedLog, { remote, gap }: MirroredLogParts) {
    this.#mirror = mirror;
    this.#remote = remote;
    this.#gap = gap;
    this.#accepted = mirror.head;
  }

  get head(): number {
    return this.#mirror.head;
  }

  get tail(): number {
    return this.#mirror.tail;
  }

  /** Bytes all segments of the mirror take on disk. */
  get storedBytes(): number {
    return this.#mirror.storedBytes;
  }

  /** See {@link EmbeddedLog.segments}. */
  segments(): Generator<SegmentSummary, void, undefined> {
    return this.#mirror.segments();
  }

  /**
   * See {@link Log.append}: resolves when the shared log has the records, which need not have come back yet.
   *
   * @throws RangeError for no records, an unknown type or a record above the limit
   */
  async append(records: readonly RawRecord[]): Promise<number> {
    if (this.#isClosed) throw new LogClosedError();
    this.#mirror.sizeOf(records);
    return this.#remote.append(records);
  }

  /**
   * Takes what was consumed of the shared log, in order of positions; what is there already is left out, and what is
   * missing before the first becomes a gap. Need not be awaited before the next call; calls share transactions.
   *
   * @throws LogFullError when the disk has no room; OutOfPlaceError when a call before has failed. In both cases consume
   *   again from `head + 1`.
   */
  async accept(entries: readonly LogEntry[]): Promise<void> {
    if (this.#isClosed) throw new LogClosedError();
    const waiting: Promise<number>[] = [];
    let run: LogEntry[] = [];
    for (const entry of entries) {
      const last = run.at(-1)?.position;
      if (entry.position <= (last ?? this.#accepted)) continue;
      if (last !== undefined && entry.position > last + 1) {
        waiting.push(this.#take(run));
        run = [];
      }
      run.push(entry);
    }
    if (run.length > 0) waiting.push(this.#take(run));
    try {
      await Promise.all(waiting);
    } catch (error) {
      // What is under way either follows the head or fails as well.
      await Promise.allSettled(this.#taking);
      this.#accepted = this.#mirror.head;
      throw error;
    }
  }

  read(from: number, max: number): LogEntry[] {
    return this.#mirror.read(from, max);
  }

  waitBeyond(position: number, signal: AbortSignal): Promise<void> {
    return this.#mirror.waitBeyond(position, signal);
  }

  /** Drops records of the mirror; the shared log has a retention of its own. */
  truncateBefore(position: number): Promise<void> {
    return this.#mirror.truncateBefore(position);
  }

  /** Waits for what was accepted, and then refuses everything. Appends under way to the shared log end by themselves. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#mirror.close();
  }

  /** @param run contiguous, and all beyond what was accepted */
  #take(run: readonly LogEntry[]): Promise<number> {
    const after = this.#accepted;
    const first = run[0]?.position ?? after + 1;
    if (first > after + 1) this.#gap({ from: after + 1, to: first });
    this.#accepted = first + run.length - 1;
    const taking = this.#mirror.appendAt({ first, after }, run);
    this.#taking.add(taking);
    const end = () => this.#taking.delete(taking);
    taking.then(end, end);
    return taking;
  }
}
