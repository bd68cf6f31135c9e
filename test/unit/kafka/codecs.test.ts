import { assert, array, constantFrom, oneof, property, uint8Array, nat } from 'fast-check';
import { compress } from 'snappyjs';
import { describe, expect, it } from 'vitest';
import { CODECS } from '../../../src/kafka/codec/codecs.js';
import { crc32c } from '../../../src/kafka/codec/crc32c.js';
import { snappyDecompress } from '../../../src/kafka/codec/snappy.js';
import { zstdDecompress, zstdStore } from '../../../src/kafka/codec/zstd.js';

const MIB = 1024 * 1024;
/** Runs, repetitions and noise: what the match finders meet. */
const anyBytes = array(
  oneof(
    uint8Array({ maxLength: 100 }),
    nat({ max: 5_000 }).map((length) => new Uint8Array(length).fill(7)),
    constantFrom(Buffer.from('{"tool":"read_file","path":"/etc/hosts"}'.repeat(20))),
  ),
  { maxLength: 30 },
).map((parts) => Buffer.concat(parts));

describe.each([...CODECS.values()])('$name', (codec) => {
  const pack = (bytes: Buffer): Buffer => codec.compress(bytes);
  const decompress = (bytes: Buffer, maxBytes: number): Buffer => codec.decompress(bytes, maxBytes);

  it('gives back what was put in', () => {
    const roundTrip = property(anyBytes, (bytes) => decompress(pack(bytes), MIB).equals(bytes));
    expect(() => assert(roundTrip, { numRuns: 200 })).not.toThrow();
    const large = Buffer.alloc(300_000, 'abcdefghijklmnop 0123456789');
    expect(decompress(pack(large), MIB).equals(large)).toBe(true);
  });

  it('refuses more than it may give, and ends with an error on what it cannot read', () => {
    const packed = pack(Buffer.alloc(200_000, 'abc'));
    expect(() => decompress(packed, 199_999)).toThrow(/larger than|too big|more than/);
    // Before Node has zstd of its own, what is written with it is only stored.
    expect(packed.length).toBeLessThan(codec.name === 'zstd' ? 201_000 : 20_000);
    expect(decompress(packed, 200_000)).toHaveLength(200_000);
    const damaged = property(nat({ max: packed.length - 1 }), nat({ max: 255 }), (at, byte) => {
      const other = Buffer.from(packed);
      other.writeUInt8(byte, at);
      try {
        return decompress(other, MIB).length <= MIB;
      } catch (error) {
        return error instanceof Error;
      }
    });
    expect(() => assert(damaged, { numRuns: 100 })).not.toThrow();
  });
});

describe('forms of other writers', () => {
  it('reads snappy without framing', () => {
    const bytes = Buffer.from('abc'.repeat(1_000));
    expect(snappyDecompress(compress(bytes), MIB).equals(bytes)).toBe(true);
    expect(() => snappyDecompress(compress(bytes), 100)).toThrow(/too big/);
  });

  it('reads stored zstd of several blocks, and refuses a window of gigabytes before it is allocated', () => {
    const bytes = Buffer.alloc(400_000, 'stored');
    expect(zstdDecompress(zstdStore(bytes), MIB).equals(bytes)).toBe(true);
    const wide = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00]);
    expect(() => zstdDecompress(wide, MIB)).toThrow(/window|memory|frame/i);
  });
});

describe('CRC-32C', () => {
  // RFC 3720, appendix B.4, and the customary check value.
  it.each([
    [Buffer.alloc(32), 0x8a9136aa],
    [Buffer.alloc(32, 0xff), 0x62a8ab43],
    [Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
    [Buffer.from('123456789'), 0xe3069283],
    [Buffer.alloc(0), 0],
  ])('of %o', (bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });
});
