/** Longest single value shown inside a reason, characters. */
const MAX_VALUE_CHARS = 80;
/** Longest line made for a person, characters. */
export const MAX_LINE_CHARS = 400;

/**
 * One harmless line: no control characters, no line or paragraph separators, nothing that reorders or hides text.
 * Everything an agent can write passes through here before a person reads it.
 *
 * @param limit most characters (code points) kept; longer text ends in an ellipsis
 */
export function inertText(text: string, limit: number = MAX_VALUE_CHARS): string {
  let out = '';
  let kept = 0;
  for (const char of text) {
    const hidden = isHidden(char.codePointAt(0) ?? 0);
    // A run of removed characters leaves one space, so that words do not melt together.
    if (hidden && (out === '' || out.endsWith(' '))) continue;
    if (kept === limit) return `${out.trimEnd()}…`;
    out += hidden ? ' ' : char;
    kept++;
  }
  return out.trim();
}

/** A value in quotes that it cannot close, so that it never reads as the sentence around it. */
export function quotedText(text: string): string {
  return `"${inertText(text).replaceAll('"', "'")}"`;
}

/** Characters that a terminal or a browser acts on instead of showing, and halves of broken surrogate pairs. */
function isHidden(code: number): boolean {
  return (
    code < 0x20 ||
    (code >= 0x7f && code <= 0x9f) ||
    code === 0xad ||
    code === 0x61c ||
    code === 0x180e ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x206f) ||
    (code >= 0xd800 && code <= 0xdfff) ||
    (code >= 0xfe00 && code <= 0xfe0f) ||
    code === 0xfeff ||
    (code >= 0xfff9 && code <= 0xfffb) ||
    (code >= 0xe0000 && code <= 0xe01ef)
  );
}
