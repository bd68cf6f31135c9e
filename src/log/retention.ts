import { lastOf, type SegmentSummary } from './segment.js';

/** How much of what every reader has passed is kept all the same, for replay and backtest. */
export interface Retention {
  /** Beyond this many stored bytes the oldest records go. */
  maxBytes: number;
  /** Records older than this go, ms since their commit. */
  maxAgeMs: number;
}

export interface RetentionInput {
  /** Stored segments, oldest first; read only as far as needed. */
  segments: Iterable<SegmentSummary>;
  /** Bytes of all segments. */
  storedBytes: number;
  /** For every reader, the next position it will read. With no reader nothing is dropped. */
  nextPositions: readonly number[];
  retention: Retention;
  nowMs: number;
}

/**
 * The position before which the log may be truncated: old or surplus segments, but never one that a reader still
 * needs, however far behind it is.
 *
 * @returns a position for `truncateBefore`; 1 when nothing may go
 */
export function truncatablePosition(input: RetentionInput): number {
  const { retention, nowMs } = input;
  if (input.nextPositions.length === 0) return 1;
  const needed = Math.min(...input.nextPositions);
  let storedBytes = input.storedBytes;
  let position = 1;
  for (const segment of input.segments) {
    const surplus = storedBytes > retention.maxBytes || nowMs - segment.time > retention.maxAgeMs;
    if (!surplus || lastOf(segment) >= needed) break;
    position = lastOf(segment) + 1;
    storedBytes -= segment.sizeBytes;
  }
  return position;
}
