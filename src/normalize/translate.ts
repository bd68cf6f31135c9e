import { stableId } from '../lib/hash.js';
import { MAX_LIST, MAX_NAME_CHARS, MAX_SENTENCE_CHARS, MAX_TEXT_CHARS } from '../model/wire.js';
import { isStream } from '../model/observation.js';
import { nativeNormalizer } from './native.js';
import type { NormalizeContext, Normalized, Normalizer, Refused } from './port.js';
import { refuse } from './refusal.js';

/** A part of a foreign record in the words of the native wire format; nothing about it is checked yet. */
export type Draft = { readonly stream: string } & Readonly<Record<string, unknown>>;

/** One foreign wire format, put into Parallax's own: derivation, redaction and checks are the same for all. */
export interface Translator {
  /** Name of the format, for counters and for `--format`. */
  readonly format: string;
  /** A record may say several things, or nothing that is of use. Never throws. */
  translate(record: unknown, context: NormalizeContext): (Draft | Refused)[];
}

/**
 * A wire format of its own from a translator. Texts that are too long are cut, because nobody can tell a foreign emitter
 * to send shorter ones. Of what a record says on streams that the key may not write nothing is taken; where that is all of
 * it, the record is refused.
 */
export function normalizerOf(translator: Translator): Normalizer {
  return {
    format: translator.format,
    normalize: (record, context) => {
      const drafts = translator.translate(record, context);
      const allowed = drafts.filter((draft) => isRefused(draft) || mayWrite(context, draft));
      const [first] = drafts;
      if (allowed.length === 0 && first !== undefined && !isRefused(first)) {
        return [refuse('stream', `this key may not write the ${first.stream} stream; use a key that is bound to it`)];
      }
      return allowed.flatMap((draft): Normalized[] =>
        isRefused(draft) ? [draft] : nativeNormalizer.normalize(cut(draft), context),
      );
    },
  };
}

function isRefused(draft: Draft | Refused): draft is Refused {
  return 'ok' in draft && draft.ok === false;
}

function mayWrite({ principal }: NormalizeContext, { stream }: Draft): boolean {
  return isStream(stream) && principal.streams.has(stream);
}

/** Longest value of each free text; every other text is a name. Arguments are bounded where they are derived from. */
const TEXTS: Readonly<Record<string, number>> = { text: MAX_TEXT_CHARS, reason: MAX_SENTENCE_CHARS };

function cut(draft: Draft): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(draft)) {
    if (value === undefined || value === '') continue;
    // Two long ids must not become one by being cut.
    if (name === 'id' && typeof value === 'string' && value.length > MAX_NAME_CHARS) out[name] = stableId('id', value);
    else if (typeof value === 'string') out[name] = wellFormed(value.slice(0, TEXTS[name] ?? MAX_NAME_CHARS));
    else if (Array.isArray(value)) out[name] = value.slice(0, MAX_LIST);
    else out[name] = value;
  }
  return out;
}

/** A cut may have split a character in two. */
function wellFormed(text: string): string {
  return text.isWellFormed() ? text : text.toWellFormed();
}
