/** LMDB allows 1978 bytes; less keeps the tree's inner pages wide. */
const MAX_KEY_BYTES = 512;

/** In the meta database, before the name of a cursor. */
export const CURSOR_PREFIX = 'cursor:';

export function isStateKey(key: string): boolean {
  // At most three bytes a code unit: most keys need no second look.
  return key.length > 0 && (key.length * 3 <= MAX_KEY_BYTES || Buffer.byteLength(key) <= MAX_KEY_BYTES);
}

export function isCursorName(name: string): boolean {
  return /^[a-z0-9-]{1,64}$/.test(name);
}

/** @throws RangeError for a state key that is empty or too long */
export function checkedKey(key: string): string {
  if (!isStateKey(key)) keyBytes(key);
  return key;
}

/** A state key as it is stored. @throws RangeError as {@link checkedKey} */
export function keyBytes(key: string): Buffer {
  const bytes = Buffer.from(key);
  if (bytes.length < 1 || bytes.length > MAX_KEY_BYTES) {
    throw new RangeError(`A state key must have 1 to ${MAX_KEY_BYTES} bytes, not ${bytes.length}: ${key.slice(0, 60)}`);
  }
  return bytes;
}

/** The name of a cursor, with a value that it may have. @throws RangeError for another */
export function checkedCursor(name: string, value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`Cursor ${name} cannot be ${value}.`);
  return name;
}

/** Key of a cursor in the meta database. @throws RangeError for a name of other letters */
export function cursorKey(name: string): string {
  if (!isCursorName(name)) {
    throw new RangeError(`A cursor's name is lower-case letters, digits and hyphens, not ${JSON.stringify(name)}.`);
  }
  return CURSOR_PREFIX + name;
}
