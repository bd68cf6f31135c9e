import type { Target } from '../model/observation.js';
import { DEFAULT_CONTENT_LEVEL, type ContentLevel } from '../model/content-level.js';
import { isDateOrTime } from '../lib/text/date-or-time.js';
import { mentionedWords } from '../lib/text/words.js';
import { valueHash } from './derive.js';
import { shownTarget } from './content.js';
import { foldText, visibleText } from './fold-text.js';
import { packagesOf } from './package-command.js';
import { scanPieces } from './scan-pieces.js';
import { isSecretField } from './secret-field.js';
import { targetKind } from './target-kind.js';
import { valueKind } from './value-kind.js';

/** Targets kept of one call. */
export const MAX_TARGETS = 64;
/** Words looked at in one target, and how far it is read. */
const MAX_TARGET_WORDS = 24;
const MAX_TARGET_CHARS = 400;
/** Words looked at in a call's arguments, and how far they are read. */
const MAX_ARG_WORDS = 200;
const MAX_ARG_CHARS = 4_000;
/** Arguments nested deeper than this are not looked into. */
const MAX_DEPTH = 16;
/** Leaves looked at in one call's arguments. */
const MAX_LEAVES = 2_000;
/** A longer text is not one target; the addresses in it are. */
const MAX_WHOLE_CHARS = 512;

const COMMAND_FIELDS: ReadonlySet<string> = new Set(['command', 'cmd', 'commands', 'script', 'shell']);

/** What an emitter says about one target. */
export interface GivenTarget {
  field: string;
  kind: string;
  value: string;
  origin?: Target['origin'];
  originCall?: string;
  originTool?: string;
}

/**
 * What a call acts on, worked out from its arguments: every short value, and every address inside longer texts.
 *
 * @param seed per-install secret, 32 bit
 * @param level what people may see of the values
 */
export function deriveTargets(
  args: Record<string, unknown>,
  seed: number,
  level: ContentLevel = DEFAULT_CONTENT_LEVEL,
): Target[] {
  const targets: Target[] = [];
  const add = (field: string, kind: string, value: string) => {
    if (targets.length < MAX_TARGETS) targets.push(makeTarget({ field, kind, value }, seed, level));
  };
  eachLeaf(args, (field, value) => {
    if (value.trim() === '') return;
    if (value.length <= MAX_WHOLE_CHARS) add(field, targetKind(field, value.trim()), value);
    if (isCommandField(field)) for (const name of packagesOf(value)) add(field, 'package', name);
    if (value.length <= 24) return;
    scanPieces(value, {
      full: () => targets.length >= MAX_TARGETS,
      quoted: () => false,
      piece: (piece) => {
        const kind = valueKind(piece);
        if (piece.length < value.trim().length && (kind === 'email' || kind === 'url' || kind === 'iban')) {
          add(field, kind, piece);
        }
      },
    });
  });
  return targets;
}

/** A field that holds what a shell is to do. */
function isCommandField(field: string): boolean {
  return COMMAND_FIELDS.has(field.toLowerCase());
}

/** A target as it is logged: hashes of the whole value, and of it only a short, harmless excerpt, or none. */
export function makeTarget(given: GivenTarget, seed: number, level: ContentLevel = DEFAULT_CONTENT_LEVEL): Target {
  const hash = valueHash(given.value, seed);
  const target: Target = {
    field: visibleText(given.field),
    kind: visibleText(given.kind),
    value: isSecretField(given.field) ? '[redacted:password]' : shownTarget(given, hash, level),
    hash,
    words: mentionedWords(foldText(given.value.slice(0, MAX_TARGET_CHARS)), {
      seed,
      maxChars: MAX_TARGET_CHARS,
      maxWords: MAX_TARGET_WORDS,
    }),
    origin: given.origin ?? 'unknown',
  };
  if (given.originCall !== undefined) target.originCall = visibleText(given.originCall);
  if (given.originTool !== undefined) target.originTool = visibleText(given.originTool);
  return target;
}

/**
 * Keyed hashes of the words in all argument values but secrets. Dates and times are left out: they are worked out all
 * the time and say nothing about what a value is about.
 */
export function argumentWords(args: Record<string, unknown>, seed: number): number[] {
  let text = '';
  eachLeaf(args, (field, value) => {
    if (text.length > MAX_ARG_CHARS || isSecretField(field) || isDateOrTime(value)) return;
    text += `${value.slice(0, MAX_ARG_CHARS - text.length + 1)} `;
  });
  return mentionedWords(foldText(text), { seed, maxChars: MAX_ARG_CHARS, maxWords: MAX_ARG_WORDS });
}

/** Every text and number in the arguments, with the name of the nearest field around it. */
function eachLeaf(args: Record<string, unknown>, visit: (field: string, value: string) => void): void {
  let leaves = 0;
  const walk = (field: string, value: unknown, depth: number): void => {
    if (leaves >= MAX_LEAVES || depth > MAX_DEPTH) return;
    if (typeof value === 'string' || typeof value === 'number') {
      leaves++;
      visit(field, String(value));
    } else if (Array.isArray(value)) {
      for (const item of value) {
        if (leaves >= MAX_LEAVES) return;
        walk(field, item, depth + 1);
      }
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, item] of Object.entries(value)) {
        if (leaves >= MAX_LEAVES) return;
        walk(key.slice(0, 256) || field, item, depth + 1);
      }
    }
  };
  walk('', args, 0);
}
