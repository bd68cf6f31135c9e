const LONGEST_COMPARED = 64;

/**
 * The name a person most likely meant. `session_calls`, `sessioncalls` and `calls` all find `session.calls`.
 *
 * @returns undefined when nothing is close enough to be worth suggesting
 */
export function nearestName(wrong: string, names: Iterable<string>): string | undefined {
  const wanted = plain(wrong);
  if (wanted === '' || wanted.length > LONGEST_COMPARED) return undefined;
  const tolerance = Math.max(1, Math.floor(wanted.length / 3));
  let best: string | undefined;
  let bestDistance = tolerance + 1;
  for (const name of names) {
    const tail = name.slice(name.lastIndexOf('.') + 1);
    // A match of the last part alone is a weaker hint than a match of the whole name.
    const distance = Math.min(editDistance(wanted, plain(name)), editDistance(wanted, plain(tail)) + 0.5);
    if (distance >= bestDistance) continue;
    best = name;
    bestDistance = distance;
  }
  return best;
}

/** `; did you mean "x"?`, or nothing. */
export function didYouMean(wrong: string, names: Iterable<string>): string {
  const best = nearestName(wrong, names);
  return best === undefined ? '' : `; did you mean "${best}"?`;
}

/** Case, dots, dashes and underscores are what people mix up first. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll('_', '').replaceAll('-', '').replaceAll('.', '');
}

/** Optimal string alignment distance (Damerau-Levenshtein without repeated edits of one substring). */
function editDistance(a: string, b: string): number {
  if (b.length > LONGEST_COMPARED) return Infinity;
  let twoAgo: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, at(twoAgo, j - 2) + 1);
      row.push(cost);
    }
    twoAgo = last;
    last = row;
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Infinity;
}
