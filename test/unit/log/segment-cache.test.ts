import { describe, expect, it } from 'vitest';
import { SegmentCache } from '../../../src/log/segment-cache.js';
import type { Segment } from '../../../src/log/segment.js';
import { retainedBytes } from '../../support/heap.js';

const KIB = 2 ** 10;
const SEGMENT_BYTES = 64 * KIB;

function segment(first: number): Segment {
  // Of its own: small buffers share one.
  return { first, count: 1, time: 0, bytes: Buffer.alloc(SEGMENT_BYTES), offsets: new Uint32Array(1) };
}

describe('the newest segments', () => {
  it('are found by position as long as they are held, and not after', () => {
    const cache = new SegmentCache(4 * SEGMENT_BYTES);
    for (let first = 1; first <= 3_000; first++) cache.append(segment(first));
    expect(cache.find(3_000)?.first).toBe(3_000);
    expect(cache.find(2_998)?.first).toBe(2_998);
    expect(cache.find(2_000)).toBeUndefined();
    expect(cache.find(3_001)).toBeUndefined();
  });

  it('hold no more memory than their capacity, long before the list of them is shortened', async () => {
    const cache = new SegmentCache(4 * SEGMENT_BYTES);
    const before = await retainedBytes();
    for (let first = 1; first <= 500; first++) cache.append(segment(first));
    const held = (await retainedBytes()) - before;
    expect(cache.bytes).toBeLessThanOrEqual(4 * SEGMENT_BYTES);
    expect(cache.evicted).toBeGreaterThan(490);
    // What 500 segments would be is 31 MiB.
    expect(held).toBeLessThan(2 * 2 ** 20);
  });
});
