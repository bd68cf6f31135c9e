import { gunzipSync, gzipSync } from 'node:zlib';
import type { KafkaCompression } from '../../model/kafka-settings.js';
import { lz4Compress, lz4Decompress } from './lz4.js';
import { snappyCompress, snappyDecompress } from './snappy.js';
import { zstdCompress, zstdDecompress } from './zstd.js';

/** One compression of record batches. Reading is bounded: a batch of a few bytes may hold gigabytes. */
export interface Codec {
  name: KafkaCompression;
  compress(data: Buffer): Buffer;
  /** @throws Error when the bytes cannot be read, or hold more than `maxBytes` */
  decompress(data: Buffer, maxBytes: number): Buffer;
}

/** Largest batch after decompression, bytes. */
export const MAX_BATCH_BYTES = 64 * 1024 * 1024;

/** By the number that a batch carries. */
export const CODECS: ReadonlyMap<number, Codec> = new Map<number, Codec>([
  [
    1,
    {
      name: 'gzip',
      compress: (data) => gzipSync(data),
      decompress: (data, maxBytes) => gunzipSync(data, { maxOutputLength: maxBytes }),
    },
  ],
  [2, { name: 'snappy', compress: snappyCompress, decompress: snappyDecompress }],
  [3, { name: 'lz4', compress: lz4Compress, decompress: lz4Decompress }],
  [4, { name: 'zstd', compress: zstdCompress, decompress: zstdDecompress }],
]);
