import type { ToolExpectation } from './prior.js';

/** How one tool relates to a request. */
export interface ToolRelation {
  /** Share of similar requests' sessions that used the tool, backed off to the tool's own rate. */
  near: number;
  /** Share of the words in the tool's name that the request holds. */
  name: number;
  /** Similarity of the most similar known request, 0 to 1. */
  best: number;
}

/** Features of the logistic model, in the order of the weights in `baselines/prior.json`. */
export function toolFeatures({ near, name, best }: ToolRelation): [number, number, number, number, number] {
  const known = best * best;
  const odds = logOdds(near);
  return [odds * known, odds * (1 - known), name * known, name * (1 - known), known];
}

/** Surprise of the tool being used for the request, nats. */
export function toolSurprise({ bias, weights }: ToolExpectation, relation: ToolRelation): number {
  const [a, b, c, d, e] = toolFeatures(relation);
  const z =
    bias +
    weights.nearWhenKnown * a +
    weights.nearWhenNew * b +
    weights.nameWhenKnown * c +
    weights.nameWhenNew * d +
    weights.known * e;
  return logisticSurprise(z);
}

/** -ln of the logistic function: what is left to be surprised about at log odds `z`, nats. */
export function logisticSurprise(z: number): number {
  if (z > 30) return 0;
  return z < -30 ? -z : Math.log1p(Math.exp(-z));
}

function logOdds(p: number): number {
  const bounded = Math.min(0.98, Math.max(2e-3, p));
  return Math.log(bounded / (1 - bounded));
}
