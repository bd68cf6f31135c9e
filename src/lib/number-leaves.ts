/** Deepest level looked at. */
const MAX_DEPTH = 4;

/** All numbers of a value made of objects, by the names on the way to them: `{ a: { b: 1 } }` has `a / b`. */
export function numberLeaves(value: unknown): Map<string, number> {
  const leaves = new Map<string, number>();
  collect(value, '', 1, leaves);
  return leaves;
}

function collect(value: unknown, path: string, depth: number, leaves: Map<string, number>): void {
  if (typeof value === 'number') leaves.set(path, value);
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return;
  for (const [name, inner] of Object.entries(value)) {
    collect(inner, path === '' ? name : `${path} / ${name}`, depth + 1, leaves);
  }
}
