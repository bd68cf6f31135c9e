import type { Effect } from '../model/observation.js';

/** Words that mark a tool that handles identity or secrets, wherever they stand in its name. */
const AUTH_WORDS = wordSet(`
  login logout signin signout auth authenticate authorize verify password passwd token credential
  credentials secret otp mfa oauth
`);

/** Verbs that look and do not change. */
const READ_VERBS = wordSet(`
  get list search read find view show fetch query lookup check browse describe count download load
  open scan retrieve calculate compute compare summarize think is has head stat cat ls grep select
  inspect preview validate watch wait
`);

/** Verbs that change something; they settle a name whose first word is only its name space (`mail_send`). */
const WRITE_VERBS = wordSet(`
  send create add update delete remove set write post put insert move copy book cancel pay buy
  transfer invite share upload edit reply forward schedule reserve execute run exec deploy publish
  grant revoke append modify submit input checkout refund clear reschedule save rename merge push
  commit drop kill start stop install star change exchange purchase order approve reject close
`);

/**
 * What a tool does, judged by its name: for emitters that do not say. Unsure means `write`, because a write taken for
 * a read would pass unasked.
 */
export function effectOfTool(tool: string): Effect {
  const words = nameWords(tool);
  if (words.some((word) => AUTH_WORDS.has(word))) return 'auth';
  for (const word of words) {
    if (READ_VERBS.has(word)) return 'read';
    if (WRITE_VERBS.has(word)) return 'write';
  }
  return 'write';
}

/** `sendMail`, `send_mail`, `mail.send` -> their words in lower case. */
export function nameWords(name: string): string[] {
  const words: string[] = [];
  let start = 0;
  for (let i = 0; i <= name.length; i++) {
    const code = i < name.length ? name.charCodeAt(i) : 95;
    const upper = code >= 65 && code <= 90;
    const letter = upper || (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code > 127;
    const humped = upper && i > start && (!isUpper(name.charCodeAt(i - 1)) || isLower(name.charCodeAt(i + 1)));
    if (letter && !humped) continue;
    if (i > start) words.push(name.slice(start, i).toLowerCase());
    start = letter ? i : i + 1;
  }
  return words;
}

function isUpper(code: number): boolean {
  return code >= 65 && code <= 90;
}

function isLower(code: number): boolean {
  return code >= 97 && code <= 122;
}

function wordSet(words: string): ReadonlySet<string> {
  return new Set(words.trim().split(/\s+/));
}
