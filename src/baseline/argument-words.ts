import type { CallFact } from './facts.js';
import type { Measuring } from './ingredients.js';

/** What the words of a call's arguments have to do with the request, each a share from 0 to 1. */
export interface ArgumentShares {
  /** Neither the user's nor ever met in this agent's arguments; common words weigh less. */
  ungrounded: number;
  /** Not the user's, and not given to this tool in similar requests. */
  newForRequest: number;
  /** The user's own words. */
  grounded: number;
}

export function argumentShares({ own, session, expectation }: Measuring, call: CallFact): ArgumentShares {
  const n = call.argWords.length;
  if (n === 0) return { ungrounded: 0, newForRequest: 0, grounded: 0 };
  let unknown = 0;
  let grounded = 0;
  let newForRequest = 0;
  let mass = 1;
  for (const word of call.argWords) {
    const known = own.argWords.get(word);
    mass += rarity(known);
    if (session.mentioned.has(word)) {
      grounded++;
      continue;
    }
    newForRequest += 1 - expectation.wordKnown(call.tool, word);
    if (known === 0 && !session.seenArgWords.has(word)) unknown++;
  }
  return { ungrounded: unknown / mass, newForRequest: newForRequest / (n + 1), grounded: grounded / n };
}

/** Share of a value's words met neither in this agent's arguments nor in the request. */
export function novelShare({ own, session }: Measuring, words: readonly number[]): number {
  let novel = 0;
  let all = 0;
  for (const word of words) {
    const known = own.argWords.get(word);
    all += rarity(known);
    if (known === 0 && !session.mentioned.has(word)) novel++;
  }
  return all === 0 ? 0 : novel / all;
}

/** Weight of a word by how many sessions had it among their arguments: 1 for a new word. */
function rarity(sessions: number): number {
  return 1 / (1 + Math.log1p(sessions));
}
