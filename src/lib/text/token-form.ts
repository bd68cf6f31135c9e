/** What kind of thing a piece of text is by its form alone. */
export type TokenForm = 'word' | 'email' | 'url' | 'amount' | 'date' | 'file' | 'code';

/** Classifies one piece without white space by simple character tests. */
export function formOf(bare: string): TokenForm {
  if (bare.includes('@') && bare.includes('.')) return 'email';
  if (bare.startsWith('http') || bare.startsWith('www.') || bare.includes('://')) return 'url';
  if (isAmount(bare)) return bare.includes('-') || bare.includes(':') ? 'date' : 'amount';
  if (bare.includes('/') || isFileName(bare)) return 'file';
  return bare.length > 7 && hasDigit(bare) ? 'code' : 'word';
}

/** Starts with a digit and has at most two letters: 1,200.50 or 20kg, also 12:30 and 2024-05-01. */
function isAmount(bare: string): boolean {
  const first = bare.charCodeAt(0);
  if (first < 48 || first > 57) return false;
  let letters = 0;
  for (let i = 0; i < bare.length; i++) if (bare.charCodeAt(i) >= 65) letters++;
  return letters <= 2;
}

function hasDigit(bare: string): boolean {
  for (let i = 0; i < bare.length; i++) {
    const c = bare.charCodeAt(i);
    if (c >= 48 && c <= 57) return true;
  }
  return false;
}

function isFileName(bare: string): boolean {
  const dot = bare.lastIndexOf('.');
  return dot > 0 && bare.length - dot <= 5 && bare.length - dot >= 2;
}
