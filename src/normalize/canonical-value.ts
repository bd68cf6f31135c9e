import { BREAK, classOf, isDigit, SPACE } from './char-class.js';
import { foldText } from './fold-text.js';
import { isIban, valueKind, type ValueKind } from './value-kind.js';

/**
 * One spelling for all spellings of the same value, so that equal values have equal hashes wherever they occur:
 * lower case, one blank between words, no surrounding quotes or punctuation; addresses without scheme, `www.` and
 * final slash; numbers without currency, separators and trailing zeros; IBANs without blanks.
 */
export function canonicalValue(value: string): string {
  const text = trimPunctuation(foldText(value));
  if (text === '') return '';
  const joined = withoutBlanks(text);
  if (joined.length <= 40 && isIban(joined)) return joined.toLowerCase();
  return joined.length === text.length ? canonicalPiece(text, valueKind(text)) : oneBlank(text).toLowerCase();
}

/** As `canonicalValue`, for a piece whose kind is known already. */
export function canonicalPiece(piece: string, kind: ValueKind): string {
  if (kind === 'amount' || kind === 'number') return canonicalNumber(piece) ?? piece.toLowerCase();
  if (kind === 'url' || kind === 'host') return canonicalUrl(piece);
  return piece.toLowerCase();
}

/** Host of an address in its canonical form: up to the first `/`, `?` or `#`, without user and port. */
export function hostOf(canonicalAddress: string): string {
  let end = 0;
  while (end < canonicalAddress.length) {
    const code = canonicalAddress.charCodeAt(end);
    if (code === 47 || code === 63 || code === 35) break;
    end++;
  }
  const authority = canonicalAddress.slice(0, end);
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  const colon = host.indexOf(':');
  return colon === -1 ? host : host.slice(0, colon);
}

function canonicalUrl(piece: string): string {
  let url = piece.toLowerCase();
  const scheme = url.indexOf('://');
  if (scheme !== -1 && scheme <= 6) url = url.slice(scheme + 3);
  if (url.startsWith('www.')) url = url.slice(4);
  let end = url.length;
  while (end > 0 && url.charCodeAt(end - 1) === 47) end--;
  return url.slice(0, end);
}

function canonicalNumber(piece: string): string | undefined {
  let digits = '';
  for (let i = 0; i < piece.length; i++) {
    const code = piece.charCodeAt(i);
    if (isDigit(code) || code === 46 || (code === 45 && digits === '')) digits += piece.charAt(i);
  }
  if (digits.length === 0 || digits.length > 17) return undefined;
  const value = Number(digits);
  return Number.isFinite(value) ? String(value) : undefined;
}

function trimPunctuation(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isEdge(text.charCodeAt(start))) start++;
  while (end > start && (isEdge(text.charCodeAt(end - 1)) || isStop(text.charCodeAt(end - 1)))) end--;
  return text.slice(start, end);
}

function isEdge(code: number): boolean {
  return (classOf(code) & (SPACE | BREAK)) !== 0;
}

function isStop(code: number): boolean {
  return code === 46 || code === 44 || code === 58;
}

function withoutBlanks(text: string): string {
  let joined = '';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if ((classOf(text.charCodeAt(i)) & SPACE) === 0) continue;
    joined += text.slice(from, i);
    from = i + 1;
  }
  return from === 0 ? text : joined + text.slice(from);
}

function oneBlank(text: string): string {
  let joined = '';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if ((classOf(text.charCodeAt(i)) & SPACE) === 0) continue;
    if (i > from) joined += `${text.slice(from, i)} `;
    from = i + 1;
  }
  return joined + text.slice(from);
}
