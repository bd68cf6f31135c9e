import * as zlib from 'node:zlib';
import { Decompress } from 'fzstd';

/** Node has zstd of its own from 22.15 on; before that reading is done by fzstd, and what is written is only stored. */
type NativeZstd = (data: Uint8Array, options?: { maxOutputLength?: number }) => Buffer;
const MAGIC = 0xfd2fb528;
/** What zstd itself refuses above, unless it is told otherwise. */
const MAX_WINDOW_BYTES = 128 * 1024 * 1024;
const MAX_STORED_BYTES = 128 * 1024;
/** Single segment, with a content size of four bytes. */
const STORED_DESCRIPTOR = 0xa0;

/** @throws Error when the bytes are no zstd frame, or hold more than `maxBytes` */
export function zstdDecompress(data: Buffer, maxBytes: number): Buffer {
  const own = native('zstdDecompressSync');
  if (own !== undefined) return own(data, { maxOutputLength: maxBytes });
  checkWindow(data, Math.min(maxBytes, MAX_WINDOW_BYTES));
  const parts: Uint8Array[] = [];
  let total = 0;
  const stream = new Decompress((part) => {
    total += part.length;
    if (total > maxBytes) throw new Error(`more than ${maxBytes} bytes when decompressed`);
    parts.push(part);
  });
  // In slices: one call would have all its output in memory before the first part is counted.
  for (let from = 0; from < data.length; from += 4_096) {
    stream.push(data.subarray(from, from + 4_096), from + 4_096 >= data.length);
  }
  return Buffer.concat(parts, total);
}

/** A zstd frame: compressed where Node can, stored as it is elsewhere, which every reader takes as well. */
export function zstdCompress(data: Buffer): Buffer {
  return native('zstdCompressSync')?.(data) ?? zstdStore(data);
}

/** A frame of raw blocks (RFC 8878, section 3.1.1). */
export function zstdStore(data: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt8(STORED_DESCRIPTOR, 4);
  header.writeUInt32LE(data.length, 5);
  const parts: Buffer[] = [header];
  let from = 0;
  do {
    const block = data.subarray(from, from + MAX_STORED_BYTES);
    from += block.length;
    const blockHeader = Buffer.alloc(3);
    blockHeader.writeUIntLE((block.length << 3) | Number(from >= data.length), 0, 3);
    parts.push(blockHeader, block);
  } while (from < data.length);
  return Buffer.concat(parts);
}

/** A frame may ask for a window of gigabytes; refuse before any of it is allocated. */
function checkWindow(data: Buffer, maxBytes: number): void {
  if (data.length < 6 || data.readUInt32LE(0) !== MAGIC) throw new Error('not a zstd frame');
  const isSingleSegment = (data.readUInt8(4) & 0x20) !== 0;
  if (isSingleSegment) return;
  const descriptor = data.readUInt8(5);
  const base = 2 ** (10 + (descriptor >> 3));
  if (base + (base / 8) * (descriptor & 7) > maxBytes) throw new Error('a zstd window that is too large');
}

function native(name: 'zstdCompressSync' | 'zstdDecompressSync'): NativeZstd | undefined {
  const found: unknown = Reflect.get(zlib, name);
  // The types are those of the oldest Node that is supported, which has none of it.
  return typeof found === 'function' ? (found as NativeZstd) : undefined;
}
