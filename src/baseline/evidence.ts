import type { RiskTerm } from '../model/incident.js';
import type { Ingredients } from './ingredients.js';

/** Caps in nats: no single surprise convicts alone. */
const CAP = { tool: 6, source: 6, value: 3 };
/** Novelty of a target from which on a doubtful source counts in full, in shares and as many nats and a half. */
const NEW_TARGET = 3;
/** Most that earlier changes take away, nats: beyond seven of them nothing is gained by making more. */
const MOST_CHANCES = 2;

export const TERM = {
  tool: 'tool not expected for this request',
  source: 'argument from an untrusted source',
  target: 'new target',
  argument: 'argument not asked for',
  asked: 'argument given by the user',
  write: 'stakes of a write',
  delegated: 'authority delegated by the request',
  unknown: 'request unlike any known',
  chances: 'chances to look odd that the session had',
} as const;

/** What each feature of the risk is called in `baselines/prior.json`, and the term it adds to, in the terms' order. */
export const FEATURES = [
  ['tool', TERM.tool],
  ['toolInsteadOfPromised', TERM.tool],
  ['unexpectedFreeWords', TERM.tool],
  ['sourceOdd', TERM.source],
  ['firstAfterRead', TERM.source],
  ['justExposed', TERM.source],
  ['targetNew', TERM.target],
  ['targetNovelWords', TERM.target],
  ['wordsUngrounded', TERM.argument],
  ['wordsNewForRequest', TERM.argument],
  ['freeWords', TERM.argument],
  ['wordsAsked', TERM.asked],
  ['targetsAsked', TERM.asked],
  ['write', TERM.write],
  ['delegated', TERM.delegated],
  ['unknownRequest', TERM.unknown],
  ['writesBefore', TERM.chances],
] as const;

export type FeatureName = (typeof FEATURES)[number][0];
/** Nats per unit of a feature, 0 or more: what speaks for a call has features below 0. */
export type EvidenceWeights = Record<FeatureName, number>;

/**
 * What one attempted call says against itself, as numbers in the order of `FEATURES`: capped surprises, shares, and
 * their interactions.
 *  - a doubtful source counts in so far as the target is new: most honest work acts on what it reads; and less where the
 *    user named other targets of the same call: what is sent where he asked may tell of strangers;
 *  - an unexpected tool weighs more where the request promised another one not used yet (a delegating request
 *    promises none), and where it says what nobody asked for;
 *  - in a write without targets the words of its arguments must stand in for them;
 *  - of a request unlike any known, everything is somewhat new;
 *  - a session's risk is that of its oddest call, and of many calls one is odd by chance: as when many tests are made of
 *    one thing (Bonferroni), each must be so much the odder, the logarithm of how many changes there were.
 */
export function evidenceFeatures(x: Ingredients): number[] {
  const tool = Math.min(x.tool, CAP.tool);
  const value = Math.min(x.readNew, CAP.value) / 1.5;
  const novelty = Math.min(1, (x.readNewForRequest + value + x.readNovelWords) / NEW_TARGET);
  const doubt = novelty * (1 - x.askedShare / 2);
  return [
    tool,
    x.write * tool * x.promised,
    tool * x.freeArgs,
    doubt * Math.min(x.sourceOdd, CAP.source),
    doubt * x.firstAfterRead,
    doubt * x.justExposed,
    value,
    x.readNovelWords,
    x.argUngrounded,
    x.argNewForRequest,
    x.freeArgs,
    -x.argGrounded,
    -x.askedShare,
    x.write,
    -x.delegated,
    -x.unknownRequest,
    -Math.min(MOST_CHANCES, Math.log1p(x.writesBefore)),
  ];
}

/** The terms of the raw risk in nats, those that say nothing left out; their sum is the risk. */
export function riskTerms(x: Ingredients, weights: EvidenceWeights): RiskTerm[] {
  const features = evidenceFeatures(x);
  const terms: RiskTerm[] = [];
  let i = 0;
  while (i < FEATURES.length) {
    const label = FEATURES[i]?.[1] ?? TERM.tool;
    let nats = 0;
    for (; FEATURES[i]?.[1] === label; i++) nats += weightAt(weights, i) * (features[i] ?? 0);
    if (nats !== 0) terms.push({ label, nats });
  }
  return terms;
}

function weightAt(weights: EvidenceWeights, i: number): number {
  const name = FEATURES[i]?.[0];
  return name === undefined ? 0 : weights[name];
}

/** Sum of the terms in their order: the raw risk, nats; never saturated, comparable between agents. */
export function sumOf(terms: readonly RiskTerm[]): number {
  let sum = 0;
  for (const { nats } of terms) sum += nats;
  return sum;
}
