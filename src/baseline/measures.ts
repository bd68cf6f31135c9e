import type { Measure, MeasureNames } from '../detect/port.js';
import type { RiskTerm } from '../model/incident.js';
import type { AgentBaseline } from './agent-baseline.js';
import { sumOf, TERM } from './evidence.js';
import type { CallFact } from './facts.js';
import type { Ingredients, Measuring } from './ingredients.js';
import { HABIT_MEASURES } from './habits.js';
import { placesOf } from './keys.js';
import { METRIC_MEASURE } from './metric-series/metric-streams.js';

const CALL_MEASURES = [
  'requestTool',
  'newTarget',
  'argumentOrigin',
  'offRequest',
  'transition',
  'newTool',
  'combined',
] as const;

/** Names of all measures: those of a call, of a session, of a metric sample, and `callRate` of a joined window. */
export const MEASURES: MeasureNames = new Set([...CALL_MEASURES, ...HABIT_MEASURES, METRIC_MEASURE, 'callRate']);

/** Below it nobody reads the explanation, nats: it is left empty. */
const EXPLAINED_NATS = 1;

/**
 * What the baselines say about one call, one measure for each kind of surprise and `combined` for the raw risk. All
 * but `offRequest` and `combined` are plain surprises, -ln p; `offRequest` is what words off the request add to the
 * risk. Explanations name tools and fields, never values.
 */
export function callMeasures(
  { own, pool, session }: Measuring,
  { call, x, terms }: { call: CallFact; x: Ingredients; terms: readonly RiskTerm[] },
): Map<string, Measure> {
  const n = own.sessions;
  const tool = call.toolName;
  const measures = new Map<string, Measure>();
  const add = (name: (typeof CALL_MEASURES)[number], nats: number, sampleSize: number, explain: () => Explanation) => {
    const { observed, expected } = nats >= EXPLAINED_NATS ? explain() : UNEXPLAINED;
    measures.set(name, { nats, sampleSize, observed, expected });
  };
  add('requestTool', x.tool, n, () => ({
    observed: `${tool} (${x.write === 1 ? 'changes something' : 'reads'})`,
    expected: `in ${percent(x.tool)} of sessions with such a request; used in ${own.tools.get(call.tool)} of this agent's ${n} sessions`,
  }));
  const newest = call.targets[x.newestTarget];
  const samples = newest === undefined ? 0 : own.valuesByKind.get(newest.kind);
  add('newTarget', x.newest, samples, () => ({
    observed: `${newest?.kindName ?? 'target'} in ${fieldOf(call, x.newestTarget)} of ${tool}: never seen for this agent`,
    expected: `a new one in ${percent(x.newest)} of ${samples} cases`,
  }));
  const oddest = call.targets[x.oddestTarget];
  const origins = oddest === undefined ? 0 : pool.origins.get(placesOf(call, oddest).general);
  add('argumentOrigin', Math.max(x.readNear, x.sourceOdd), origins, () => ({
    observed: `${fieldOf(call, x.oddestTarget)} of ${tool} taken from ${sourceName(own, oddest?.source ?? 0)}, not from the user`,
    expected: `from what was read in ${percent(x.readNear)} of such calls, from this source in ${percent(x.sourceOdd)}`,
  }));
  const off = terms.find(({ label }) => label === TERM.argument)?.nats ?? 0;
  add('offRequest', off, n, () => ({
    observed: `${share(x.argUngrounded)} of what the arguments of ${tool} say is new to this agent and not the user's`,
    expected: `words of the request (${share(x.argGrounded)} are)`,
  }));
  add('transition', x.transition, own.leaving.get(session.lastTool), () => ({
    observed: `${tool} after ${session.lastTool === 0 ? 'the request' : (own.names.get(session.lastTool) ?? 'a tool unknown so far')}`,
    expected: `in ${percent(x.transition)} of such steps`,
  }));
  add('newTool', x.newTool, n, () => ({
    observed: `${tool}: never used by this agent`,
    expected: `one of its ${own.known.size} tools`,
  }));
  add('combined', sumOf(terms), n, () => ({
    observed: `${tool}: ${strongest(terms)}`,
    expected: 'a call that fits the request and this agent',
  }));
  return measures;
}

interface Explanation {
  observed: string;
  expected: string;
}

const UNEXPLAINED: Explanation = { observed: '', expected: '' };

function strongest(terms: readonly RiskTerm[]): string {
  let best: RiskTerm | undefined;
  for (const term of terms) if (best === undefined || term.nats > best.nats) best = term;
  return best?.label ?? '';
}

function fieldOf(call: CallFact, target: number): string {
  return call.targets[target]?.fieldName ?? 'an argument';
}

function sourceName(own: AgentBaseline, source: number): string {
  const name = own.names.get(source);
  return name === undefined ? 'something the agent read' : `the result of ${name}`;
}

/** A surprise as a percentage, `p = exp(-nats)`. */
function percent(nats: number): string {
  return share(Math.exp(-nats));
}

function share(p: number): string {
  const value = 100 * p;
  return `${value < 0.1 ? 'under 0.1' : value.toFixed(value < 10 ? 1 : 0)} %`;
}
