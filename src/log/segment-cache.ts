import { lastOf, type Segment } from './segment.js';

/** Segments loaded from the store that are kept: one for each of the few readers that lag behind. */
const LOADED_SEGMENTS = 4;

/** Drops the gap at the front of the array only once it is this long. */
const COMPACT_AFTER = 1024;

/**
 * The newest segments, in memory from the moment they are written, so that a reader at the head never touches the
 * store; and the few that lagging readers are in.
 */
export class SegmentCache {
  readonly #capacityBytes: number;
  readonly #loaded: Segment[] = [];
  /** Contiguous and ascending from `#begin` on. */
  #newest: (Segment | undefined)[] = [];
  #begin = 0;
  #bytes = 0;
  #evicted = 0;

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes;
  }

  /** Bytes of the newest segments held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Segments pushed out of memory so far. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Adds the segment that follows the newest one. The newest is always kept, however large. */
  append(segment: Segment): void {
    this.#newest.push(segment);
    this.#bytes += weight(segment);
    while (this.#bytes > this.#capacityBytes && this.#begin < this.#newest.length - 1) {
      const oldest = this.#newest[this.#begin];
      if (oldest === undefined) break;
      // The slot must keep no segment's memory alive: there are a thousand before the gap is dropped.
      this.#newest[this.#begin++] = undefined;
      this.#bytes -= weight(oldest);
      this.#evicted++;
    }
    if (this.#begin >= COMPACT_AFTER && this.#begin * 2 >= this.#newest.length) {
      this.#newest = this.#newest.slice(this.#begin);
      this.#begin = 0;
    }
  }

  /** Remembers a segment read from the store. */
  addLoaded(segment: Segment): void {
    if (this.#loaded.length >= LOADED_SEGMENTS) {
      this.#loaded.shift();
      this.#evicted++;
    }
    this.#loaded.push(segment);
  }

  /** The segment that holds `position`, where it is in memory. */
  find(position: number): Segment | undefined {
    let low = this.#begin;
    let high = this.#newest.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const segment = this.#newest[middle];
      if (segment === undefined) break;
      if (position < segment.first) high = middle - 1;
      else if (position > lastOf(segment)) low = middle + 1;
      else return segment;
    }
    return this.#loaded.find((segment) => position >= segment.first && position <= lastOf(segment));
  }

  /** Forgets every loaded segment; positions before the log's tail are refused before the cache is asked. */
  forgetLoaded(): void {
    this.#loaded.length = 0;
  }
}

/** What a segment costs in memory: its bytes, its offsets and about 200 bytes of objects. */
function weight(segment: Segment): number {
  return segment.bytes.length + segment.offsets.byteLength + 200;
}
