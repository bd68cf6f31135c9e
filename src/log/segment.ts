import type { LogRecordType } from '../model/log-record.js';
import { LogDamagedError } from './log-errors.js';
import type { LogEntry, RawRecord } from './port.js';

/**
 * Many records in one stored value, because a put for each record costs more than the record.
 *
 * Layout, little endian: u8 version, u32 record count, f64 commit time (epoch ms), then for each record u32 length,
 * u8 type, bytes. The key is the position of the first record.
 *
 * Records that the log has lost are a segment too, so that positions stay what they are: u8 version 2, u32 0, f64 time,
 * f64 count.
 */
export interface Segment {
  first: number;
  count: number;
  /** When it was written, epoch ms: retention by age. */
  time: number;
  bytes: Buffer;
  /** Where each record's frame begins in `bytes`; empty for a gap. */
  offsets: Uint32Array;
}

/** What retention needs of a segment. */
export type SegmentSummary = Pick<Segment, 'first' | 'count' | 'time'> & { sizeBytes: number };

const VERSION = 1;
const GAP_VERSION = 2;
const HEADER_BYTES = 13;
const GAP_BYTES = HEADER_BYTES + 8;
const FRAME_BYTES = 5;

/** Stored numbers of the record types. Never renumber; a new type takes the next free one and raises the format (format.ts). */
const TYPE_CODES: Record<LogRecordType, number> = {
  observation: 1,
  payload: 2,
  tick: 3,
  verdict: 4,
  ack: 5,
  order: 6,
  activation: 7,
  'dead-letter': 8,
  'source-trouble': 9,
  'content-read': 10,
  erasure: 11,
  lease: 12,
};

const TYPES_BY_CODE = new Map<number, LogRecordType>(
  // `Object.keys` of an exhaustive record gives exactly its keys; the type system only knows strings.
  (Object.keys(TYPE_CODES) as LogRecordType[]).map((type) => [TYPE_CODES[type], type]),
);

/** The highest of them: an older program cannot read a log that holds it. */
export const NEWEST_TYPE = Math.max(...Object.values(TYPE_CODES));

/** Whether the log knows the type, for records that come from outside the type system. */
export function isRecordType(type: string): type is LogRecordType {
  return Object.hasOwn(TYPE_CODES, type);
}

/** Bytes a record takes in a segment. */
export function framedBytes(record: RawRecord): number {
  return FRAME_BYTES + record.data.byteLength;
}

/**
 * Lays records out in segments of at most `capBytes`; a larger record gets a segment of its own.
 *
 * @param first position of the first record
 * @param timeMs commit time, epoch ms
 */
export function layOut(first: number, records: readonly RawRecord[], timeMs: number, capBytes: number): Segment[] {
  const segments: Segment[] = [];
  let begin = 0;
  let size = HEADER_BYTES;
  for (const [index, record] of records.entries()) {
    const bytes = framedBytes(record);
    if (index > begin && size + bytes > capBytes) {
      segments.push(encode(first + begin, records.slice(begin, index), timeMs, size));
      begin = index;
      size = HEADER_BYTES;
    }
    size += bytes;
  }
  if (begin < records.length) segments.push(encode(first + begin, records.slice(begin), timeMs, size));
  return segments;
}

function encode(first: number, records: readonly RawRecord[], timeMs: number, sizeBytes: number): Segment {
  // Not from the shared pool: a cached segment would keep the whole pool block alive.
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  const offsets = new Uint32Array(records.length);
  bytes.writeUInt8(VERSION, 0);
  bytes.writeUInt32LE(records.length, 1);
  bytes.writeDoubleLE(timeMs, 5);
  let offset = HEADER_BYTES;
  for (const [index, { type, data }] of records.entries()) {
    offsets[index] = offset;
    bytes.writeUInt32LE(data.byteLength, offset);
    bytes.writeUInt8(TYPE_CODES[type], offset + 4);
    bytes.set(data, offset + FRAME_BYTES);
    offset += FRAME_BYTES + data.byteLength;
  }
  return { first, count: records.length, time: timeMs, bytes, offsets };
}

/** What stands for `count` records from `first` on that are lost. */
export function gapSegment(first: number, count: number, timeMs: number): Segment {
  const bytes = Buffer.alloc(GAP_BYTES);
  bytes.writeUInt8(GAP_VERSION, 0);
  bytes.writeDoubleLE(timeMs, 5);
  bytes.writeDoubleLE(count, HEADER_BYTES);
  return { first, count, time: timeMs, bytes, offsets: new Uint32Array(0) };
}

/** Whether the segment stands for records that are lost. */
export function isGap(segment: Segment): boolean {
  return segment.offsets.length === 0;
}

/** Reads only a stored segment's header. `bytes` may be memory that is valid for this call only. */
export function summarize(first: number, bytes: Buffer, sizeBytes: number): SegmentSummary {
  if (sizeBytes === GAP_BYTES && bytes.readUInt8(0) === GAP_VERSION) {
    return { first, count: bytes.readDoubleLE(HEADER_BYTES), time: bytes.readDoubleLE(5), sizeBytes };
  }
  if (sizeBytes < HEADER_BYTES || bytes.readUInt8(0) !== VERSION) {
    throw new LogDamagedError(
      first,
      `not a segment of version ${VERSION}; it was damaged or written by a newer version.`,
    );
  }
  return { first, count: bytes.readUInt32LE(1), time: bytes.readDoubleLE(5), sizeBytes };
}

/**
 * Checks a stored segment's frames against its length.
 *
 * @throws LogDamagedError when they do not fit
 */
export function decode(first: number, bytes: Buffer): Segment {
  const { count, time } = summarize(first, bytes, bytes.length);
  if (bytes.readUInt8(0) === GAP_VERSION) return gapSegment(first, count, time);
  if (count > (bytes.length - HEADER_BYTES) / FRAME_BYTES) {
    throw new LogDamagedError(first, `its segment claims ${count} records, more than ${bytes.length} bytes can hold.`);
  }
  const offsets = new Uint32Array(count);
  let offset = HEADER_BYTES;
  for (let index = 0; index < count; index++) {
    offsets[index] = offset;
    if (offset + FRAME_BYTES > bytes.length) {
      throw new LogDamagedError(first + index, 'its frame begins beyond the end of the segment.');
    }
    offset += FRAME_BYTES + bytes.readUInt32LE(offset);
  }
  if (offset !== bytes.length) {
    throw new LogDamagedError(first, `its segment's frames take ${offset} bytes and the segment has ${bytes.length}.`);
  }
  return { first, count, time, bytes, offsets };
}

/** Position of a segment's last record. */
export function lastOf(segment: Pick<Segment, 'first' | 'count'>): number {
  return segment.first + segment.count - 1;
}

/** Record at `position`, which must lie in the segment. The data is a view that keeps the segment in memory. */
export function entryAt(segment: Segment, position: number): LogEntry {
  const offset = segment.offsets[position - segment.first];
  if (offset === undefined) throw new LogDamagedError(position, 'not in its segment.');
  const code = segment.bytes.readUInt8(offset + 4);
  const type = TYPES_BY_CODE.get(code);
  if (type === undefined) {
    throw new LogDamagedError(position, `unknown type number ${code}; it was damaged or written by a newer version.`);
  }
  const begin = offset + FRAME_BYTES;
  return { position, type, data: segment.bytes.subarray(begin, begin + segment.bytes.readUInt32LE(offset)) };
}
