/** Whether a name matches a pattern: itself, or a beginning followed by `*`. No other wildcard, so no backtracking. */
export function matchesName(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

/** Whether any of the patterns matches. */
export function matchesAny(patterns: readonly string[], name: string): boolean {
  for (const pattern of patterns) if (matchesName(pattern, name)) return true;
  return false;
}
