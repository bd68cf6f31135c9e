import { BREAK, classOf, isAlphanumeric, isCurrencySign, isDigit, isLetter, SPACE } from './char-class.js';

/** Receives a text piece by piece. */
export interface PieceSink {
  /** A run of characters without white space, brackets or quotes; trailing punctuation is taken off. */
  piece(piece: string): void;
  /** A quoted passage. Return true to leave its inside unread. */
  quoted(content: string, isKey: boolean): boolean;
  /** Nothing more is wanted. */
  full(): boolean;
}

/** Longest quoted passage; an opening quote without a closing one within this distance is plain punctuation. */
const MAX_QUOTE_CHARS = 256;

const DOUBLE_QUOTE = 34;
const SINGLE_QUOTE = 39;
const BACKTICK = 96;
const OPENING_CURLY = 0x201c;
const CLOSING_CURLY = 0x201d;
const TYPOGRAPHIC_APOSTROPHE = 0x2019;

/**
 * Splits a text into pieces and quoted passages.
 *
 * Written by hand, without regular expressions: each character is looked at a bounded number of times whatever the
 * text, because everything an agent reads or writes may be hostile.
 */
export function scanPieces(text: string, sink: PieceSink): void {
  /** No single quote up to here closes: later searches start behind it, which keeps the whole linear. */
  let searchedTo = 0;
  let i = 0;
  while (i < text.length && !sink.full()) {
    const code = text.charCodeAt(i);
    const closing = closerOf(text, i, code);
    if (closing !== 0) {
      const from = closing === SINGLE_QUOTE ? Math.max(i + 1, searchedTo) : i + 1;
      const end = findCloser(text, { from, open: i, closing });
      if (end === -1 && closing === SINGLE_QUOTE) searchedTo = Math.min(text.length, i + 1 + MAX_QUOTE_CHARS);
      if (end > i + 1 && sink.quoted(text.slice(i + 1, end), isColonAfter(text, end + 1))) {
        i = end + 1;
        continue;
      }
      i++;
      continue;
    }
    const kind = classOf(code);
    if ((kind & (SPACE | BREAK)) !== 0 || (kind === 0 && !mayBegin(text, i, code))) {
      i++;
      continue;
    }
    const end = endOfPiece(text, i);
    const trimmed = trimEnd(text, i, end);
    if (trimmed > i) sink.piece(text.slice(i, trimmed));
    i = end;
  }
}

/** The quote that would close one opened here, or 0 when nothing is opened here. */
function closerOf(text: string, i: number, code: number): number {
  if (code === DOUBLE_QUOTE || code === BACKTICK) return code;
  if (code === OPENING_CURLY) return CLOSING_CURLY;
  if (code !== SINGLE_QUOTE) return 0;
  return i === 0 || !isAlphanumeric(text.charCodeAt(i - 1)) ? SINGLE_QUOTE : 0;
}

function findCloser(text: string, search: { from: number; open: number; closing: number }): number {
  const limit = Math.min(text.length, search.open + 1 + MAX_QUOTE_CHARS);
  for (let i = search.from; i < limit; i++) {
    const code = text.charCodeAt(i);
    if (code === 10) return -1;
    if (code === search.closing) {
      if (search.closing !== SINGLE_QUOTE || !isAlphanumeric(text.charCodeAt(i + 1))) return i;
    }
  }
  return -1;
}

/** Punctuation that begins a piece: of a path (`/ ~ ./ ..`), a negative number, an amount. */
function mayBegin(text: string, i: number, code: number): boolean {
  if (code === 47 || code === 92 || code === 126 || isCurrencySign(code)) return true;
  const next = text.charCodeAt(i + 1);
  return (code === 46 && (next === 47 || next === 46)) || (code === 45 && isDigit(next));
}

/** Where the piece that starts at `start` ends. An address of the web goes on over characters that end other pieces. */
function endOfPiece(text: string, start: number): number {
  let inUrl = text.startsWith('www.', start);
  let i = start;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 58 && text.startsWith('://', i)) inUrl = true;
    const kind = classOf(code);
    if ((kind & SPACE) !== 0) break;
    if (code === 44) {
      const between = i > start && isDigit(text.charCodeAt(i - 1)) && isDigit(text.charCodeAt(i + 1));
      if (!between) break;
    } else if ((kind & BREAK) !== 0) {
      if (inUrl && isUrlPunctuation(code)) continue;
      if (isApostrophe(code) && i > start && isLetter(text.charCodeAt(i - 1)) && isLetter(text.charCodeAt(i + 1))) {
        continue;
      }
      break;
    }
  }
  return i;
}

function trimEnd(text: string, start: number, end: number): number {
  let last = end;
  while (last > start) {
    const code = text.charCodeAt(last - 1);
    if (isAlphanumeric(code) || isCurrencySign(code) || code === 47) break;
    last--;
  }
  return last;
}

/** `= ? ; * !` occur in addresses; brackets and quotes rather surround them. */
function isUrlPunctuation(code: number): boolean {
  return code === 61 || code === 63 || code === 59 || code === 42 || code === 33;
}

function isApostrophe(code: number): boolean {
  return code === SINGLE_QUOTE || code === TYPOGRAPHIC_APOSTROPHE;
}

function isColonAfter(text: string, i: number): boolean {
  const code = text.charCodeAt(i);
  return code === 58 || (code === 32 && text.charCodeAt(i + 1) === 58);
}
