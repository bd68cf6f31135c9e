import { formOf, type TokenForm } from './token-form.js';

/** One token of a text: a word, or something with a form of its own. */
export interface Token {
  form: TokenForm;
  text: string;
  /** It stands between quotation marks: dictated content rather than what is asked. */
  quoted: boolean;
}

const MAX_TOKENS = 1_200;
const MAX_TOKEN_CHARS = 200;
/** Longest run that counts as one word; the rest of it is passed over. */
const MAX_RUN_CHARS = 64;

/**
 * Cuts a text at white space and classifies each piece, in one pass over the text and without regular expressions.
 * Quotes are followed, so that dictated content can be told from the request itself.
 *
 * @param maxChars how far the text is looked at; at most 1,200 tokens come back
 */
export function tokens(text: string, maxChars: number): Token[] {
  const out: Token[] = [];
  const end = Math.min(text.length, maxChars);
  let quote = 0;
  let start = -1;
  for (let i = 0; i <= end; i++) {
    if (i < end && !isSpace(text.charCodeAt(i))) {
      if (start < 0) start = i;
      continue;
    }
    if (start < 0) continue;
    const piece = text.slice(start, Math.min(i, start + MAX_TOKEN_CHARS));
    start = -1;
    if (quote === 0) quote = CLOSING.get(piece.charCodeAt(0)) ?? 0;
    const bare = trimPunctuation(piece);
    if (bare.length > 0) {
      const form = formOf(bare);
      out.push({ form, text: bare, quoted: quote !== 0 });
      if (out.length >= MAX_TOKENS) return out;
    }
    if (quote !== 0 && closes(piece, quote)) quote = 0;
  }
  return out;
}

/**
 * Maximal runs of letters or digits in lower case: "Bob.Olive@x.com" gives bob, olive, x, com. Every character
 * outside ASCII counts as a letter.
 */
export function runs(text: string, maxRuns: number): string[] {
  const out: string[] = [];
  const lower = text.toLowerCase();
  eachRun(lower, maxRuns, (start, end) => out.push(lower.slice(start, end)));
  return out;
}

/** Where the runs of a text in lower case begin and end, without cutting them out. */
export function eachRun(lower: string, maxRuns: number, visit: (start: number, end: number) => void): void {
  let left = maxRuns;
  let start = -1;
  for (let i = 0; i <= lower.length && left > 0; i++) {
    if (i < lower.length && isRunChar(lower.charCodeAt(i))) {
      if (start < 0) start = i;
    } else if (start >= 0) {
      visit(start, Math.min(i, start + MAX_RUN_CHARS));
      start = -1;
      left--;
    }
  }
}

/** Closing quotation mark by opening one. */
const CLOSING = new Map([
  [0x27, 0x27],
  [0x22, 0x22],
  [0x60, 0x60],
  [0x2018, 0x2019],
  [0x201c, 0x201d],
]);

/** The mark may be followed by up to two characters of punctuation. */
function closes(piece: string, quote: number): boolean {
  for (let i = piece.length - 1; i >= 1 && i >= piece.length - 3; i--) if (piece.charCodeAt(i) === quote) return true;
  return false;
}

function isSpace(c: number): boolean {
  return c === 32 || (c >= 9 && c <= 13) || c === 0xa0;
}

function isRunChar(c: number): boolean {
  return (c >= 97 && c <= 122) || (c >= 48 && c <= 57) || c > 127;
}

function isWordChar(c: number): boolean {
  if (c > 127) return c !== 0x2018 && c !== 0x2019 && c !== 0x201c && c !== 0x201d;
  return (c >= 48 && c <= 57) || (c >= 65 && c <= 90) || (c >= 97 && c <= 122);
}

/** Takes punctuation off both ends; a leading slash belongs to a path. */
function trimPunctuation(piece: string): string {
  let from = 0;
  let to = piece.length;
  while (from < to && !isWordChar(piece.charCodeAt(from)) && piece.charCodeAt(from) !== 47) from++;
  while (to > from && !isWordChar(piece.charCodeAt(to - 1))) to--;
  return piece.slice(from, to);
}
