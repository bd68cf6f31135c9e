import { cardNumberEnd } from './card-number.js';
import { isAlphanumeric, isDigit } from './char-class.js';
import { isSecretField } from './secret-field.js';
import { secretKindOf } from './secret-token.js';

/** Nesting below which nothing is kept. */
const MAX_DEPTH = 32;
const BEGIN = '-----BEGIN ';
const END = '-----END ';
/** Longest user and password in an address. */
const MAX_USERINFO_CHARS = 256;

/**
 * The text with secrets replaced by `[redacted:kind]`: private keys, bearer tokens, API keys, long random tokens,
 * `password: ...` and the like, passwords in addresses, payment card numbers.
 *
 * One pass, no regular expression; each character is looked at a bounded number of times. Best effort by nature: a
 * secret without any tell-tale form passes.
 */
export function redactText(text: string): string {
  let out = '';
  /** Everything before it is in `out`. */
  let done = 0;
  let i = 0;
  const replace = (from: number, to: number, kind: string) => {
    out += `${text.slice(done, from)}[redacted:${kind}]`;
    done = to;
    i = to;
  };
  while (i < text.length) {
    const code = text.charCodeAt(i);
    if (code === 45 && text.startsWith(BEGIN, i)) {
      const to = endOfPrivateKey(text, i);
      if (to !== -1) {
        replace(i, to, 'private-key');
        continue;
      }
    }
    if (!isTokenChar(code)) {
      i++;
      continue;
    }
    const end = endOfRun(text, i);
    const card = isDigit(code) ? cardNumberEnd(text, i) : -1;
    if (card !== -1 && !isAlphanumeric(text.charCodeAt(card))) {
      replace(i, card, 'card');
      continue;
    }
    const userEnd = text.charCodeAt(end) === 58 ? passwordInAddress(text, end) : undefined;
    if (userEnd !== undefined) {
      replace(userEnd.from, userEnd.to, 'password');
      continue;
    }
    const named = end - i <= 64 ? namedSecret(text, i, end) : undefined;
    if (named !== undefined) {
      replace(named.from, named.to, named.kind);
      continue;
    }
    const kind = end - i >= 16 ? secretInRun(text, i, end) : undefined;
    if (kind !== undefined) replace(i, end, kind);
    else i = end;
  }
  return done === 0 ? text : out + text.slice(done);
}

/**
 * A value with every text in it redacted, and everything under a field with a secret's name. Gives back the very
 * same object when there was nothing to redact.
 *
 * @param clean what is done with a text
 */
export function redactValue(value: unknown, clean: (text: string) => string = redactText, depth = 0): unknown {
  if (typeof value === 'string') return clean(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[omitted: nested too deep]';
  if (Array.isArray(value)) {
    let copy: unknown[] | undefined;
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i];
      const shown = redactValue(item, clean, depth + 1);
      if (shown === item) continue;
      copy ??= [...value];
      copy[i] = shown;
    }
    return copy ?? value;
  }
  let changed = false;
  const entries = Object.entries(value).map(([key, item]): [string, unknown] => {
    const name = clean(key);
    const shown = isSecretField(key) && holdsSecret(item) ? '[redacted:password]' : redactValue(item, clean, depth + 1);
    if (shown !== item || name !== key) changed = true;
    return [name, shown];
  });
  // fromEntries makes own properties of every name, `__proto__` included.
  return changed ? Object.fromEntries(entries) : value;
}

function holdsSecret(value: unknown): boolean {
  return value !== null && value !== '' && typeof value !== 'boolean' && value !== undefined;
}

/** Letters, digits and the characters that occur inside tokens. */
function isTokenChar(code: number): boolean {
  return TOKEN_CHARS[code] === 1;
}

const TOKEN_CHARS = new Uint8Array(128);
for (const c of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+/~')
  TOKEN_CHARS[c.charCodeAt(0)] = 1;

function endOfRun(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && isTokenChar(text.charCodeAt(i))) {
    // The dashes of a key block are not part of a token before it.
    if (text.charCodeAt(i) === 45 && text.startsWith(BEGIN, i)) break;
    i++;
  }
  return i;
}

function endOfPrivateKey(text: string, start: number): number {
  const label = text.slice(start + BEGIN.length, start + BEGIN.length + 40);
  if (!label.includes('PRIVATE KEY')) return -1;
  const end = text.indexOf(END, start);
  // A key that was cut off is still a key.
  if (end === -1) return text.length;
  const close = text.indexOf('-----', end + END.length);
  return close === -1 || close > end + END.length + 40 ? Math.min(text.length, end + END.length) : close + 5;
}

/** `scheme://user:password@host`: where the password lies, with `colon` the one after the scheme. */
function passwordInAddress(text: string, colon: number): { from: number; to: number } | undefined {
  if (!text.startsWith('://', colon)) return undefined;
  let from = -1;
  const limit = Math.min(text.length, colon + 3 + MAX_USERINFO_CHARS);
  for (let i = colon + 3; i < limit; i++) {
    const code = text.charCodeAt(i);
    if (code <= 32 || code === 47 || code === 34 || code === 39 || code === 60 || code === 62) return undefined;
    if (code === 58 && from === -1) from = i + 1;
    if (code === 64) return from === -1 || from === i ? undefined : { from, to: i };
  }
  return undefined;
}

/** `password: x`, `api_key=x`, `"token": "x"`, `Bearer x`: where the secret after the name in [start, end) lies. */
function namedSecret(text: string, start: number, end: number): { from: number; to: number; kind: string } | undefined {
  let i = end;
  const isBearer = end - start === 6 && text.slice(start, end).toLowerCase() === 'bearer';
  if (isBearer) {
    if (text.charCodeAt(i) !== 32) return undefined;
  } else {
    const quoted = text.charCodeAt(i) === 34 || text.charCodeAt(i) === 39;
    if (quoted) i++;
    const separator = text.charCodeAt(i);
    if ((separator !== 58 && separator !== 61) || !isSecretField(text.slice(start, end))) return undefined;
    i++;
  }
  while (text.charCodeAt(i) === 32 && i < end + 4) i++;
  const quote = text.charCodeAt(i);
  const isQuoted = quote === 34 || quote === 39;
  const from = isQuoted ? i + 1 : i;
  let to = from;
  while (to < text.length && to - from < 4096) {
    const code = text.charCodeAt(to);
    if (isQuoted ? code === quote : code <= 32 || code === 34 || code === 39 || code === 38 || code === 44) break;
    to++;
  }
  // A heading (`Password:` and nothing) or a placeholder of one letter is no secret; what was redacted stays.
  if (to - from < (isBearer ? 8 : 2) || text.startsWith('[redacted:', from)) return undefined;
  return { from, to, kind: isBearer ? 'bearer-token' : 'password' };
}

/** Judges a run as a whole, then its parts between slashes and dots, which paths and addresses are made of. */
function secretInRun(text: string, start: number, end: number): string | undefined {
  const run = text.slice(start, Math.min(end, start + 4096));
  const slash = run.indexOf('/');
  const dot = run.indexOf('.');
  const whole =
    slash === -1 && dot === -1
      ? secretKindOf(run)
      : run.startsWith('eyJ') || run.startsWith('SG.') || run.startsWith('ya29.')
        ? secretKindOf(run)
        : undefined;
  if (whole !== undefined) return whole;
  if (slash === -1 && dot === -1) return undefined;
  let from = 0;
  for (let i = 0; i <= run.length; i++) {
    const code = i < run.length ? run.charCodeAt(i) : 47;
    if (code !== 47 && code !== 46) continue;
    const kind = i - from >= 16 ? secretKindOf(run.slice(from, i)) : undefined;
    if (kind !== undefined) return kind;
    from = i + 1;
  }
  return undefined;
}
