/**
 * Merges sequences that are each ordered by time into one. Equal times: the earlier sequence first, so that the same
 * input always gives the same order. Holds one item of each.
 */
export async function* mergeByTime<T extends { timeMs: number }>(
  sequences: readonly AsyncIterable<T>[],
): AsyncGenerator<T> {
  const iterators = sequences.map((s) => s[Symbol.asyncIterator]());
  const heads: (T | undefined)[] = [];
  const pull = async (at: number): Promise<void> => {
    const next = await iterators[at]?.next();
    heads[at] = next === undefined || next.done === true ? undefined : next.value;
  };
  try {
    for (const at of iterators.keys()) await pull(at);
    for (;;) {
      let first = -1;
      for (const [at, head] of heads.entries()) {
        const best = heads[first];
        if (head !== undefined && (best === undefined || head.timeMs < best.timeMs)) first = at;
      }
      const item = heads[first];
      if (item === undefined) return;
      yield item;
      await pull(first);
    }
  } finally {
    for (const iterator of iterators) await iterator.return?.();
  }
}
