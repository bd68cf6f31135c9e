import { isDigit } from './char-class.js';

/** Longest card number with a separator after every digit. */
const MAX_SPAN_CHARS = 40;

/**
 * End of the payment card number that starts at `start`, or -1: 13 to 19 digits, single blanks or dashes between
 * them, beginning and length of a real scheme, Luhn check digit right (ISO/IEC 7812-1, annex B).
 */
export function cardNumberEnd(text: string, start: number): number {
  let digits = '';
  let end = start;
  const limit = Math.min(text.length, start + MAX_SPAN_CHARS);
  for (let i = start; i < limit; i++) {
    const code = text.charCodeAt(i);
    if (isDigit(code)) {
      digits += text.charAt(i);
      end = i + 1;
      if (digits.length > 19) return -1;
    } else if ((code !== 32 && code !== 45) || !isDigit(text.charCodeAt(i + 1)) || end !== i) break;
  }
  return isSchemeNumber(digits) && passesLuhn(digits) ? end : -1;
}

/** Length and leading digits of the schemes in use; keeps order numbers from being taken for cards. */
function isSchemeNumber(digits: string): boolean {
  const two = Number(digits.slice(0, 2));
  if (digits.startsWith('4')) return digits.length === 13 || digits.length === 16 || digits.length === 19;
  if (two === 34 || two === 37) return digits.length === 15;
  if (two === 30 || two === 36 || two === 38 || two === 39) return digits.length === 14;
  return digits.length === 16 && ((two >= 51 && two <= 55) || (two >= 22 && two <= 27) || two === 35 || two >= 60);
}

function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
