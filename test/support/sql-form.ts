/** Names of what a text of statements creates. */
export function createdNames(statements: readonly string[], what: 'TABLE' | 'VIEW'): string[] {
  const pattern = new RegExp(`^CREATE (?:OR REPLACE )?${what} (?:IF NOT EXISTS )?(?:\\w+\\.)?(\\w+)`);
  return [...new Set(statements.flatMap((statement) => pattern.exec(statement)?.[1] ?? []))].sort();
}

/** The statement as one server without a Keeper can run it. */
export function withoutOnCluster(statement: string): string {
  return statement.replaceAll(/ ON CLUSTER \w+/g, '');
}
