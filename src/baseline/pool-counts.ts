import { atOnce, type Steps } from '../lib/steps.js';
import type { PlainBaseline } from './agent-baseline.js';
import type { PlainCounts } from './count-map.js';
import type { PlainRequest } from './request-memory.js';

/** What scoring reads of a pool; names, values and rates of a pool are read by nobody. */
const POOL_COUNTS = ['tools', 'transitions', 'leaving', 'origins', 'sources'] as const;

/** What agents of a class have in common, as far as scoring reads it: plain, in an order of its own. */
export interface PoolCounts {
  /** Sessions behind it. */
  sessions: number;
  counts: Record<(typeof POOL_COUNTS)[number], PlainCounts>;
  /** Latest first. `learnedAt` says nothing. */
  requests: PlainRequest[];
}

export interface PoolLimits {
  /** Keys of each map of counts. */
  entries: number;
  /** Distinct requests. */
  requests: number;
}

/** A pool as others take it up. */
export function poolCountsOf({ sessions, counts, requests }: PlainBaseline): PoolCounts {
  return {
    sessions,
    counts: countsBy((name) => counts[name] ?? NO_COUNTS),
    requests: [...requests]
      .sort((a, b) => b.learnedAt - a.learnedAt || a.key - b.key)
      .map((request) => ({ ...request, learnedAt: 0 })),
  };
}

/**
 * Several pools as one. Counts add up; the order of the pools changes nothing. Where it is more than the limits allow, the
 * rarest counts go, and the requests that are oldest in their own pool.
 */
export function mergedCounts(pools: readonly PoolCounts[], limits: PoolLimits): PoolCounts {
  return atOnce(mergeSteps(pools, limits));
}

/** As `mergedCounts`, one map of counts after the other. The pools must not change meanwhile. */
export function* mergeSteps(pools: readonly PoolCounts[], limits: PoolLimits): Steps<PoolCounts> {
  const byKey = new Map<number, { rank: number; same: PlainRequest[] }>();
  for (const { requests } of pools) {
    for (const [rank, request] of requests.entries()) {
      const held = byKey.get(request.key);
      if (held === undefined) byKey.set(request.key, { rank, same: [request] });
      else {
        held.rank = Math.min(held.rank, rank);
        held.same.push(request);
      }
    }
  }
  const latest = [...byKey]
    .sort(([keyA, a], [keyB, b]) => a.rank - b.rank || keyA - keyB)
    .slice(0, limits.requests)
    .map(([, { same }]) => oneRequest(same));
  const counts = countsBy(() => NO_COUNTS);
  for (const name of POOL_COUNTS) {
    yield;
    counts[name] = sumOf(
      pools.map((pool) => pool.counts[name]),
      limits.entries,
    );
  }
  return { sessions: pools.reduce((sum, { sessions }) => sum + sessions, 0), counts, requests: latest };
}

/** What was learned here and what was adopted, as one pool. */
export function withAdopted(own: PlainBaseline | undefined, adopted: PoolCounts): PlainBaseline {
  const plain = own ?? EMPTY;
  const counts = countsBy((name) => sumOf([plain.counts[name] ?? NO_COUNTS, adopted.counts[name]], Infinity));
  const mine = new Map(plain.requests.map((request) => [request.key, request]));
  // Older than anything learned here, the latest ones last of all to go.
  const foreign = adopted.requests.map((request, rank) => ({ ...request, learnedAt: -1 - rank }));
  const requests = foreign.map((request) => {
    const own = mine.get(request.key);
    mine.delete(request.key);
    return own === undefined ? request : oneRequest([own, request]);
  });
  return {
    ...plain,
    sessions: plain.sessions + adopted.sessions,
    counts: { ...plain.counts, ...counts },
    requests: [...requests, ...mine.values()],
  };
}

const NO_COUNTS: PlainCounts = { keys: new Uint32Array(0), counts: new Uint32Array(0) };
const EMPTY: PlainBaseline = {
  sessions: 0,
  version: 0,
  changes: 0,
  // Every map of counts that is not named is empty.
  counts: Object.fromEntries(
    [...POOL_COUNTS, 'values', 'valuesByKind', 'distinctByKind', 'singlesByKind', 'argWords'].map((name) => [
      name,
      NO_COUNTS,
    ]),
  ),
  known: [],
  names: [],
  requests: [],
  callRates: [],
};

function countsBy(of: (name: (typeof POOL_COUNTS)[number]) => PlainCounts): PoolCounts['counts'] {
  return {
    tools: of('tools'),
    transitions: of('transitions'),
    leaving: of('leaving'),
    origins: of('origins'),
    sources: of('sources'),
  };
}

/** The same request in several pools. */
function oneRequest(same: readonly PlainRequest[]): PlainRequest {
  const [first] = same;
  if (first === undefined) throw new RangeError('no request to merge');
  if (same.length === 1) return first;
  const sum = (of: (request: PlainRequest) => number) => same.reduce((all, request) => all + of(request), 0);
  return {
    key: first.key,
    words: first.words,
    sessions: sum(({ sessions }) => sessions),
    counts: sumOf(
      same.map(({ counts }) => counts),
      Infinity,
    ),
    writeTargets: sum(({ writeTargets }) => writeTargets),
    readTargets: sum(({ readTargets }) => readTargets),
    learnedAt: Math.max(...same.map(({ learnedAt }) => learnedAt)),
  };
}

/** @param most keys that are kept: those counted most often */
function sumOf(all: readonly PlainCounts[], most: number): PlainCounts {
  const sums = new Map<number, number>();
  for (const { keys, counts } of all) {
    keys.forEach((key, i) => sums.set(key, (sums.get(key) ?? 0) + (counts[i] ?? 0)));
  }
  const kept =
    sums.size <= most ? [...sums] : [...sums].sort(([a, x], [b, y]) => y - x || a - b).slice(0, Math.max(0, most));
  kept.sort(([a], [b]) => a - b);
  return { keys: Uint32Array.from(kept, ([key]) => key), counts: Uint32Array.from(kept, ([, count]) => count) };
}
