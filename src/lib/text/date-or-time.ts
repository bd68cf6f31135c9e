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
