/** Classes of UTF-16 code units, by table for ASCII: the scanners look at every character exactly once. */
export const SPACE = 1;
export const DIGIT = 2;
export const LOWER = 4;
export const UPPER = 8;
/** A character that ends a chunk of text: brackets, quotes, list separators. */
export const BREAK = 16;

const table = new Uint8Array(128);
for (const c of ' \t\n\r\v\f') table[c.charCodeAt(0)] = SPACE;
for (let c = 48; c <= 57; c++) table[c] = DIGIT;
for (let c = 65; c <= 90; c++) table[c] = UPPER;
for (let c = 97; c <= 122; c++) table[c] = LOWER;
for (const c of '"\'`()[]{}<>|;=*!?^') table[c.charCodeAt(0)] = BREAK;

/** Class of a code unit; 0 for other ASCII punctuation. Letters beyond ASCII count as lower-case letters. */
export function classOf(code: number): number {
  // Also NaN, which charCodeAt gives behind the end of a text.
  if (!(code >= 128)) return table[code] ?? 0;
  if (isCurrencySign(code)) return 0;
  if (code === 0xa0 || code === 0x3000 || (code >= 0x2000 && code <= 0x200a)) return SPACE;
  // Latin-1 punctuation, general punctuation (typographic quotes, dashes), CJK punctuation.
  if (code < 0xc0 || (code >= 0x2010 && code <= 0x2060) || (code >= 0x3001 && code <= 0x303f)) return BREAK;
  return LOWER;
}

export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Letter or digit, of any script. */
export function isAlphanumeric(code: number): boolean {
  return (classOf(code) & (DIGIT | LOWER | UPPER)) !== 0;
}

export function isLetter(code: number): boolean {
  return (classOf(code) & (LOWER | UPPER)) !== 0;
}

/** `$` and its relatives: they belong to the number beside them. */
export function isCurrencySign(code: number): boolean {
  return code === 36 || code === 0xa3 || code === 0xa5 || (code >= 0x20a0 && code <= 0x20cf);
}
