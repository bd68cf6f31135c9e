import type { Measure } from '../detect/port.js';
import type { RiskTerm } from '../model/incident.js';
import { TERM } from './evidence.js';
import type { Ingredients } from './ingredients.js';

/**
 * What is left of the surprise that a tool is used at all, while its learning window is open. Not nothing: a tool that
 * was granted for one purpose can still be used for another.
 */
const LEFT = 0.2;
/** Measures of novelty of the tool itself. Where arguments come from and what they act on is never damped. */
const NOVELTY = ['requestTool', 'newTool', 'transition'] as const;

/** The ingredients with the novelty of the tool damped, for the call's combined risk. */
export function dampNovelty(x: Ingredients): Ingredients {
  return { ...x, tool: LEFT * x.tool, newTool: LEFT * x.newTool, transition: LEFT * x.transition };
}

/** The terms of a damped risk, saying so. */
export function noteInTerms(terms: readonly RiskTerm[], note: string): RiskTerm[] {
  return terms.map((term) => (term.label === TERM.tool ? { ...term, label: `${term.label} (${note})` } : term));
}

/** Damps the measures of novelty in place; what was expected stays as it was measured, with the reason behind it. */
export function dampMeasures(measures: Map<string, Measure>, note: string): void {
  for (const name of NOVELTY) {
    const measure = measures.get(name);
    if (measure === undefined) continue;
    const { expected } = measure;
    const explained = expected === '' ? '' : `${expected} (${note})`;
    measures.set(name, { ...measure, nats: LEFT * measure.nats, expected: explained });
  }
}
