import { assert, property, uint8Array } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gzipSync } from 'node:zlib';
import { readRecordSet } from '../../../src/kafka/record-set.js';
import { recordBatch, sealed } from '../../support/kafka/batch.js';

function told(bytes: Buffer): unknown[] {
  return readRecordSet(bytes).map(({ offset, value, poison, isControlRecord }) => {
    if (poison !== undefined) return [`${poison.offset}-${poison.lastOffset}`, poison.cause];
    return [Number(offset), isControlRecord ? 'marker' : String(value)];
  });
}

describe('reading what a broker serves', () => {
  it('reads records with their offsets, times and headers, over several batches', () => {
    const bytes = Buffer.concat([recordBatch(['a', 'b']), recordBatch(['c'], { baseOffset: 2 })]);
    expect(told(bytes)).toEqual([
      [0, 'a'],
      [1, 'b'],
      [2, 'c'],
    ]);
    const [, second] = readRecordSet(bytes);
    expect(second).toMatchObject({ timestamp: '1700000000010', key: null, headers: { h: Buffer.alloc(0) } });
  });

  it('leaves out a batch that the response cut off, at whatever place', () => {
    const first = recordBatch(['a']);
    const bytes = Buffer.concat([first, recordBatch(['b'], { baseOffset: 1 })]);
    for (let length = first.length; length < bytes.length; length += 1) {
      expect(told(bytes.subarray(0, length))).toEqual([[0, 'a']]);
    }
  });

  it('gets past records that compaction took, and past markers of transactions', () => {
    const bytes = Buffer.concat([
      recordBatch(['a'], { missingAtEnd: 4 }),
      recordBatch([], { baseOffset: 5, missingAtEnd: 3 }),
      recordBatch(['end'], { baseOffset: 8, isControl: true }),
    ]);
    expect(told(bytes)).toEqual([
      [0, 'a'],
      [4, 'marker'],
      [7, 'marker'],
      [8, 'marker'],
    ]);
  });

  it('says of every damaged byte of a batch that it is damaged, and reads its neighbours', () => {
    const first = recordBatch(['a']);
    const second = recordBatch(['some words', 'more'], { baseOffset: 1 });
    const third = recordBatch(['z'], { baseOffset: 3 });
    // The length and what comes before it is not under the checksum; neither is the epoch of the leader.
    for (let at = 16; at < second.length; at += 1) {
      const damaged = Buffer.from(second);
      damaged.writeUInt8(damaged.readUInt8(at) ^ 0x40, at);
      const read = told(Buffer.concat([first, damaged, third]));
      expect([read[0], read.at(-1)]).toEqual([
        [0, 'a'],
        [3, 'z'],
      ]);
      expect(read).toHaveLength(3);
      expect(JSON.stringify(read[1])).toMatch(/checksum|message format/);
    }
  });

  it('does not read an unknown codec, a bomb, or records that break off, and says so', () => {
    const identity = (records: Buffer): Buffer => records;
    const bomb = gzipSync(Buffer.alloc(65 * 1024 * 1024), { level: 9 });
    expect(bomb.length).toBeLessThan(100_000);
    const broken = sealed(recordBatch(['a', 'b']).fill(0xff, 61));
    const wrongMagic = recordBatch(['a']);
    wrongMagic.writeInt8(1, 16);
    const cases: [Buffer, RegExp][] = [
      [recordBatch(['a', 'b'], { codec: { number: 5, compress: identity } }), /codec 5/],
      [recordBatch(['a', 'b'], { codec: { number: 1, compress: () => bomb } }), /gzip/],
      [recordBatch(['a', 'b'], { codec: { number: 3, compress: identity } }), /lz4: not an LZ4 frame/],
      [broken, /.+/],
      [wrongMagic, /message format 1/],
    ];
    for (const [bytes, cause] of cases) {
      const [poison, next] = readRecordSet(Buffer.concat([bytes, recordBatch(['next'], { baseOffset: 2 })]));
      expect(poison?.poison?.cause).toMatch(cause);
      expect(next?.value?.toString()).toBe('next');
    }
  });

  it('never throws, whatever it is given', () => {
    const anything = property(uint8Array({ maxLength: 300 }), uint8Array({ maxLength: 80 }), (bytes, records) => {
      readRecordSet(Buffer.from(bytes));
      const batch = recordBatch(['x'.repeat(records.length)]);
      Buffer.from(records).copy(batch, 61);
      return readRecordSet(sealed(batch)).every((message) => message.offset !== undefined);
    });
    expect(() => assert(anything, { numRuns: 500 })).not.toThrow();
  });
});
