import { crc32c } from '../../../src/kafka/codec/crc32c.js';

export interface BatchOptions {
  baseOffset?: number;
  /** Of records that compaction took away behind the last one. */
  missingAtEnd?: number;
  /** Number of the codec, and what it makes of the records. */
  codec?: { number: number; compress: (records: Buffer) => Buffer };
  isControl?: boolean;
}

/** A record batch of format 2, as a broker serves it. */
export function recordBatch(values: readonly string[], options: BatchOptions = {}): Buffer {
  const { baseOffset = 0, missingAtEnd = 0, codec, isControl = false } = options;
  const plain = Buffer.concat(values.map((value, index) => oneRecord(value, index)));
  const records = codec === undefined ? plain : codec.compress(plain);
  const batch = Buffer.alloc(61 + records.length);
  batch.writeBigInt64BE(BigInt(baseOffset), 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt8(2, 16);
  batch.writeInt16BE((codec?.number ?? 0) | (isControl ? 0x20 : 0), 21);
  batch.writeInt32BE(values.length - 1 + missingAtEnd, 23);
  batch.writeBigInt64BE(1_700_000_000_000n, 27);
  batch.writeBigInt64BE(1_700_000_000_000n, 35);
  batch.writeBigInt64BE(-1n, 43);
  batch.writeInt32BE(values.length, 57);
  records.copy(batch, 61);
  return sealed(batch);
}

/** The batch with a checksum that fits. */
export function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

function oneRecord(value: string, index: number): Buffer {
  const bytes = Buffer.from(value);
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(index * 10),
    varint(index),
    varint(-1),
    varint(bytes.length),
    bytes,
    varint(1),
    varint(1),
    Buffer.from('h'),
    varint(-1),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  bytes.push(left);
  return Buffer.from(bytes);
}
