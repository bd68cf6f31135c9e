/**
 * Refits `baselines/prior.json` on the clean TRAIN sessions of the recorded data: no attack and no label is read.
 * Every request is taken out of the baselines before it is looked at; known requests are looked at a second time with
 * a third of their sessions taken out, so that the model meets requests it knows. Prints the log loss, cross-validated
 * by request.
 *
 *     PARALLAX_DATA=... node dist/bench/fit-prior.js [prior.json to write]
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AGENT_CAPS, AgentBaseline, POOL_CAPS } from '../src/baseline/agent-baseline.js';
import { RequestExpectation } from '../src/baseline/expectation.js';
import { FactReader } from '../src/baseline/fact-reader.js';
import type { SessionRecord } from '../src/baseline/facts.js';
import { Journal } from '../src/baseline/journal.js';
import { loadPrior, type Prior, type ToolExpectation } from '../src/baseline/prior.js';
import { ScoringState } from '../src/baseline/scoring-state.js';
import { recordOf } from '../src/baseline/session-record.js';
import { SessionState } from '../src/baseline/session-state.js';
import { logisticSurprise, toolFeatures } from '../src/baseline/tool-expectation.js';
import { identifierWords } from '../src/lib/text/words.js';
import { recordedData, recordedDataMissing, repositoryRoot } from '../test/support/recorded.js';
import { RECORDED_SETS, recordedSessions, type RecordedSession } from '../test/support/recorded-observations.js';

const SEED = 1;
const FOLDS = 5;
const L2 = 2;
/** The airline's requests are many and all alike. */
const WEIGHT = { agentdojo: 1, agentdyn: 1, taubench: 0.2 };
const NO_MODEL: ToolExpectation = {
  bias: 0,
  weights: { nearWhenKnown: 0, nearWhenNew: 0, nameWhenKnown: 0, nameWhenNew: 0, known: 0 },
};

interface Learned extends RecordedSession {
  record: SessionRecord;
  state: SessionState;
}

/** One tool that a request's sessions could have used. */
interface Row {
  x: readonly number[];
  /** Share of the sessions that used it. */
  y: number;
  weight: number;
  fold: number;
}

interface Fit {
  bias: number;
  weights: number[];
}

if (recordedData === undefined) throw new Error(recordedDataMissing);
const data = recordedData;
const reader = new FactReader(SEED);
const sessions: Learned[] = RECORDED_SETS.flatMap((set) => recordedSessions(data, set, 'train', SEED)).map(
  (session) => {
    const state = new SessionState({ tenant: '', agentId: session.agentId, sessionId: session.sessionId });
    for (const observation of session.observations) state.apply(observation, reader);
    return { ...session, state, record: recordOf(state.trace.facts) };
  },
);
const rows = rowsOf(sessions);
const totalWeight = rows.reduce((sum, { weight }) => sum + weight, 0);
const rate = rows.reduce((sum, { weight, y }) => sum + weight * y, 0) / totalWeight;
let crossValidated = 0;
for (let fold = 0; fold < FOLDS; fold++) {
  const kept = rows.filter((row) => row.fold !== fold);
  const heldOut = rows.filter((row) => row.fold === fold);
  crossValidated += logLoss(fit(kept), heldOut) / FOLDS;
}
const { bias, weights } = fit(rows);
const [nearWhenKnown = 0, nearWhenNew = 0, nameWhenKnown = 0, nameWhenNew = 0, known = 0] = weights.map(round);
const prior: Prior = {
  version: 1,
  provenance: {
    fitted: 'logistic model of whether a clean session uses a tool, non-negative weights but for `known`, L2 penalty 2',
    data: 'clean TRAIN sessions of agentdojo (629), agentdyn (575) and tau-bench airline (100, weight 0.2)',
    folds:
      'each request scored by baselines without it, and known requests again with a third of their sessions taken out; log loss over 5 folds by request',
    date: process.argv[3] ?? '2026-11-21',
    rows: rows.length,
    crossValidatedLogLoss: round(crossValidated),
    constantLogLoss: round(-(rate * Math.log(rate) + (1 - rate) * Math.log(1 - rate))),
  },
  toolExpectation: { bias: round(bias), weights: { nearWhenKnown, nearWhenNew, nameWhenKnown, nameWhenNew, known } },
  // Fitted by `npm run bench -- quality`.
  evidence: loadPrior(join(repositoryRoot, 'baselines', 'prior.json')).evidence,
};
const text = `${JSON.stringify(prior, null, 2)}\n`;
process.stdout.write(text);
const [, , file] = process.argv;
if (file !== undefined) writeFileSync(file, text);

function rowsOf(all: readonly Learned[]): Row[] {
  const pool = new AgentBaseline(POOL_CAPS);
  const agents = new Map<string, AgentBaseline>();
  const agent = (id: string): AgentBaseline => {
    const held = agents.get(id) ?? new AgentBaseline(AGENT_CAPS);
    agents.set(id, held);
    return held;
  };
  for (const { agentId, record } of all) for (const baseline of [agent(agentId), pool]) baseline.learn(record, 1);
  const groups = new Map<string, Learned[]>();
  for (const session of all) {
    const key = `${session.agentId}:${session.state.scoring.requestKey}`;
    groups.set(key, [...(groups.get(key) ?? []), session]);
  }
  const out: Row[] = [];
  let group = 0;
  for (const members of groups.values()) {
    const [first] = members;
    if (first === undefined) continue;
    for (const part of members.length < 4 ? [members] : [members, members.slice(0, Math.ceil(members.length / 3))]) {
      const own = agent(first.agentId);
      const journal = new Journal();
      for (const { record } of part) for (const baseline of [own, pool]) baseline.learn(record, -1, journal);
      const weight = WEIGHT[first.set] * (part === members ? 1 : 0.5);
      for (const row of toolRows(part, own, pool)) out.push({ ...row, weight, fold: group % FOLDS });
      journal.restore();
    }
    group++;
  }
  return out;
}

function toolRows(part: readonly Learned[], own: AgentBaseline, pool: AgentBaseline): Pick<Row, 'x' | 'y'>[] {
  const asked = new ScoringState();
  for (const fact of part[0]?.state.trace.facts ?? []) if (fact.type === 'prompt') asked.apply(fact);
  const expectation = new RequestExpectation(own, pool, asked, NO_MODEL);
  const uses = (session: Learned, tool: number) => session.record.tools.some((used) => used.tool === tool);
  return [...new Set(part.flatMap(({ tools }) => tools))].map((name) => {
    const tool = reader.name(name);
    const having = part.filter((session) => session.tools.includes(name) || uses(session, tool));
    const y = having.filter((session) => uses(session, tool)).length / having.length;
    return { x: toolFeatures(expectation.relation(tool, identifierWords(name, SEED))), y };
  });
}

/** Gradient descent with momentum; weights but the last are kept at 0 or above. */
function fit(data: readonly Row[]): Fit {
  const n = data[0]?.x.length ?? 0;
  const total = data.reduce((sum, { weight }) => sum + weight, 0);
  const weights = Array.from({ length: n }, () => 0.1);
  const speed = Array.from({ length: n }, () => 0);
  let bias = -2;
  let biasSpeed = 0;
  for (let round = 0; round < 3_000; round++) {
    const gradient = weights.map((w) => (L2 * w) / total);
    let biasGradient = 0;
    for (const { x, y, weight } of data) {
      const error = ((1 / (1 + Math.exp(-logOddsOf({ bias, weights }, x))) - y) * weight) / total;
      biasGradient += error;
      for (let i = 0; i < n; i++) gradient[i] = (gradient[i] ?? 0) + error * (x[i] ?? 0);
    }
    biasSpeed = 0.9 * biasSpeed - 0.3 * biasGradient;
    bias += biasSpeed;
    for (let i = 0; i < n; i++) {
      speed[i] = 0.9 * (speed[i] ?? 0) - 0.3 * (gradient[i] ?? 0);
      weights[i] = (weights[i] ?? 0) + (speed[i] ?? 0);
      if (i === n - 1 || (weights[i] ?? 0) >= 0) continue;
      weights[i] = 0;
      speed[i] = 0;
    }
  }
  return { bias, weights };
}

function logOddsOf({ bias, weights }: Fit, x: readonly number[]): number {
  return x.reduce((sum, feature, i) => sum + feature * (weights[i] ?? 0), bias);
}

function logLoss(model: Fit, data: readonly Row[]): number {
  let sum = 0;
  let total = 0;
  for (const { x, y, weight } of data) {
    const z = logOddsOf(model, x);
    sum += weight * (y * logisticSurprise(z) + (1 - y) * logisticSurprise(-z));
    total += weight;
  }
  return sum / total;
}

function round(x: number): number {
  return Math.round(x * 1e4) / 1e4;
}
