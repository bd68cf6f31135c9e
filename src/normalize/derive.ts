import { murmur32 } from '../lib/hash.js';
import { mentionedWords, requestWords } from '../lib/text/words.js';
import { canonicalPiece, canonicalValue, hostOf } from './canonical-value.js';
import { foldText } from './fold-text.js';
import { scanPieces } from './scan-pieces.js';
import { valueKind } from './value-kind.js';

/** Word hashes kept of one text. */
export const MAX_WORDS = 256;
/** Value hashes kept of one text. */
export const MAX_VALUES = 512;
/** Hashes kept of what a request mentions. */
export const MAX_REQUEST_VALUES = 768;
/** How far a message and a result are read for words, characters. */
const MAX_MESSAGE_CHARS = 1_500;
const MAX_RESULT_CHARS = 64_000;
/** Longest rest of a `key: value` line that counts as one value. */
const MAX_LINE_VALUE_CHARS = 80;
/** Capitalised words that may form one name. */
const MAX_NAME_WORDS = 3;

/** What scoring knows of a request: what is asked, and everything it mentions, as keyed hashes. */
export function requestHashes(text: string, seed: number): { words: number[]; values: number[] } {
  const folded = foldText(text);
  const { words, values } = requestWords(folded, seed);
  return { words: words.slice(0, MAX_WORDS), values: union(values, valueHashes(text, seed), MAX_REQUEST_VALUES) };
}

/** Keyed hashes of the words a model's message mentions. */
export function messageWords(text: string, seed: number): number[] {
  return mentionedWords(foldText(text), { seed, maxChars: MAX_MESSAGE_CHARS, maxWords: MAX_WORDS });
}

/** Keyed hashes of what a tool's result contains: its values first, then as many of its words as there is room for. */
export function resultValues(text: string, seed: number): number[] {
  const words = mentionedWords(foldText(text), { seed, maxChars: MAX_RESULT_CHARS, maxWords: 4 * MAX_VALUES });
  return union(valueHashes(text, seed), words, MAX_VALUES);
}

function union(first: readonly number[], second: readonly number[], max: number): number[] {
  const all = new Set(first);
  for (const hash of second) {
    if (all.size >= max) break;
    all.add(hash);
  }
  return [...all].slice(0, max);
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
