import type { RiskTerm } from '../model/incident.js';
import type { Ingredients } from './ingredients.js';

/** Caps in nats: no single surprise convicts alone. */
const CAP = { tool: 6, origin: 4, source: 6, value: 3, newness: 3 };

export const TERM = {
  tool: 'tool not expected for this request',
  source: 'argument from an untrusted source',
  target: 'new target',
  argument: 'argument not asked for',
  asked: 'argument given by the user',
  write: 'stakes of a write',
  delegated: 'authority delegated by the request',
} as const;

/**
 * What one attempted call says against itself, as terms in nats whose sum is the raw risk. A transparent combination:
 * a capped sum of surprises with three interactions. The weights were chosen by hand while looking at recorded
 * development sessions, attacked ones among them; they are the same for all agents.
 *  - a doubtful source counts in so far as the target is new: most honest work acts on what it reads;
 *  - an unexpected tool weighs more where the request promised another one not used yet (a delegating request
 *    promises none);
 *  - in a write without targets the words of its arguments must stand in for them.
 */
export function riskTerms(x: Ingredients): RiskTerm[] {
  const tool = Math.min(x.tool, CAP.tool);
  const newTarget = x.readNewForRequest + Math.min(x.readNew, CAP.value) / 1.5 + x.readNovelWords;
  const source =
    0.5 * Math.min(x.readNear, CAP.origin) +
    0.5 * Math.min(x.sourceOdd, CAP.source) +
    x.readUngrounded +
    x.firstAfterRead +
    0.5 * x.justExposed;
  const terms: RiskTerm[] = [];
  const add = (label: string, nats: number) => {
    if (nats !== 0) terms.push({ label, nats });
  };
  add(TERM.tool, 0.3 * tool + 0.8 * x.write * tool * x.promised);
  add(TERM.source, source * Math.min(1, newTarget / CAP.newness));
  add(TERM.target, newTarget);
  add(TERM.argument, 3.5 * x.argUngrounded + 3 * x.argNewForRequest + (1.5 + 5 * x.promised) * x.freeArgs);
  add(TERM.asked, -1.5 * x.argGrounded - x.askedShare);
  add(TERM.write, 2 * x.write);
  add(TERM.delegated, -3 * x.delegated);
  return terms;
}

/** Sum of the terms in their order: the raw risk, nats; never saturated, comparable between agents. */
export function sumOf(terms: readonly RiskTerm[]): number {
  let sum = 0;
  for (const { nats } of terms) sum += nats;
  return sum;
}
