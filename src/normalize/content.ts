import { hash53 } from '../lib/hash.js';
import { DEFAULT_CONTENT_LEVEL, type ContentLevel } from '../model/content-level.js';
import { cutText, visibleText } from './fold-text.js';
import type { NormalizeContext } from './port.js';
import { isMailAddress, redactMail } from './redact-mail.js';
import { redactText, redactValue } from './redact.js';

const MAX_DEPTH = 32;
/** Longest free text in an observation itself. */
const MAX_SENTENCE_CHARS = 1_024;
/** Longest value of a target that people see, and how far it is read. */
const MAX_TARGET_CHARS = 256;
const MAX_READ_CHARS = 4_096;

/** What is kept of an emitter's words, by its key. */
export interface Discretion {
  level: ContentLevel;
  /** Per-install secret, 32 bit. */
  seed: number;
}

export function discretionOf({ principal, seed }: NormalizeContext): Discretion {
  return { level: principal.content ?? DEFAULT_CONTENT_LEVEL, seed };
}

/** A text as the JSON of its content record; undefined where there is to be none. */
export function textContent(text: string, { level, seed }: Discretion): string | undefined {
  if (text === '' || level === 'off') return undefined;
  if (level === 'hashed') return JSON.stringify({ text: hashMark(text, seed), chars: text.length });
  return JSON.stringify({ text: clean(text, level) });
}

/** Arguments as the JSON of their content record. @param raw the same as JSON text, which is taken where nothing is hidden */
export function argsContent(
  args: Record<string, unknown>,
  raw: string,
  { level, seed }: Discretion,
): string | undefined {
  if (level === 'off') return undefined;
  if (level === 'hashed') return `{"args":${JSON.stringify(hashed(args, seed, 0))}}`;
  const shown = redactValue(args, (text) => clean(text, level));
  return `{"args":${shown === args ? raw : JSON.stringify(shown)}}`;
}

/** A free text in the observation itself: bounded, with control characters made visible. Never empty: it says that there was one. */
export function shownText(text: string, { level, seed }: Discretion): string {
  if (text === '') return '';
  if (level === 'off') return '[withheld]';
  if (level === 'hashed') return hashMark(text, seed);
  return visibleText(cutText(clean(text, level), MAX_SENTENCE_CHARS));
}

/**
 * What a call acts on, for people. An address that the call goes to stays as it is where content is redacted only: it is what
 * a person has to judge. Where content is hidden, the host of an address stays, because the destinations that a class of
 * agents may reach are checked by it.
 *
 * @param hash keyed hash of the value in its canonical form
 */
export function shownTarget(
  { kind, value }: { kind: string; value: string },
  hash: number,
  level: ContentLevel,
): string {
  // Redact before cutting, so that a secret cut in half does not pass for something else.
  const safe = redactText(value.slice(0, MAX_READ_CHARS));
  if (level === 'off' || level === 'hashed')
    return visibleText(cutText(hiddenTarget(kind, safe, hash), MAX_TARGET_CHARS));
  const shown = level === 'full' || isMailAddress(safe.trim()) ? safe : redactMail(safe);
  return visibleText(cutText(shown, MAX_TARGET_CHARS));
}

function hiddenTarget(kind: string, value: string, hash: number): string {
  const mark = `[hash:${hash.toString(16).padStart(8, '0')}]`;
  const text = value.trim();
  if (kind === 'email') return `${mark}@${text.slice(text.lastIndexOf('@') + 1)}`;
  if (kind === 'url') return URL.parse(text.includes('://') ? text : `https://${text}`)?.hostname ?? mark;
  return kind === 'host' ? text : mark;
}

/** Without secrets, keys and cards at any level; without mail addresses where it is redacted. */
function clean(text: string, level: ContentLevel): string {
  const safe = redactText(text);
  return level === 'full' ? safe : redactMail(safe);
}

function hashMark(text: string, seed: number): string {
  return `[hash:${hash53(text, seed).toString(16).padStart(14, '0')}]`;
}

/** The same shape with a keyed hash for every text and number. */
function hashed(value: unknown, seed: number, depth: number): unknown {
  if (typeof value === 'string' || typeof value === 'number') return hashMark(String(value), seed);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[omitted: nested too deep]';
  if (Array.isArray(value)) return value.map((item) => hashed(item, seed, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [redactMail(redactText(key)), hashed(item, seed, depth + 1)]),
  );
}
