/** A row as ClickHouse sends it: 64-bit integers as texts, absent texts empty. */
export type RawRow = Record<string, unknown>;

/** A stored row that does not have the shape this program writes. */
export class StoredShapeError extends Error {
  override name = 'StoredShapeError';
}

export function text(row: RawRow, name: string): string {
  const value = row[name];
  if (typeof value !== 'string') throw new StoredShapeError(`column ${name} is not a text`);
  return value;
}

export function texts(row: RawRow, name: string): string[] {
  const value = row[name];
  if (!Array.isArray(value)) throw new StoredShapeError(`column ${name} is not a list`);
  return value.map(String);
}

export function list(row: RawRow, name: string): RawRow[] {
  const value: unknown = row[name];
  if (!Array.isArray(value)) throw new StoredShapeError(`column ${name} is not a list`);
  return value;
}

export function integer(row: RawRow, name: string): number {
  const value = Number(row[name]);
  if (!Number.isSafeInteger(value)) throw new StoredShapeError(`column ${name} is not a whole number`);
  return value;
}

export function real(row: RawRow, name: string): number {
  const value = Number(row[name]);
  if (Number.isNaN(value)) throw new StoredShapeError(`column ${name} is not a number`);
  return value;
}

export function oneOf<const T extends string>(row: RawRow, name: string, allowed: readonly T[]): T {
  const value = allowed.find((item) => item === row[name]);
  if (value === undefined) throw new StoredShapeError(`column ${name} has an unknown value`);
  return value;
}

export function optionalText<const N extends string>(row: RawRow, name: N): { [K in N]?: string } {
  const value = row[name];
  const result: { [K in N]?: string } = {};
  if (typeof value === 'string' && value !== '') result[name] = value;
  return result;
}

export function optionalInteger<const N extends string>(row: RawRow, name: N): { [K in N]?: number } {
  const value = row[name];
  const result: { [K in N]?: number } = {};
  if (value !== null && value !== undefined) result[name] = integer(row, name);
  return result;
}

/** A list of hashes or other small whole numbers. */
export function numbers(row: RawRow, name: string): number[] {
  const value = row[name];
  if (!Array.isArray(value)) throw new StoredShapeError(`column ${name} is not a list`);
  return value.map(Number);
}
