import { inertText } from '../lib/text/inert-text.js';

/** Dots of other scripts that mail programs also take for the dots of a host name. */
const DOTS = new Set(['.', '\u3002', '\uff0e', '\uff61']);

/**
 * What an agent wrote, as one bounded line in which a mail program finds nothing to make clickable: characters that
 * steer are gone, and addresses are taken apart the way incident responders write them, `https[:]//evil[.]example`.
 *
 * @param limit most characters before addresses are taken apart
 */
export function cleanText(text: string, limit: number): string {
  return disarmed(inertText(text, limit));
}

/** One pass, no pattern matching: the text is chosen by whoever wants to get through. */
function disarmed(text: string): string {
  const chars = Array.from(text);
  let out = '';
  chars.forEach((char, i) => {
    const [before = ' ', after = ' '] = [chars[i - 1], chars[i + 1]];
    if (DOTS.has(char) && isWord(before) && isLetter(after)) out += '[.]';
    else if (char === '@' && isWord(before) && isWord(after)) out += '[@]';
    // A scheme (`https:`, `mailto:`, `javascript:`); `12:30` and `note: text` stay.
    else if (char === ':' && isLetter(before) && after !== ' ') out += '[:]';
    // A Windows share.
    else if (char === '\\' && after === '\\') out += '[\\]';
    else out += char;
  });
  return out;
}

function isWord(char: string): boolean {
  return isLetter(char) || (char >= '0' && char <= '9') || char === '-' || char === '_';
}

/** Letters of any script: whatever has two cases, and everything beyond ASCII. */
function isLetter(char: string): boolean {
  return char.toLowerCase() !== char.toUpperCase() || char > '\u007f';
}
