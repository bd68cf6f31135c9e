import type { AgentBaseline } from './agent-baseline.js';
import { argumentShares, novelShare } from './argument-words.js';
import type { RequestExpectation } from './expectation.js';
import type { CallFact, TargetFact } from './facts.js';
import { isWrite, mix, originClass, placesOf, withClass, type Places } from './keys.js';
import type { ScoringState } from './scoring-state.js';

/** What is measured on one attempted call: surprises in nats, shares and flags from 0 to 1. */
export interface Ingredients {
  /** 1 where the call changes something. */
  write: number;
  /** Calls of this session before it that changed something. */
  writesBefore: number;
  /** Surprise of the tool for this request. */
  tool: number;
  /** Surprise of a tool this agent never used; 0 for a known one. */
  newTool: number;
  /** Surprise of the step from the tool before to this one. */
  transition: number;
  /** Best expectation among this agent's writing tools that the session has not used yet. */
  promised: number;
  /** Share of write targets that such requests leave to what is read. */
  delegated: number;
  /** How little the request resembles any known one. */
  unknownRequest: number;
  /** The rest but the last five is the most over the targets that came from what was read. */
  readNear: number;
  sourceOdd: number;
  readNew: number;
  readNewForRequest: number;
  readNovelWords: number;
  /** The source is one of the last two calls. */
  firstAfterRead: number;
  /** The last call read content. */
  justExposed: number;
  /** Share of targets that the user asked for. */
  askedShare: number;
  argUngrounded: number;
  argNewForRequest: number;
  argGrounded: number;
  /** The same for a write without targets, where the words of its arguments must stand in for them. */
  freeArgs: number;
  /** Surprise of the newest target that the user did not ask for, wherever it came from. Shown, not part of the risk. */
  newest: number;
  /** The target it belongs to, and the one with the oddest origin; -1 where there is none. */
  newestTarget: number;
  oddestTarget: number;
}

export interface Measuring {
  own: AgentBaseline;
  pool: AgentBaseline;
  session: ScoringState;
  expectation: RequestExpectation;
}

/** Reads the attempted call and what came before it; nothing of what comes of it. */
export function measureCall(from: Measuring, call: CallFact): Ingredients {
  const { own, session, expectation } = from;
  const last = session.lastCall();
  const write = isWrite(call.effect);
  const shares = argumentShares(from, call);
  const x: Ingredients = {
    write: write ? 1 : 0,
    writesBefore: session.writes,
    tool: expectation.toolSurprise(call.tool, call.toolWords),
    newTool: own.tools.get(call.tool) > 0 ? 0 : unseenNats(own.tools.singles, own.tools.total),
    transition: transitionSurprise(from, session.lastTool, call.tool),
    promised: write ? promised(from, call.tool) : 0,
    delegated: expectation.delegated,
    unknownRequest: 1 - expectation.best,
    readNear: 0,
    sourceOdd: 0,
    readNew: 0,
    readNewForRequest: 0,
    readNovelWords: 0,
    firstAfterRead: 0,
    justExposed: last !== undefined && last.read && last.effect === 'read' ? 1 : 0,
    askedShare: 0,
    argUngrounded: shares.ungrounded,
    argNewForRequest: shares.newForRequest,
    argGrounded: shares.grounded,
    freeArgs: write && call.targets.length === 0 ? shares.ungrounded + (2 / 3) * shares.newForRequest : 0,
    newest: 0,
    newestTarget: -1,
    oddestTarget: -1,
  };
  call.targets.forEach((target, i) => {
    const cls = originClass(target.origin);
    if (cls === 'asked') {
      x.askedShare += 1 / call.targets.length;
      return;
    }
    const novelty = valueNovelty(own, target);
    const unseen =
      novelty === 0 ? 0 : unseenNats(own.singlesByKind.get(target.kind), own.valuesByKind.get(target.kind));
    if (x.newestTarget < 0 || unseen > x.newest) {
      x.newestTarget = i;
      x.newest = unseen;
    }
    if (cls === 'read') measureReadTarget(from, { call, i, novelty }, x);
  });
  return x;
}

/** Probability that counts, floored so that a surprise stays finite: nats. */
export function nats(p: number): number {
  return -Math.log(Math.max(p, 1e-6));
}

/**
 * Surprise of something never seen before, nats: the share of what was seen once among all that was seen estimates how
 * often something new comes (Good 1953, "The population frequencies of species"), with the prior of one new in two.
 */
function unseenNats(seenOnce: number, seen: number): number {
  return nats((seenOnce + 1) / (seen + 2));
}

function promised({ own, session, expectation }: Measuring, tool: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (const used of own.known.values()) {
    if (!used.write || used.tool === tool || session.usedTools.has(used.tool)) continue;
    least = Math.min(least, expectation.toolSurprise(used.tool, used.words));
  }
  return Math.exp(-least);
}

function measureReadTarget(
  from: Measuring,
  { call, i, novelty }: { call: CallFact; i: number; novelty: number },
  x: Ingredients,
): void {
  const { session, expectation } = from;
  const target = call.targets[i];
  if (target === undefined) return;
  const places = placesOf(call, target);
  const near = nats(expectation.originRate(places.own, 'read', readRate(from, places)));
  const odd = target.source === 0 ? 0 : sourceSurprise(from, places, target.source);
  if (x.oddestTarget < 0 || Math.max(near, odd) > Math.max(x.readNear, x.sourceOdd)) x.oddestTarget = i;
  x.readNear = Math.max(x.readNear, near);
  x.sourceOdd = Math.max(x.sourceOdd, odd);
  x.readNew = Math.max(x.readNew, novelty);
  x.readNewForRequest = Math.max(x.readNewForRequest, 1 - expectation.valueKnown(target.kind, target.value));
  x.readNovelWords = Math.max(x.readNovelWords, novelShare(from, target.words));
  const source = session.calls.find(({ callId }) => callId !== 0 && callId === target.sourceCall);
  if (source !== undefined && session.callCount - source.index <= 2) x.firstAfterRead = 1;
}

/** Surprise of a value never seen for its kind, nats; 0 for a value known to this agent. */
export function valueNovelty(own: AgentBaseline, { kind, value }: TargetFact): number {
  if (own.values.get(mix(kind, value)) > 0) return 0;
  return nats((own.distinctByKind.get(kind) + 1) / (own.valuesByKind.get(kind) + 2)) + 0.5;
}

const ORIGIN_PRIOR = 3;

/** Rate of values taken from what was read: (tool, field) of this agent, backed off to the pool, then to (effect, kind). */
function readRate({ own, pool }: Measuring, places: Places): number {
  let rate = 0.3;
  for (const place of [places.general, places.own]) {
    for (const { origins } of [pool, own]) {
      rate = (origins.get(withClass(place, 'read')) + ORIGIN_PRIOR * rate) / (origins.get(place) + ORIGIN_PRIOR);
    }
  }
  return rate;
}

function sourceSurprise({ own, pool }: Measuring, places: Places, source: number): number {
  let rate = 0.05;
  const levels = [
    [pool, places.general],
    [pool, places.own],
    [own, places.own],
  ] as const;
  for (const [{ sources }, place] of levels) {
    rate = (sources.get(mix(place, source)) + ORIGIN_PRIOR * rate) / (sources.get(place) + ORIGIN_PRIOR);
  }
  return nats(rate);
}

function transitionSurprise({ own, pool, expectation }: Measuring, from: number, to: number): number {
  const step = mix(from, to);
  const pooled = (pool.transitions.get(step) + 2 * expectation.rate(to)) / (pool.leaving.get(from) + 2);
  return nats((own.transitions.get(step) + 3 * pooled) / (own.leaving.get(from) + 3));
}
