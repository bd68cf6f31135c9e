const BLOCKS = 32;

/**
 * Mean and standard deviation over about the latest `BLOCKS * blockSize` values, kept as sums of blocks: the oldest
 * block is dropped whole. Plain data: stored as it is.
 */
export interface BlockWindow {
  /** First value seen; sums are of distances from it, which keeps their squares exact. */
  origin: number;
  sums: Float64Array;
  squares: Float64Array;
  /** Block that is being filled, and values in it. */
  block: number;
  filled: number;
  /** Full blocks held. */
  full: number;
}

export function newBlockWindow(): BlockWindow {
  return {
    origin: Number.NaN,
    sums: new Float64Array(BLOCKS),
    squares: new Float64Array(BLOCKS),
    block: 0,
    filled: 0,
    full: 0,
  };
}

/** Size of a block for a window of so many values. */
export function blockSizeOf(values: number): number {
  return Math.max(1, Math.round(values / BLOCKS));
}

/** Values in the window. */
export function countOf({ full, filled }: BlockWindow, blockSize: number): number {
  return full * blockSize + filled;
}

/** @returns NaN for an empty window */
export function momentsOf(window: BlockWindow, blockSize: number): { mean: number; deviation: number } {
  const count = countOf(window, blockSize);
  let sum = 0;
  let square = 0;
  for (let i = 0; i < BLOCKS; i++) {
    sum += window.sums[i] ?? 0;
    square += window.squares[i] ?? 0;
  }
  const mean = sum / count;
  return { mean: window.origin + mean, deviation: Math.sqrt(Math.max(0, square / count - mean * mean)) };
}

export function addToWindow(window: BlockWindow, value: number, blockSize: number): void {
  if (Number.isNaN(window.origin)) window.origin = value;
  const { sums, squares, block } = window;
  const away = value - window.origin;
  sums[block] = (sums[block] ?? 0) + away;
  squares[block] = (squares[block] ?? 0) + away * away;
  if (++window.filled < blockSize) return;
  window.filled = 0;
  window.full = Math.min(BLOCKS - 1, window.full + 1);
  window.block = (block + 1) % BLOCKS;
  sums[window.block] = 0;
  squares[window.block] = 0;
}
