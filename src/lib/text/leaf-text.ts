const MAX_DEPTH = 4;

/**
 * The values inside a JSON value as one text, names of fields left out, blanks between. Dates and times in figures
 * are left out too: they are worked out all the time and say nothing about what a value is about.
 *
 * @param maxChars where to stop; the text may end up longer by one value
 */
export function leafText(value: unknown, maxChars: number): string {
  return textOf(value, Math.max(0, maxChars), 0);
}

function textOf(value: unknown, maxChars: number, depth: number): string {
  if (typeof value === 'string') return isDateOrTime(value) ? '' : value.slice(0, maxChars + 1);
  if (typeof value === 'number') return String(value);
  if (value === null || typeof value !== 'object' || depth > MAX_DEPTH) return '';
  let text = '';
  for (const item of Object.values(value)) {
    text += `${textOf(item, maxChars - text.length, depth + 1)} `;
    if (text.length > maxChars) break;
  }
  return text;
}

/** `2024-05-01T10:00`, `12:30` and the like: figures with a dash or colon among them, and nothing else. */
export function isDateOrTime(value: string): boolean {
  if (value.length > 32 || value.length < 4) return false;
  let marks = 0;
  for (let i = 0; i < value.length; i++) {
    const c = value.charCodeAt(i);
    if (c === 45 || c === 58) marks++;
    else if (!((c >= 48 && c <= 57) || c === 32 || c === 46 || c === 84 || c === 90)) return false;
  }
  return marks > 0;
}
