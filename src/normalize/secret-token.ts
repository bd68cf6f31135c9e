import { isDigit } from './char-class.js';

/** Beginnings of credentials that their issuers publish, so that they can be found, with the least length. */
const PREFIXES: readonly (readonly [prefix: string, minChars: number])[] = [
  ['sk-', 20],
  ['sk_live_', 20],
  ['sk_test_', 20],
  ['pk_live_', 20],
  ['rk_live_', 20],
  ['whsec_', 20],
  ['ghp_', 30],
  ['gho_', 30],
  ['ghu_', 30],
  ['ghs_', 30],
  ['ghr_', 30],
  ['github_pat_', 40],
  ['glpat-', 20],
  ['xoxb-', 20],
  ['xoxp-', 20],
  ['xoxa-', 20],
  ['xoxs-', 20],
  ['xoxr-', 20],
  ['xapp-', 20],
  ['AKIA', 20],
  ['ASIA', 20],
  ['AIza', 35],
  ['ya29.', 30],
  ['npm_', 30],
  ['pypi-', 30],
  ['hf_', 20],
  ['SG.', 40],
  ['dop_v1_', 40],
  ['shpat_', 30],
  ['xai-', 30],
  ['lin_api_', 30],
  ['nvapi-', 30],
  ['AGE-SECRET-KEY-', 40],
];
const FIRST_CHARS = new Set(PREFIXES.map(([prefix]) => prefix.charCodeAt(0)));

/** Shortest token that is judged by its randomness alone. */
const MIN_RANDOM_CHARS = 24;
const MAX_RANDOM_CHARS = 512;
/** Bits of information a character must carry on average; words and camelCase names stay below with few digits. */
const MIN_ENTROPY_BITS = 3.9;
const MIN_DIGITS = 3;

export type SecretKind = 'api-key' | 'token';

/** What secret a run of token characters is, or undefined. Linear in its length. */
export function secretKindOf(token: string): SecretKind | undefined {
  if (token.length < 16) return undefined;
  if (FIRST_CHARS.has(token.charCodeAt(0))) {
    for (const [prefix, minChars] of PREFIXES) {
      if (token.length >= minChars && token.startsWith(prefix)) return 'api-key';
    }
  }
  if (token.startsWith('eyJ') && token.length >= 40 && token.indexOf('.', 10) !== -1) return 'token';
  return looksRandom(token) ? 'token' : undefined;
}

/**
 * A long mix of lower case, upper case and digits that changes class often. Hexadecimal texts are let through: they
 * are far more often identifiers and checksums than secrets.
 */
function looksRandom(token: string): boolean {
  if (token.length < MIN_RANDOM_CHARS || token.length > MAX_RANDOM_CHARS) return false;
  let digits = 0;
  let lower = 0;
  let upper = 0;
  let changes = 0;
  let last = 0;
  for (let i = 0; i < token.length; i++) {
    const code = token.charCodeAt(i);
    const kind = isDigit(code) ? 1 : code >= 97 && code <= 122 ? 2 : code >= 65 && code <= 90 ? 3 : 4;
    if (kind === 1) digits++;
    else if (kind === 2) lower++;
    else if (kind === 3) upper++;
    if (kind !== last) changes++;
    last = kind;
  }
  if (digits < MIN_DIGITS || lower < 2 || upper < 2 || changes * 4 < token.length) return false;
  return entropyBits(token) >= MIN_ENTROPY_BITS;
}

/** Shannon entropy of the characters, bits a character. */
function entropyBits(token: string): number {
  const counts = new Map<number, number>();
  for (let i = 0; i < token.length; i++) counts.set(token.charCodeAt(i), (counts.get(token.charCodeAt(i)) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / token.length) * Math.log2(count / token.length);
  return bits;
}
