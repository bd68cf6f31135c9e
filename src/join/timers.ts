/** A moment at which something falls due. `rank` decides between equal moments. */
export interface Timer<T> {
  /** Epoch ms, event time. */
  at: number;
  rank: number;
  subject: T;
}

/** A binary min-heap of timers: earliest first, equal moments by rank. */
export class TimerHeap<T> {
  readonly #heap: Timer<T>[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The moment of the earliest timer; Infinity when there is none. */
  get nextAt(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  push(timer: Timer<T>): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || !isBefore(timer, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = timer;
  }

  pop(): Timer<T> | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const moved = heap.pop();
    if (moved === undefined || moved === top) return top;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      let child = heap[down];
      if (child === undefined) break;
      const right = heap[down + 1];
      if (right !== undefined && isBefore(right, child)) {
        child = right;
        down++;
      }
      if (!isBefore(child, moved)) break;
      heap[at] = child;
      at = down;
    }
    heap[at] = moved;
    return top;
  }
}

function isBefore(a: Timer<unknown>, b: Timer<unknown>): boolean {
  return a.at < b.at || (a.at === b.at && a.rank < b.rank);
}
