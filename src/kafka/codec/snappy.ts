import { compress, uncompress } from 'snappyjs';

/** Java wraps snappy in the framing of snappy-java; others send it bare. Both are read. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const HEADER_BYTES = 16;
const BLOCK_BYTES = 32 * 1024;

/** @throws Error when the bytes are not snappy, or hold more than `maxBytes` */
export function snappyDecompress(data: Buffer, maxBytes: number): Buffer {
  if (!data.subarray(0, XERIAL.length).equals(XERIAL)) return uncompress(data, maxBytes);
  const parts: Buffer[] = [];
  let total = 0;
  for (let at = HEADER_BYTES; at < data.length;) {
    const size = data.readInt32BE(at);
    at += 4;
    if (size < 0 || at + size > data.length) throw new Error('a snappy block that ends beyond its frame');
    const part = uncompress(data.subarray(at, at + size), maxBytes - total);
    total += part.length;
    parts.push(part);
    at += size;
  }
  return Buffer.concat(parts, total);
}

/** In the framing that every Kafka client reads. */
export function snappyCompress(data: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  XERIAL.copy(header);
  header.writeInt32BE(1, 8);
  header.writeInt32BE(1, 12);
  const parts: Buffer[] = [header];
  for (let from = 0; from < data.length; from += BLOCK_BYTES) {
    const block = compress(data.subarray(from, from + BLOCK_BYTES));
    const size = Buffer.alloc(4);
    size.writeInt32BE(block.length);
    parts.push(size, block);
  }
  return Buffer.concat(parts);
}
