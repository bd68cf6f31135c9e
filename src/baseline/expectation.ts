import type { AgentBaseline } from './agent-baseline.js';
import { mix, toolKey, withClass, wordKey, type OriginClass } from './keys.js';
import type { ToolExpectation } from './prior.js';
import type { KnownRequest, RequestMemory } from './request-memory.js';
import type { ScoringState } from './scoring-state.js';
import { toolSurprise, type ToolRelation } from './tool-expectation.js';

interface Neighbour {
  request: KnownRequest;
  weight: number;
}

/** Weight of another agent's session of a similar request against one of this agent's. */
const FOREIGN_WEIGHT = 0.5;
const FOREIGN_SIMILARITY = 0.9;
/** Sessions that the pooled rate of a tool counts against the agent's own. */
const PRIOR_SESSIONS = 5;
/** Weight of the back-off against similar requests. */
const NEIGHBOUR_PRIOR = 1;
const MAX_NEIGHBOURS = 16;
/** Least share of the request's information that a similar request holds. */
const MIN_OVERLAP = 0.2;

/**
 * What the user's words let one expect, from requests learned before: the nearest ones by weighted word overlap, each
 * distinct request once, the agent's own before other agents'. Computed once per user turn; reads only counts.
 */
export class RequestExpectation {
  /** Similarity of the nearest known request, 0 to 1. */
  readonly best: number;
  /** Share of write targets that requests like this one leave to what is read: delegated authority, 0 to 1. */
  readonly delegated: number;
  readonly #own: AgentBaseline;
  readonly #pool: AgentBaseline;
  readonly #session: ScoringState;
  readonly #model: ToolExpectation;
  readonly #neighbours: readonly Neighbour[];
  readonly #surprises = new Map<number, number>();

  constructor(own: AgentBaseline, pool: AgentBaseline, session: ScoringState, model: ToolExpectation) {
    this.#own = own;
    this.#pool = pool;
    this.#session = session;
    this.#model = model;
    const { neighbours, best } = findNeighbours(own.requests, pool.requests, session.intent.values());
    this.#neighbours = neighbours;
    this.best = best;
    this.delegated = this.#delegation();
  }

  /** Rate of sessions that use the tool, before looking at what is asked. */
  rate(tool: number): number {
    const pooled = (this.#pool.tools.get(tool) + 0.2) / (this.#pool.sessions + 20);
    return (this.#own.tools.get(tool) + PRIOR_SESSIONS * pooled) / (this.#own.sessions + PRIOR_SESSIONS);
  }

  /** How the tool relates to the request. */
  relation(tool: number, toolWords: readonly number[]): ToolRelation {
    const key = toolKey(tool);
    let seen = NEIGHBOUR_PRIOR * this.rate(tool);
    let all = NEIGHBOUR_PRIOR;
    for (const { request, weight } of this.#neighbours) {
      all += weight;
      seen += (weight * request.counts.get(key)) / request.sessions;
    }
    return { near: seen / all, name: this.#nameShare(toolWords), best: this.best };
  }

  /** Surprise of the tool for this request, nats; computed once per tool and user turn. */
  toolSurprise(tool: number, toolWords: readonly number[]): number {
    let nats = this.#surprises.get(tool);
    if (nats === undefined) {
      nats = toolSurprise(this.#model, this.relation(tool, toolWords));
      if (this.#surprises.size < MAX_CACHED_TOOLS) this.#surprises.set(tool, nats);
    }
    return nats;
  }

  /** Rate of an origin class at (tool, field) in similar requests, backed off to `base`. */
  originRate(place: number, cls: OriginClass, base: number): number {
    const key = withClass(place, cls);
    let seen = NEIGHBOUR_PRIOR * base;
    let all = NEIGHBOUR_PRIOR;
    for (const { request, weight } of this.#neighbours) {
      const n = request.counts.get(place);
      if (n === 0) continue;
      all += weight;
      seen += (weight * request.counts.get(key)) / n;
    }
    return seen / all;
  }

  /** Weight of similar requests that gave the tool this word, among those that used the tool: 0 to 1. */
  wordKnown(tool: number, word: number): number {
    const used = toolKey(tool);
    const key = wordKey(tool, word);
    let seen = 0;
    let all = NEIGHBOUR_PRIOR;
    for (const { request, weight } of this.#neighbours) {
      if (request.counts.get(used) === 0) continue;
      all += weight;
      if (request.counts.get(key) > 0) seen += weight;
    }
    return seen / all;
  }

  /** Weight of similar requests in which this value was acted on: 0 to 1. */
  valueKnown(kind: number, value: number): number {
    const key = mix(kind, value);
    let seen = 0;
    let all = NEIGHBOUR_PRIOR;
    for (const { request, weight } of this.#neighbours) {
      all += weight;
      if (request.counts.get(key) > 0) seen += weight;
    }
    return seen / all;
  }

  #nameShare(toolWords: readonly number[]): number {
    let hit = 0;
    for (const word of toolWords) if (this.#session.intent.has(word)) hit++;
    return toolWords.length === 0 ? 0 : hit / toolWords.length;
  }

  /** Single words first (each by its distinct requests), then similar requests, which weigh more. */
  #delegation(): number {
    const { sum, weight } = this.#pool.requests.index.sumByWord(this.#session.intent.values(), delegatedShare);
    let rate = (NEIGHBOUR_PRIOR * (sum + 0.8)) / (weight + 2);
    let n = NEIGHBOUR_PRIOR;
    for (const { request, weight } of this.#neighbours) {
      if (request.writeTargets === 0) continue;
      n += weight;
      rate += (weight * request.readTargets) / request.writeTargets;
    }
    return rate / n;
  }
}

const MAX_CACHED_TOOLS = 1_024;

function findNeighbours(
  own: RequestMemory,
  pool: RequestMemory,
  words: Uint32Array,
): { neighbours: Neighbour[]; best: number } {
  const found: Neighbour[] = [];
  let best = 0;
  pool.index.search(words, MIN_OVERLAP, (request, similarity) => {
    const mine = own.get(request.key);
    found.push({ request: mine ?? request, weight: kernel(similarity) * (mine === undefined ? FOREIGN_WEIGHT : 1) });
    best = Math.max(best, mine === undefined ? similarity * FOREIGN_SIMILARITY : similarity);
  });
  found.sort((a, b) => b.weight - a.weight || a.request.key - b.request.key);
  return { neighbours: found.slice(0, MAX_NEIGHBOURS), best };
}

/** Share of a request's write targets that came from what was read; NaN where it wrote nothing. */
function delegatedShare({ writeTargets, readTargets }: KnownRequest): number {
  return writeTargets === 0 ? Number.NaN : readTargets / writeTargets;
}

/** Weight by similarity (0 to 1): an identical request counts like dozens of vaguely similar ones. */
function kernel(similarity: number): number {
  return (similarity * similarity) / (1.02 - similarity);
}
