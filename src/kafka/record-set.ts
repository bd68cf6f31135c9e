import { createHash } from 'node:crypto';
import { CODECS, MAX_BATCH_BYTES } from './codec/codecs.js';
import { crc32c } from './codec/crc32c.js';

/** What kafkajs passes around as a fetched message; ours are told from poison by `poison`. */
export interface FetchedMessage {
  magicByte: number;
  attributes: number;
  /** Epoch ms and offset: kafkajs counts in decimal text. */
  timestamp: string;
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, Buffer>;
  /** Carries no data: it is passed over, and only moves the offset. */
  isControlRecord: boolean;
  batchContext: { producerId: string; inTransaction: boolean };
  poison?: UnreadableBatch;
}

/** A batch that cannot be read; its neighbours can. */
export interface UnreadableBatch {
  offset: number;
  lastOffset: number;
  cause: string;
  hash: string;
  bytes: number;
}

/** Bytes before what `length` counts, and the least that a batch of format 2 has in all. */
const LENGTH_END = 12;
const HEADER_BYTES = 61;
const MAX_OFFSETS_PER_BATCH = 10_000_000;

/**
 * Reads the batches of a fetch response (message format 2, KIP-98), in place of the library's own reader, which checks
 * no checksum, sets no bound on decompression, and lets one bad batch fail the fetch of every partition on that broker.
 * Here a batch that cannot be read becomes a message that says so, and the batches behind it are read.
 */
export function readRecordSet(bytes: Buffer): FetchedMessage[] {
  const messages: FetchedMessage[] = [];
  for (let at = 0; at + LENGTH_END <= bytes.length;) {
    const length = bytes.readInt32BE(at + 8);
    if (length < HEADER_BYTES - LENGTH_END) {
      // Without its length nothing behind it can be found either.
      messages.push(unreadable(bytes.subarray(at), `a batch of ${length} bytes`));
      return messages;
    }
    const end = at + LENGTH_END + length;
    // The last batch may be cut off where the response was full: it comes again, whole.
    if (end > bytes.length) break;
    readBatch(bytes.subarray(at, end), messages);
    at = end;
  }
  return messages;
}

function readBatch(batch: Buffer, messages: FetchedMessage[]): void {
  const before = messages.length;
  try {
    const magic = batch.readInt8(16);
    if (magic !== 2) throw new Error(`message format ${magic}; only 2 is read`);
    if (batch.readUInt32BE(17) !== crc32c(batch.subarray(21))) throw new Error('its checksum does not fit its bytes');
    readRecords(batch, messages);
  } catch (error) {
    messages.length = before;
    messages.push(unreadable(batch, error instanceof Error ? error.message : String(error)));
  }
}

function readRecords(batch: Buffer, messages: FetchedMessage[]): void {
  const baseOffset = Number(batch.readBigInt64BE(0));
  const attributes = batch.readInt16BE(21);
  const lastOffset = baseOffset + batch.readInt32BE(23);
  const firstTime = Number(batch.readBigInt64BE(27));
  const maxTime = Number(batch.readBigInt64BE(35));
  const batchContext = { producerId: batch.readBigInt64BE(43).toString(), inTransaction: (attributes & 0x10) !== 0 };
  const count = batch.readInt32BE(57);
  const isLogAppendTime = (attributes & 0x08) !== 0;
  const isControlRecord = (attributes & 0x20) !== 0;
  const reader = new RecordReader(decompressed(batch.subarray(HEADER_BYTES), attributes & 0x07));
  let offset = baseOffset - 1;
  for (let index = 0; index < count; index += 1) {
    const end = reader.varint() + reader.at;
    reader.at += 1;
    const ownTime = firstTime + reader.varlong();
    const time = isLogAppendTime ? maxTime : ownTime;
    offset = baseOffset + reader.varint();
    const key = reader.bytes();
    const value = reader.bytes();
    const headers = reader.headers();
    if (reader.at !== end) throw new Error('a record that is longer or shorter than it says');
    messages.push({
      magicByte: 2,
      attributes: 0,
      timestamp: String(time),
      offset: String(offset),
      key,
      value,
      headers,
      isControlRecord,
      batchContext,
    });
  }
  // Compaction leaves batches whose last records, or all, are gone: reading must get past their end.
  if (offset < lastOffset) messages.push(marker(lastOffset, batchContext));
}

function decompressed(body: Buffer, number: number): Buffer {
  if (number === 0) return body;
  const codec = CODECS.get(number);
  if (codec === undefined) throw new Error(`compressed by codec ${number}, which is unknown`);
  try {
    return codec.decompress(body, MAX_BATCH_BYTES);
  } catch (cause) {
    throw new Error(`${codec.name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function marker(offset: number, batchContext: FetchedMessage['batchContext']): FetchedMessage {
  return {
    magicByte: 2,
    attributes: 0,
    timestamp: '0',
    offset: String(offset),
    key: null,
    value: null,
    headers: {},
    isControlRecord: true,
    batchContext,
  };
}

function unreadable(batch: Buffer, cause: string): FetchedMessage {
  const offset = Number(batch.readBigInt64BE(0));
  const span = batch.length >= 27 ? batch.readInt32BE(23) : 0;
  const lastOffset = span >= 0 && span < MAX_OFFSETS_PER_BATCH ? offset + span : offset;
  const hash = createHash('sha256').update(batch).digest('hex');
  return {
    ...marker(lastOffset, { producerId: '-1', inTransaction: false }),
    isControlRecord: false,
    poison: { offset, lastOffset, cause, hash, bytes: batch.length },
  };
}

/** Reads the fields of records; every read beyond the end throws. */
class RecordReader {
  readonly #data: Buffer;
  at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  /** Zigzag, 32 bits. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#data.readUInt8(this.at++);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    throw new Error('a number that does not end');
  }

  /** Zigzag, as far as a number is exact. */
  varlong(): number {
    let value = 0;
    let scale = 1;
    for (let index = 0; index < 10; index += 1) {
      const byte = this.#data.readUInt8(this.at++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 128;
    }
    throw new Error('a number that does not end');
  }

  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const end = this.at + length;
    if (end > this.#data.length) throw new Error('a field that ends beyond its batch');
    const bytes = this.#data.subarray(this.at, end);
    this.at = end;
    return bytes;
  }

  /** Of headers with one name the last counts. */
  headers(): Record<string, Buffer> {
    const count = this.varint();
    if (count <= 0) return NO_HEADERS;
    const headers: Record<string, Buffer> = Object.create(null) as Record<string, Buffer>;
    for (let index = 0; index < count; index += 1) {
      const name = this.bytes();
      const value = this.bytes();
      if (name === null) throw new Error('a header without a name');
      headers[name.toString('utf8')] = value ?? EMPTY;
    }
    return headers;
  }
}

const EMPTY = Buffer.alloc(0);
const NO_HEADERS: Record<string, Buffer> = Object.freeze(Object.create(null) as Record<string, Buffer>);
