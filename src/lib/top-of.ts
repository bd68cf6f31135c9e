/** The first of everything that was looked at, and how many there were. */
export interface Top<T> {
  items: T[];
  total: number;
}

/**
 * The first `limit` items by an order, without sorting all of them: what is not among the first costs one comparison.
 *
 * @param before negative where the first argument comes first, as for `Array.sort`
 */
export function topOf<T>(all: Iterable<T>, limit: number, before: (a: T, b: T) => number): Top<T> {
  const items: T[] = [];
  let total = 0;
  for (const item of all) {
    total++;
    const last = items.at(-1);
    if (items.length >= limit && (last === undefined || before(item, last) >= 0)) continue;
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const held = items[middle];
      if (held !== undefined && before(held, item) <= 0) low = middle + 1;
      else high = middle;
    }
    items.splice(low, 0, item);
    if (items.length > limit) items.pop();
  }
  return { items, total };
}
