import type { EmbeddedEnvironment } from './embedded-environment.js';
import { LogClosedError, LogDamagedError, LogFullError, LogTruncatedError, OutOfPlaceError } from './log-errors.js';
import type { Log, LogEntry, RawRecord } from './port.js';
import { PositionWaiters } from './position-waiters.js';
import { SegmentCache } from './segment-cache.js';
import {
  decode,
  entryAt,
  framedBytes,
  gapSegment,
  isGap,
  isRecordType,
  lastOf,
  layOut,
  summarize,
  type Segment,
  type SegmentSummary,
} from './segment.js';
import type { Operation } from './write-queue.js';

const MIB = 2 ** 20;

/** Meta key of the head, written when the newest segment is dropped and the segments no longer tell. */
const HEAD_KEY = 'log-head';

/** Segments dropped in one transaction, so that a long overdue truncation does not hold up appends. */
const TRUNCATE_STEP = 1000;

export interface EmbeddedLogOptions {
  /**
   * Records are stored in segments of at most this many bytes (a larger record alone). Default 262,128: with LMDB's
   * 16-byte header that is 64 pages exactly.
   */
  segmentBytes?: number;
  /** Newest segments kept in memory, bytes; 16 MiB. */
  cacheBytes?: number;
  /** Most bytes that wait for the next commit; more is refused; 64 MiB. */
  pendingBytes?: number;
  /** A read stops after this many bytes (and at least one record); 16 MiB. */
  readBytes?: number;
  /** Largest record; 16 MiB. */
  recordBytes?: number;
}

/** Where records have their place already: they were numbered elsewhere. */
interface Place {
  /** Position of the first. What lies between `after` and it is lost. */
  first: number;
  /** The head that they follow. */
  after: number;
}

interface PendingAppend {
  records: readonly RawRecord[];
  place: Place | undefined;
  resolve: (first: number) => void;
  reject: (error: Error) => void;
}

interface LaidOut {
  segments: Segment[];
  placed: { append: PendingAppend; first: number }[];
  head: number;
}

/** {@link Log} in an LMDB environment. Group commit; many records in one stored value. */
export class EmbeddedLog implements Log {
  readonly #environment: EmbeddedEnvironment;
  readonly #limits: Required<EmbeddedLogOptions>;
  #cache: SegmentCache;
  readonly #waiters = new PositionWaiters();
  #pending: PendingAppend[] = [];
  #pendingBytes = 0;
  #submitted = false;
  #closed = false;
  #head: number;
  #tail: number;

  /** Opens the log of an environment. One per environment. */
  constructor(environment: EmbeddedEnvironment, options: EmbeddedLogOptions = {}) {
    this.#environment = environment;
    this.#limits = {
      segmentBytes: options.segmentBytes ?? 262_128,
      cacheBytes: options.cacheBytes ?? 16 * MIB,
      pendingBytes: options.pendingBytes ?? 64 * MIB,
      readBytes: options.readBytes ?? 16 * MIB,
      recordBytes: options.recordBytes ?? 16 * MIB,
    };
    this.#cache = new SegmentCache(this.#limits.cacheBytes);
    const [newestKey] = environment.segments.getKeys({ reverse: true, limit: 1 });
    const newest = newestKey === undefined ? undefined : this.#load(newestKey);
    const kept = environment.meta.get(HEAD_KEY);
    this.#head = Math.max(newest === undefined ? 0 : lastOf(newest), typeof kept === 'number' ? kept : 0);
    this.#tail = this.#oldestKey() ?? this.#head + 1;
  }

  get head(): number {
    return this.#head;
  }

  get tail(): number {
    return this.#tail;
  }

  /** Segments pushed out of the read cache so far. */
  get evictedSegments(): number {
    return this.#cache.evicted;
  }

  /**
   * See {@link Log.append}. The bytes are copied when the commit begins: leave them alone until then.
   *
   * @throws RangeError for no records, an unknown type or a record above the limit
   * @throws LogFullError, LogClosedError
   */
  append(records: readonly RawRecord[]): Promise<number> {
    return this.#append(records, undefined);
  }

  /**
   * Appends records that have their positions already, the first of them `place.first`; what is missing between it and
   * `place.after` is kept as a gap.
   *
   * @throws OutOfPlaceError when the head is another than `place.after` once it is their turn, as after one before them
   *   has failed; and what {@link append} throws
   */
  appendAt(place: { first: number; after: number }, records: readonly RawRecord[]): Promise<number> {
    return this.#append(records, place);
  }

  /** Drops everything and goes on at `position`, forward or back. Nobody may read or append meanwhile. */
  async startAt(position: number): Promise<void> {
    if (!Number.isSafeInteger(position) || position < 1) throw new RangeError(`A log cannot start at ${position}.`);
    await this.truncateBefore(this.#head + 1);
    await new Promise<void>((resolve, reject) => {
      this.#environment.submit({
        fill: (operations) => operations.push(() => void this.#environment.meta.put(HEAD_KEY, position - 1)),
        committed: resolve,
        failed: reject,
      });
    });
    this.#cache = new SegmentCache(this.#limits.cacheBytes);
    this.#head = position - 1;
    this.#tail = position;
  }

  /**
   * See {@link Log.read}. May give fewer than `max` though more are there, when they are large. The data are views
   * that keep their segment in memory: do not hold on to them.
   *
   * @throws LogTruncatedError when `from` lies before the tail
   * @throws LogDamagedError when stored bytes are not a segment
   */
  read(from: number, max: number): LogEntry[] {
    if (this.#closed) throw new LogClosedError();
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(max) || max < 1) {
      throw new RangeError(`read needs a whole position and at least one record, not (${from}, ${max}).`);
    }
    const entries: LogEntry[] = [];
    if (from > this.#head) return entries;
    if (from < this.#tail) throw new LogTruncatedError(from, this.#tail);
    let room = this.#limits.readBytes;
    let position = from;
    while (position <= this.#head && entries.length < max) {
      const segment = this.#segmentWith(position);
      const end = lastOf(segment);
      if (isGap(segment)) position = end + 1;
      for (; position <= end && entries.length < max; position++) {
        const entry = entryAt(segment, position);
        room -= entry.data.byteLength;
        if (room < 0 && entries.length > 0) return entries;
        entries.push(entry);
      }
    }
    return entries;
  }

  /** See {@link Log.waitBeyond}. Rejects with LogClosedError when the log is closed first. */
  waitBeyond(position: number, signal: AbortSignal): Promise<void> {
    if (this.#closed) return Promise.reject(new LogClosedError());
    return this.#head > position ? Promise.resolve() : this.#waiters.wait(position, signal);
  }

  /**
   * See {@link Log.truncateBefore}. Drops whole segments, so up to one segment before `position` stays.
   *
   * @throws RangeError when `position` is more than one beyond the head
   */
  async truncateBefore(position: number): Promise<void> {
    if (this.#closed) throw new LogClosedError();
    if (!Number.isSafeInteger(position) || position > this.#head + 1) {
      throw new RangeError(`Cannot drop records before ${position}: the newest is ${this.#head}.`);
    }
    let more = this.#tail < position;
    while (more) more = await this.#truncateStep(position);
    this.#environment.space.invalidate();
  }

  /** What retention decides on, oldest first. Read it to its end, or to where retention stops, without waiting. */
  *segments(): Generator<SegmentSummary, void, undefined> {
    for (const first of this.#environment.segments.getKeys()) {
      // Valid until the next read only, which is long enough for the header, and saves the copy.
      const bytes = this.#environment.segments.getBinaryFast(first);
      if (bytes !== undefined) yield summarize(first, asBuffer(bytes), bytes.length);
    }
  }

  /** Bytes all segments take on disk. */
  get storedBytes(): number {
    return this.#environment.segmentBytes();
  }

  /**
   * Refuses what no log takes.
   *
   * @returns bytes the records take
   * @throws RangeError for no records, an unknown type or a record above the limit
   */
  sizeOf(records: readonly RawRecord[]): number {
    return sizeOf(records, this.#limits.recordBytes);
  }

  /** Waits for accepted appends, then refuses everything. The environment stays open. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#settled();
    this.#waiters.close(new LogClosedError());
  }

  #append(records: readonly RawRecord[], place: Place | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new LogClosedError();
      const bytes = this.sizeOf(records);
      if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > this.#limits.pendingBytes) {
        throw new LogFullError('queue', `${this.#pendingBytes} bytes already wait to be written; send more slowly.`);
      }
      this.#environment.space.admit(bytes);
      this.#pendingBytes += bytes;
      this.#pending.push({ records, place, resolve, reject });
      if (!this.#submitted) this.#submit();
    });
  }

  /** Puts one job into the next transaction that takes all appends waiting by then. */
  #submit(): void {
    this.#submitted = true;
    let taken: PendingAppend[] = [];
    let laidOut: LaidOut = { segments: [], placed: [], head: this.#head };
    const take = (): void => {
      taken = this.#pending;
      this.#pending = [];
      this.#pendingBytes = 0;
      this.#submitted = false;
    };
    this.#environment.submit({
      fill: (operations) => {
        take();
        laidOut = this.#layOut(taken);
        for (const segment of laidOut.segments) {
          operations.push(() => void this.#environment.segments.put(segment.first, segment.bytes));
        }
      },
      committed: () => {
        for (const segment of laidOut.segments) this.#cache.append(segment);
        this.#head = laidOut.head;
        for (const { append, first } of laidOut.placed) append.resolve(first);
        this.#waiters.advance(this.#head);
      },
      failed: (error) => {
        if (taken.length === 0) take();
        for (const append of taken) append.reject(error);
      },
    });
  }

  #layOut(taken: readonly PendingAppend[]): LaidOut {
    const timeMs = this.#environment.clock.now();
    const segments: Segment[] = [];
    const placed: LaidOut['placed'] = [];
    let run: RawRecord[] = [];
    let head = this.#head;
    const endRun = (): void => {
      if (run.length === 0) return;
      segments.push(...layOut(head + 1 - run.length, run, timeMs, this.#limits.segmentBytes));
      run = [];
    };
    for (const append of taken) {
      const { records, place } = append;
      if (place !== undefined && place.after !== head) {
        append.reject(new OutOfPlaceError(place.after, head));
        continue;
      }
      if (place !== undefined && place.first > head + 1) {
        endRun();
        segments.push(gapSegment(head + 1, place.first - head - 1, timeMs));
        head = place.first - 1;
      }
      placed.push({ append, first: head + 1 });
      for (const record of records) run.push(record);
      head += records.length;
    }
    endRun();
    return { segments, placed, head };
  }

  /** @returns whether there may be more to drop */
  #truncateStep(position: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let newTail = this.#tail;
      let more = false;
      this.#environment.submit({
        fill: (operations) => {
          const keys = [
            ...this.#environment.segments.getKeys({ end: position, inclusiveEnd: true, limit: TRUNCATE_STEP + 1 }),
          ];
          // A segment may go when the next one begins at or before `position`: the last key only if all is passed.
          const all = keys.length <= TRUNCATE_STEP && position === this.#head + 1;
          const next = all ? this.#head + 1 : (keys.at(-1) ?? this.#tail);
          newTail = next;
          const dropped = all ? keys : keys.slice(0, -1);
          more = keys.length > TRUNCATE_STEP;
          for (const key of dropped) this.#remove(operations, key);
          if (all) operations.push(() => void this.#environment.meta.put(HEAD_KEY, this.#head));
        },
        committed: () => {
          this.#tail = newTail;
          this.#cache.forgetLoaded();
          resolve(more);
        },
        failed: reject,
      });
    });
  }

  #remove(operations: Operation[], key: number): void {
    operations.push(() => void this.#environment.segments.remove(key));
  }

  #oldestKey(): number | undefined {
    const [oldest] = this.#environment.segments.getKeys({ limit: 1 });
    return oldest;
  }

  #segmentWith(position: number): Segment {
    const cached = this.#cache.find(position);
    if (cached !== undefined) return cached;
    const [key] = this.#environment.segments.getKeys({ start: position, reverse: true, limit: 1 });
    const segment = key === undefined ? undefined : this.#load(key);
    if (segment === undefined || position > lastOf(segment)) {
      throw new LogDamagedError(position, `missing, although the log runs from ${this.#tail} to ${this.#head}.`);
    }
    this.#cache.addLoaded(segment);
    return segment;
  }

  #load(key: number): Segment | undefined {
    const bytes = this.#environment.segments.getBinary(key);
    return bytes === undefined ? undefined : decode(key, asBuffer(bytes));
  }

  #settled(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => resolve();
      this.#environment.submit({ fill: () => {}, committed: done, failed: done });
    });
  }
}

function sizeOf(records: readonly RawRecord[], recordBytes: number): number {
  if (records.length === 0) throw new RangeError('append needs at least one record.');
  let bytes = 0;
  for (const record of records) {
    if (!isRecordType(record.type)) throw new RangeError(`Unknown record type ${JSON.stringify(record.type)}.`);
    if (record.data.byteLength > recordBytes) {
      throw new RangeError(`A ${record.type} record has ${record.data.byteLength} bytes, more than ${recordBytes}.`);
    }
    bytes += framedBytes(record);
  }
  return bytes;
}

/** The library says Buffer, and hands out a plain Uint8Array where the value lies in mapped memory. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
