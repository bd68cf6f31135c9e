/** Longest text that is looked at; NFKC can make a text several times longer. */
const MAX_FOLDED_CHARS = 200_000;

/**
 * The text as it reads to a person: compatibility forms unified (NFKC), invisible and direction-changing characters
 * taken out. So `pay<zero-width>pal` and full-width letters give the same words as the plain spelling.
 */
export function foldText(text: string): string {
  const bounded = text.length > MAX_FOLDED_CHARS ? text.slice(0, MAX_FOLDED_CHARS) : text;
  if (isAscii(bounded)) return bounded;
  const folded = bounded.normalize('NFKC').slice(0, MAX_FOLDED_CHARS);
  let clean = '';
  let from = 0;
  for (let i = 0; i < folded.length; i++) {
    if (!isInvisible(folded.charCodeAt(i))) continue;
    clean += folded.slice(from, i);
    from = i + 1;
  }
  return from === 0 ? folded : clean + folded.slice(from);
}

/**
 * A text that is safe to show: control, direction-changing and invisible characters, and halves of surrogate pairs,
 * become visible escapes (`\u202e`), so that a disguised name stays distinct from the name it imitates.
 */
export function visibleText(text: string): string {
  let shown = '';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x20 && code < 0x7f) continue;
    if (isLeadOfPair(text, i)) {
      i++;
      continue;
    }
    if (!isControl(code) && !isInvisible(code) && !isSurrogate(code)) continue;
    shown += `${text.slice(from, i)}\\u${code.toString(16).padStart(4, '0')}`;
    from = i + 1;
  }
  return from === 0 ? text : shown + text.slice(from);
}

/** The first `max` characters, never half of a surrogate pair. */
export function cutText(text: string, max: number): string {
  if (text.length <= max) return text;
  return text.slice(0, isLeadOfPair(text, max - 1) ? max - 1 : max);
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

function isControl(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f);
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}

function isLeadOfPair(text: string, i: number): boolean {
  const code = text.charCodeAt(i);
  if (code < 0xd800 || code > 0xdbff) return false;
  const next = text.charCodeAt(i + 1);
  return next >= 0xdc00 && next <= 0xdfff;
}

/** Zero-width, direction and tag characters, line and paragraph separators, soft hyphen. */
function isInvisible(code: number): boolean {
  return (
    code === 0xad ||
    code === 0x61c ||
    code === 0x180e ||
    code === 0xfeff ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x206f)
  );
}
