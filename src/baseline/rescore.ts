import type { AgentBaseline } from './agent-baseline.js';
import { riskTerms, sumOf } from './evidence.js';
import { RequestExpectation } from './expectation.js';
import type { Fact } from './facts.js';
import { measureCall } from './ingredients.js';
import type { Models } from './prior.js';
import { ScoringState } from './scoring-state.js';

/** Highest risk among a finished session's calls against the baselines as they are now, nats; -Infinity without calls. */
export function rescore(
  facts: readonly Fact[],
  { own, pool, models }: { own: AgentBaseline; pool: AgentBaseline; models: Models },
): number {
  const session = new ScoringState();
  let expectation: RequestExpectation | undefined;
  let highest = Number.NEGATIVE_INFINITY;
  for (const fact of facts) {
    if (fact.type === 'prompt') expectation = undefined;
    if (fact.type === 'call') {
      expectation ??= new RequestExpectation(own, pool, session, models.toolExpectation);
      highest = Math.max(
        highest,
        sumOf(riskTerms(measureCall({ own, pool, session, expectation }, fact), models.evidence.weights)),
      );
    }
    session.apply(fact);
  }
  return highest;
}
