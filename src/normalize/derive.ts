import { murmur32 } from '../lib/hash.js';
import { canonicalPiece, canonicalValue, hostOf } from './canonical-value.js';
import { foldText } from './fold-text.js';
import { scanPieces, scanWords } from './scan-pieces.js';
import { valueKind, type ValueKind } from './value-kind.js';

/** Word hashes kept of one text. */
export const MAX_WORDS = 256;
/** Value hashes kept of one text. */
export const MAX_VALUES = 512;
/** A longer run of letters is cut: hashing it whole would let one "word" cost as much as a text. */
const MAX_WORD_CHARS = 64;
/** Longest rest of a `key: value` line that counts as one value. */
const MAX_LINE_VALUE_CHARS = 80;
/** Capitalised words that may form one name. */
const MAX_NAME_WORDS = 3;

/**
 * Keyed hashes of a text's words, in order, at most {@link MAX_WORDS}. What differs from request to request while
 * the request stays the same in kind (quoted text, addresses, numbers ...) becomes a typed mark such as `<email>`.
 *
 * @param seed per-install secret, 32 bit
 */
export function wordHashes(text: string, seed: number): number[] {
  const words: number[] = [];
  const add = (word: string) => {
    if (words.length < MAX_WORDS) words.push(murmur32(word.slice(0, MAX_WORD_CHARS).toLowerCase(), seed));
  };
  scanPieces(foldText(text), {
    full: () => words.length >= MAX_WORDS,
    quoted: () => {
      add('<quoted>');
      return true;
    },
    piece: (piece) => {
      const kind = valueKind(piece);
      if (kind === 'word') scanWords(piece, add);
      else add(MARKS[kind]);
    },
  });
  return words;
}

/** Keyed hashes of the words of a value as they are, without marks; at most `max`. */
export function plainWordHashes(value: string, seed: number, max: number): number[] {
  const words: number[] = [];
  scanWords(foldText(value.slice(0, max * MAX_WORD_CHARS)), (word) => {
    if (words.length < max) words.push(murmur32(word.slice(0, MAX_WORD_CHARS).toLowerCase(), seed));
  });
  return words;
}

/**
 * Keyed hashes of the values a text mentions, each once, at most {@link MAX_VALUES}: addresses, web addresses and
 * their hosts, ids, numbers, dates, paths, quoted passages, `key: value` lines; then, as far as there is room, names
 * (runs of capitalised words). Names come last so that a flood of them cannot push out an address.
 */
export function valueHashes(text: string, seed: number): number[] {
  const folded = foldText(text);
  const values = new Set<number>();
  const names = new Set<number>();
  const add = (value: string) => {
    if (value !== '' && values.size < MAX_VALUES) values.add(murmur32(value, seed));
  };
  let run: string[] = [];
  scanPieces(folded, {
    full: () => values.size >= MAX_VALUES,
    quoted: (content, isKey) => {
      if (!isKey) add(canonicalValue(content));
      run = [];
      return isKey;
    },
    piece: (piece) => {
      const kind = valueKind(piece);
      if (kind === 'word') {
        run = isCapitalised(piece) ? [...run.slice(1 - MAX_NAME_WORDS), piece.toLowerCase()] : [];
        for (let i = 0; i < run.length && names.size < MAX_VALUES; i++) {
          names.add(murmur32(run.slice(i).join(' ').slice(0, MAX_QUOTED_NAME_CHARS), seed));
        }
        return;
      }
      run = [];
      const value = canonicalPiece(piece, kind);
      add(value);
      if (kind === 'url') add(hostOf(value));
    },
  });
  eachLineValue(
    folded,
    (value) => add(canonicalValue(value)),
    () => values.size >= MAX_VALUES,
  );
  for (const name of names) {
    if (values.size >= MAX_VALUES) break;
    values.add(name);
  }
  return [...values];
}

/** Keyed hash of a whole value in its canonical form; comparable with what {@link valueHashes} gives. */
export function valueHash(value: string, seed: number): number {
  return murmur32(canonicalValue(value), seed);
}

const MAX_QUOTED_NAME_CHARS = 256;

const MARKS: Record<Exclude<ValueKind, 'word'>, string> = {
  email: '<email>',
  url: '<url>',
  host: '<url>',
  iban: '<iban>',
  file: '<file>',
  amount: '<amount>',
  number: '<number>',
  date: '<date>',
  id: '<id>',
};

/** First letter upper case, as in names; a word of capitals counts too. */
function isCapitalised(piece: string): boolean {
  const code = piece.charCodeAt(0);
  if (code >= 65 && code <= 90) return true;
  const first = piece.slice(0, 1);
  return code > 127 && first !== first.toLowerCase();
}

/** The rest of every `key: value` line and `- item` line: how tools list what they found. */
function eachLineValue(text: string, visit: (value: string) => void, full: () => boolean): void {
  let start = 0;
  while (start < text.length && !full()) {
    let end = text.indexOf('\n', start);
    if (end === -1) end = text.length;
    const line = text.slice(start, Math.min(end, start + 2 * MAX_LINE_VALUE_CHARS)).trim();
    const isItem = line.startsWith('- ') || line.startsWith('* ');
    const colon = line.indexOf(': ');
    const value = colon !== -1 ? line.slice(colon + 2) : isItem ? line.slice(2) : '';
    if (value !== '' && value.length <= MAX_LINE_VALUE_CHARS) visit(value);
    start = end + 1;
  }
}
