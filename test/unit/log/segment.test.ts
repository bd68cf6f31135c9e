import { describe, expect, it } from 'vitest';
import { SegmentCache } from '../../../src/log/segment-cache.js';
import { decode, entryAt, framedBytes, layOut, type Segment } from '../../../src/log/segment.js';
import { sampleRecord } from '../../support/log-record-sample.js';

function segmentsOf(count: number, capBytes: number): Segment[] {
  return layOut(
    1,
    Array.from({ length: count }, (_, index) => sampleRecord(index + 1)),
    1234,
    capBytes,
  );
}

describe('segments', () => {
  it('hold every record once, below the cap, and a larger record alone', () => {
    const segments = segmentsOf(200, 4000);
    expect(segments.every(({ bytes }) => bytes.length <= 4000)).toBe(true);
    expect(segments.reduce((total, { count }) => total + count, 0)).toBe(200);
    expect(
      segments.every(
        (segment, index) => segment.first === 1 + segments.slice(0, index).reduce((sum, { count }) => sum + count, 0),
      ),
    ).toBe(true);
    const [big] = layOut(7, [{ type: 'payload', data: Buffer.alloc(9000) }], 0, 4000);
    expect(big).toMatchObject({ first: 7, count: 1 });
  });

  it('survive being stored', () => {
    for (const segment of segmentsOf(50, 5000)) {
      const stored = decode(segment.first, Buffer.from(segment.bytes));
      expect(stored).toEqual(segment);
      for (let position = stored.first; position < stored.first + stored.count; position++) {
        expect(entryAt(stored, position)).toEqual({ position, ...sampleRecord(position) });
      }
    }
  });

  it('are refused when damaged, by position', () => {
    const [segment] = segmentsOf(5, 100_000);
    const bytes = segment?.bytes ?? Buffer.alloc(0);
    expect(() => decode(1, bytes.subarray(0, 5))).toThrow(/position 1: not a segment/);
    expect(() => decode(1, bytes.subarray(0, -1))).toThrow(/position 1: its segment's frames take/);
    const many = Buffer.from(bytes);
    many.writeUInt32LE(0xffffffff, 1);
    expect(() => decode(1, many)).toThrow(/claims 4294967295 records/);
    const long = Buffer.from(bytes);
    long.writeUInt32LE(1_000_000, 13);
    expect(() => decode(1, long)).toThrow(/position 2: its frame begins beyond the end/);
    const newer = Buffer.from(bytes);
    newer.writeUInt8(200, 17);
    expect(() => entryAt(decode(1, newer), 1)).toThrow(/position 1: unknown type number 200/);
  });
});

describe('the segment cache', () => {
  it('keeps the newest within its bytes, always the very newest, and finds by position', () => {
    const segments = segmentsOf(3000, 3000);
    const cache = new SegmentCache(20_000);
    for (const segment of segments) {
      cache.append(segment);
      expect(cache.find(segment.first)).toBe(segment);
    }
    expect(cache.bytes).toBeLessThanOrEqual(20_000);
    expect(cache.find(1)).toBeUndefined();
    expect(cache.find(2999)).toBe(segments.find(({ first, count }) => first <= 2999 && first + count > 2999));
    const held = segments.filter(({ first }) => cache.find(first) !== undefined).length;
    expect(cache.evicted).toBe(segments.length - held);
    const tiny = new SegmentCache(1);
    for (const segment of segments.slice(0, 3)) tiny.append(segment);
    expect(segments.slice(0, 3).map(({ first }) => tiny.find(first) !== undefined)).toEqual([false, false, true]);
  });

  it('keeps the few segments that lagging readers are in', () => {
    const segments = segmentsOf(100, 3000);
    const cache = new SegmentCache(1);
    for (const segment of segments.slice(0, 5)) cache.addLoaded(segment);
    expect(segments.slice(0, 5).map(({ first }) => cache.find(first) !== undefined)).toEqual([
      false,
      true,
      true,
      true,
      true,
    ]);
    cache.forgetLoaded();
    expect(cache.find(segments[1]?.first ?? 0)).toBeUndefined();
  });

  it('counts a frame as what it takes', () => {
    const sample = sampleRecord(3);
    expect(layOut(1, [sample], 0, 1)[0]?.bytes.length).toBe(13 + framedBytes(sample));
  });
});
