/**
 * The LZ4 frame format as Kafka uses it (lz4_Frame_format.md, lz4_Block_format.md in the lz4 repository): reading with a
 * bound on what comes out, and a plain greedy writer. Kafka's own reader takes only independent blocks, so those are
 * what is written. Checksums of content and blocks are passed over: the record batch around them has one.
 */
const MAGIC = 0x184d2204;
const VERSION = 0x40;
const INDEPENDENT = 0x20;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const DICTIONARY = 0x01;
const STORED = 0x8000_0000;
const BLOCK_BYTES = 64 * 1024;
/** Block size field for 64 KiB. */
const BLOCK_SIZE_ID = 4;
const MIN_MATCH = 4;
/** The last match begins at least so far from the end, and the last bytes are literals. */
const MATCH_LIMIT = 12;
const LAST_LITERALS = 5;
const HASH_BITS = 14;

/** Output that grows up to a bound. */
class Output {
  bytes: Buffer;
  length = 0;
  readonly #max: number;

  constructor(size: number, max: number) {
    this.#max = max;
    this.bytes = Buffer.allocUnsafe(Math.min(max, Math.max(size, 1_024)));
  }

  reserve(count: number): void {
    const needed = this.length + count;
    if (needed > this.#max) throw new Error(`more than ${this.#max} bytes when decompressed`);
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.min(this.#max, Math.max(needed, this.bytes.length * 2)));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
}

/** @throws Error when the bytes are no frame, or hold more than `maxBytes` */
export function lz4Decompress(frame: Buffer, maxBytes: number): Buffer {
  if (frame.length < 7 || frame.readUInt32LE(0) !== MAGIC) throw new Error('not an LZ4 frame');
  const flags = frame.readUInt8(4);
  if ((flags & 0xc0) !== VERSION) throw new Error('an LZ4 frame of another version');
  let at = 7 + (flags & CONTENT_SIZE ? 8 : 0) + (flags & DICTIONARY ? 4 : 0);
  const out = new Output(frame.length * 4, maxBytes);
  for (;;) {
    const field = frame.readUInt32LE(at);
    at += 4;
    if (field === 0) return out.bytes.subarray(0, out.length);
    const size = field & ~STORED;
    const end = at + size;
    if (end > frame.length) throw new Error('an LZ4 block that ends beyond its frame');
    if (field >= STORED) {
      out.reserve(size);
      frame.copy(out.bytes, out.length, at, end);
      out.length += size;
    } else readBlock(frame, at, end, out);
    at = end + (flags & BLOCK_CHECKSUM ? 4 : 0);
  }
}

function readBlock(from: Buffer, start: number, end: number, out: Output): void {
  let at = start;
  /** A length of 15 goes on in the next bytes, up to one that is not 255. */
  const longer = (length: number): number => {
    if (length !== 15) return length;
    let sum = length;
    for (;;) {
      if (at >= end) throw new Error('an LZ4 block that breaks off');
      const more = from[at++] ?? 0;
      sum += more;
      if (more !== 255) return sum;
    }
  };
  while (at < end) {
    const token = from[at++] ?? 0;
    const literals = longer(token >> 4);
    if (at + literals > end) throw new Error('an LZ4 block that breaks off');
    out.reserve(literals);
    from.copy(out.bytes, out.length, at, at + literals);
    out.length += literals;
    at += literals;
    if (at === end) return;
    if (at + 2 > end) throw new Error('an LZ4 block that breaks off');
    const distance = from.readUInt16LE(at);
    at += 2;
    const length = longer(token & 15) + MIN_MATCH;
    if (distance === 0 || distance > out.length) throw new Error('an LZ4 match from before the beginning');
    out.reserve(length);
    copyMatch(out, distance, length);
  }
}

/** A match may overlap what it writes: then it repeats. */
function copyMatch(out: Output, distance: number, length: number): void {
  const { bytes } = out;
  let to = out.length;
  let left = length;
  while (left > 0) {
    const span = Math.min(left, to - (out.length - distance));
    bytes.copy(bytes, to, out.length - distance, out.length - distance + span);
    to += span;
    left -= span;
  }
  out.length = to;
}

/** One frame of independent 64 KiB blocks. */
export function lz4Compress(data: Buffer): Buffer {
  const header = Buffer.alloc(7);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt8(VERSION | INDEPENDENT, 4);
  header.writeUInt8(BLOCK_SIZE_ID << 4, 5);
  header.writeUInt8((shortXxh32(header.subarray(4, 6)) >>> 8) & 0xff, 6);
  const parts: Buffer[] = [header];
  for (let from = 0; from < data.length; from += BLOCK_BYTES) {
    const block = data.subarray(from, from + BLOCK_BYTES);
    const written = writeBlock(block);
    const size = Buffer.alloc(4);
    const isStored = written.length >= block.length;
    size.writeUInt32LE(isStored ? block.length + STORED : written.length);
    parts.push(size, isStored ? block : written);
  }
  parts.push(Buffer.alloc(4));
  return Buffer.concat(parts);
}

function writeBlock(block: Buffer): Buffer {
  const out = Buffer.allocUnsafe(block.length + Math.ceil(block.length / 255) + 16);
  /** Where four bytes with this hash were seen last, plus one. */
  const seen = new Uint32Array(1 << HASH_BITS);
  let to = 0;
  let anchor = 0;
  const lengthRest = (rest: number): void => {
    let left = rest;
    for (; left >= 255; left -= 255) out[to++] = 255;
    out[to++] = left;
  };
  const literalsUpTo = (end: number, matchCode: number): void => {
    const count = end - anchor;
    out[to++] = (Math.min(count, 15) << 4) | matchCode;
    if (count >= 15) lengthRest(count - 15);
    to += block.copy(out, to, anchor, end);
  };
  let at = 0;
  while (at < block.length - MATCH_LIMIT) {
    const word = block.readUInt32LE(at);
    const hash = Math.imul(word, 2_654_435_761) >>> (32 - HASH_BITS);
    const candidate = (seen[hash] ?? 0) - 1;
    seen[hash] = at + 1;
    if (candidate < 0 || block.readUInt32LE(candidate) !== word) {
      at += 1;
      continue;
    }
    let length = MIN_MATCH;
    while (at + length < block.length - LAST_LITERALS && block[candidate + length] === block[at + length]) length += 1;
    literalsUpTo(at, Math.min(length - MIN_MATCH, 15));
    out.writeUInt16LE(at - candidate, to);
    to += 2;
    if (length - MIN_MATCH >= 15) lengthRest(length - MIN_MATCH - 15);
    at += length;
    anchor = at;
  }
  literalsUpTo(block.length, 0);
  return out.subarray(0, to);
}

/** xxHash32 with seed 0 of fewer than four bytes: all that a frame's header needs. */
function shortXxh32(bytes: Buffer): number {
  let hash = (0x165667b1 + bytes.length) | 0;
  for (const byte of bytes) {
    hash = (hash + Math.imul(byte, 0x165667b1)) | 0;
    hash = Math.imul((hash << 11) | (hash >>> 21), 0x9e3779b1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca77);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae3d);
  return (hash ^ (hash >>> 16)) >>> 0;
}
