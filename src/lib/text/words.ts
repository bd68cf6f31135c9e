import { DistinctHashes } from '../distinct-hashes.js';
import { murmur32, murmur32Between } from '../hash.js';
import { stem } from './stem.js';
import { LONGEST_STOP_WORD, STOP_WORDS } from './stop-words.js';
import type { TokenForm } from './token-form.js';
import { eachRun, runs, tokens } from './tokens.js';

/** Characters of a request that are looked at. */
export const MAX_REQUEST_CHARS = 8_000;
/** Distinct words kept of what a request mentions. */
const MAX_MENTIONED = 400;
/** Words inside one token: "re-send" has two. */
const MAX_RUNS_OF_TOKEN = 4;
const MAX_NAME_CHARS = 120;
const MAX_NAME_WORDS = 12;

/** A request in two views, each a list of distinct keyed 32-bit hashes. */
export interface RequestWords {
  /** What is asked: stems of unquoted words, and a mark in place of each quoted text, address, amount, date, file. */
  words: number[];
  /** Everything that is mentioned, quoted or not: what a value may be grounded in. */
  values: number[];
}

/**
 * The words of a request, without function words. Linear in the first 8,000 characters; the rest is not read.
 *
 * @param seed per-install secret, 32 bit; hashes of another seed cannot be compared
 */
export function requestWords(text: string, seed: number): RequestWords {
  const words = new Set<number>();
  const mark = (form: TokenForm | 'quoted') => words.add(murmur32(`<${form}>`, seed));
  for (const token of tokens(text, MAX_REQUEST_CHARS)) {
    if (token.quoted) mark('quoted');
    if (token.form !== 'word') mark(token.form);
    else if (!token.quoted) {
      for (const run of runs(token.text, MAX_RUNS_OF_TOKEN)) {
        if (run.length > 1 && !STOP_WORDS.has(run)) words.add(murmur32(stem(run), seed));
      }
    }
  }
  return {
    words: [...words],
    values: mentionedWords(text, { seed, maxChars: MAX_REQUEST_CHARS, maxWords: MAX_MENTIONED }),
  };
}

/**
 * Distinct keyed hashes of a text's runs of letters and digits, function words left out; not stemmed, so that names
 * match names. The same form serves requests, argument values, messages and results, which makes them comparable.
 *
 * @param bounds `maxChars`: how far the text is read; `maxWords`: runs looked at, repeated ones counted
 */
export function mentionedWords(
  text: string,
  { seed, maxChars, maxWords }: { seed: number; maxChars: number; maxWords: number },
): number[] {
  const lower = (text.length > maxChars ? text.slice(0, maxChars) : text).toLowerCase();
  mentioned.begin();
  eachRun(lower, maxWords, (start, end) => {
    if (end - start <= LONGEST_STOP_WORD && STOP_WORDS.has(lower.slice(start, end))) return;
    mentioned.add(murmur32Between(lower, { start, end }, seed));
  });
  return mentioned.hashes;
}

const mentioned = new DistinctHashes();

const CONNECTIVES: ReadonlySet<string> = new Set(['to', 'by', 'in', 'for', 'all', 'of', 'the', 'through']);

/**
 * Keyed hashes of the stems in an identifier (`sendMoney`, `send_money`): split at capitals and punctuation,
 * comparable with the `words` of a request.
 */
export function identifierWords(name: string, seed: number): number[] {
  let spaced = '';
  for (let i = 0; i < name.length && i < MAX_NAME_CHARS; i++) {
    const c = name.charCodeAt(i);
    spaced += c >= 65 && c <= 90 && i > 0 ? ` ${name.charAt(i)}` : name.charAt(i);
  }
  const out = new Set<number>();
  for (const run of runs(spaced, MAX_NAME_WORDS)) if (!CONNECTIVES.has(run)) out.add(murmur32(stem(run), seed));
  return [...out];
}
