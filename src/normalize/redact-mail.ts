import { isAlphanumeric, isLetter } from './char-class.js';

/** Longest local part and domain, RFC 5321 section 4.5.3.1. */
const MAX_LOCAL_CHARS = 64;
const MAX_DOMAIN_CHARS = 253;
const AT = '@';
const DOT = 46;
const HYPHEN = 45;
const MARK = '[redacted:email]';

/**
 * The text with mail addresses replaced. Around each `@` as much is taken as an address may hold; one pass, no regular
 * expression.
 */
export function redactMail(text: string): string {
  let at = text.indexOf(AT);
  if (at === -1) return text;
  let out = '';
  let done = 0;
  for (; at !== -1; at = text.indexOf(AT, at + 1)) {
    const from = startOfLocal(text, at, done);
    const to = endOfDomain(text, at + 1);
    if (from === at || to === -1) continue;
    out += text.slice(done, from) + MARK;
    done = to;
    at = to - 1;
  }
  return done === 0 ? text : out + text.slice(done);
}

/** Whether the whole text is one mail address. */
export function isMailAddress(text: string): boolean {
  const at = text.indexOf(AT);
  return at > 0 && startOfLocal(text, at, 0) === 0 && endOfDomain(text, at + 1) === text.length;
}

function startOfLocal(text: string, at: number, min: number): number {
  let i = at;
  while (i > min && at - i < MAX_LOCAL_CHARS && isLocalChar(text.charCodeAt(i - 1))) i--;
  return i;
}

/** Atoms of RFC 5322 and letters of any script; what also ends a word in prose or in a URL is left out. */
function isLocalChar(code: number): boolean {
  return isAlphanumeric(code) || LOCAL_MARKS.has(code);
}

const LOCAL_MARKS = new Set(Array.from("._%+-#$&'~", (c) => c.charCodeAt(0)));

/** After the last label of a domain with at least two, the last of which begins with two letters; -1 where there is none. */
function endOfDomain(text: string, start: number): number {
  let end = -1;
  let label = start;
  for (let i = start; i - start <= MAX_DOMAIN_CHARS; i++) {
    const code = text.charCodeAt(i);
    if (isAlphanumeric(code) || code === HYPHEN) continue;
    if (i === label) break;
    if (label > start && isLetter(text.charCodeAt(label)) && isLetter(text.charCodeAt(label + 1))) end = i;
    if (code !== DOT) break;
    label = i + 1;
  }
  return end;
}
