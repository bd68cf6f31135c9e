import { isAlphanumeric, isCurrencySign, isDigit, isLetter } from './char-class.js';

/** What a piece of text looks like, by its shape alone. */
export type ValueKind = 'email' | 'url' | 'host' | 'iban' | 'file' | 'amount' | 'number' | 'date' | 'id' | 'word';

/** Longer pieces are taken as plain words: no address or number is that long. */
const MAX_SHAPED_CHARS = 2048;
const SCHEMES = ['https://', 'http://', 'ftp://', 'ftps://', 'file://', 's3://', 'ws://', 'wss://'];
const CURRENCY_NAMES = new Set(['usd', 'eur', 'gbp', 'chf', 'jpy', 'cny', 'inr', 'cad', 'aud', 'btc', 'eth']);
/** Last labels that mark a file and not a host, where a name like `report.pdf` could be either. */
const FILE_ENDINGS = new Set(
  'txt md csv tsv json jsonl xml yaml yml toml ini cfg conf log pdf doc docx xls xlsx ppt pptx odt ods png jpg jpeg gif svg webp mp3 mp4 mov avi zip tar gz tgz bz2 7z py js ts tsx jsx java c cpp h rs go rb php sh bat ps1 exe dll so html htm css sql db sqlite key pem crt env bak ics eml'.split(
    ' ',
  ),
);

/** Classifies one piece of text without white space, in one pass over it. */
export function valueKind(piece: string): ValueKind {
  if (piece.length > MAX_SHAPED_CHARS || piece.length === 0) return 'word';
  // Most pieces are plain words: settled without measuring anything.
  if (allLetters(piece)) return 'word';
  const shape = measure(piece);
  if (isUrl(piece)) return 'url';
  if (shape.at > 0 && shape.at === shape.lastAt && isHostName(piece.slice(shape.at + 1))) return 'email';
  if (isPath(piece, shape)) return 'file';
  if (shape.digits > 0) {
    if (isIban(piece)) return 'iban';
    const numeric = numericKind(piece, shape);
    if (numeric !== undefined) return numeric;
  }
  const dotted = dottedKind(piece, shape);
  if (dotted !== undefined) return dotted;
  if (shape.digits > 0 && shape.letters > 0 && piece.length >= 4) return 'id';
  return 'word';
}

/** Two capital letters, two digits, 11 to 30 capital letters or digits. */
export function isIban(piece: string): boolean {
  if (piece.length < 15 || piece.length > 34) return false;
  for (let i = 0; i < piece.length; i++) {
    const code = piece.charCodeAt(i);
    const upper = code >= 65 && code <= 90;
    if (i < 2 ? !upper : i < 4 ? !isDigit(code) : !upper && !isDigit(code)) return false;
  }
  return true;
}

/** `host.example.org`, also with a port; at least two labels, the last one letters only. */
export function isHostName(text: string): boolean {
  const colon = text.indexOf(':');
  const name = colon === -1 ? text : text.slice(0, colon);
  if (name.length > 253 || name.length < 4) return false;
  let labelStart = 0;
  let labels = 0;
  for (let i = 0; i <= name.length; i++) {
    const code = i < name.length ? name.charCodeAt(i) : 46;
    if (code === 46) {
      if (i === labelStart) return false;
      labels++;
      if (i === name.length) break;
      labelStart = i + 1;
    } else if (!isAlphanumeric(code) && code !== 45 && code !== 95) return false;
  }
  const last = name.slice(labelStart);
  return labels >= 2 && last.length >= 2 && last.length <= 24 && allLetters(last);
}

interface Shape {
  digits: number;
  letters: number;
  dots: number;
  slashes: number;
  colons: number;
  dashes: number;
  others: number;
  at: number;
  lastAt: number;
  lastDot: number;
}

function measure(piece: string): Shape {
  const shape: Shape = {
    digits: 0,
    letters: 0,
    dots: 0,
    slashes: 0,
    colons: 0,
    dashes: 0,
    others: 0,
    at: -1,
    lastAt: -1,
    lastDot: -1,
  };
  for (let i = 0; i < piece.length; i++) {
    const code = piece.charCodeAt(i);
    if (isDigit(code)) shape.digits++;
    else if (code === 46) {
      shape.dots++;
      shape.lastDot = i;
    } else if (code === 47 || code === 92) shape.slashes++;
    else if (code === 58) shape.colons++;
    else if (code === 45) shape.dashes++;
    else if (code === 64) {
      if (shape.at === -1) shape.at = i;
      shape.lastAt = i;
    } else if (isLetter(code)) shape.letters++;
    else shape.others++;
  }
  return shape;
}

function isUrl(piece: string): boolean {
  const start = piece.slice(0, 8).toLowerCase();
  if (start.startsWith('www.')) return piece.length > 6;
  return SCHEMES.some((scheme) => start.startsWith(scheme) && piece.length > scheme.length);
}

function isPath(piece: string, shape: Shape): boolean {
  if (shape.slashes === 0) return false;
  const first = piece.charCodeAt(0);
  if (first === 47 || first === 126 || piece.startsWith('./') || piece.startsWith('../')) return piece.length > 1;
  if (piece.charCodeAt(1) === 58 && (piece.charCodeAt(2) === 92 || piece.charCodeAt(2) === 47)) return true;
  return shape.letters > 0 && shape.lastDot > 0 && FILE_ENDINGS.has(piece.slice(shape.lastDot + 1).toLowerCase());
}

function numericKind(piece: string, shape: Shape): ValueKind | undefined {
  const sign = isCurrencySign(piece.charCodeAt(0)) || isCurrencySign(piece.charCodeAt(piece.length - 1));
  if (sign && shape.letters === 0) return 'amount';
  if (shape.letters > 0) {
    if (shape.letters === 3 && CURRENCY_NAMES.has(lettersOf(piece))) return 'amount';
    // 2024-01-31T12:00:00Z and 10:30am
    const datelike = shape.digits >= 8 && shape.dashes >= 2 && shape.colons >= 1 && shape.letters <= 2;
    const timelike = shape.colons === 1 && shape.digits <= 4 && shape.letters === 2;
    return datelike || timelike ? 'date' : undefined;
  }
  if (shape.at !== -1) return undefined;
  const separated = shape.dashes === 2 || shape.slashes === 2 || shape.colons >= 1;
  if (separated && shape.digits >= 3 && shape.digits <= 14 && shape.others === 0) return 'date';
  if (shape.dots === 2 && shape.digits >= 4 && shape.digits <= 8 && shape.dashes === 0) return 'date';
  if (shape.dots >= 3 || shape.slashes > 0) return 'id';
  return 'number';
}

function dottedKind(piece: string, shape: Shape): ValueKind | undefined {
  if (shape.lastDot <= 0 || shape.letters === 0) return undefined;
  if (FILE_ENDINGS.has(piece.slice(shape.lastDot + 1).toLowerCase())) return 'file';
  const slash = piece.indexOf('/');
  return isHostName(slash === -1 ? piece : piece.slice(0, slash)) ? (slash === -1 ? 'host' : 'url') : undefined;
}

function lettersOf(piece: string): string {
  let letters = '';
  for (let i = 0; i < piece.length; i++) if (isLetter(piece.charCodeAt(i))) letters += piece.charAt(i);
  return letters.toLowerCase();
}

function allLetters(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!isLetter(text.charCodeAt(i))) return false;
  return true;
}
