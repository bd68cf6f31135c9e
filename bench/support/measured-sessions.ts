import { AGENT_CAPS, AgentBaseline, POOL_CAPS } from '../../src/baseline/agent-baseline.js';
import { RequestExpectation } from '../../src/baseline/expectation.js';
import { FactReader } from '../../src/baseline/fact-reader.js';
import type { Fact } from '../../src/baseline/facts.js';
import { measureCall, type Ingredients } from '../../src/baseline/ingredients.js';
import { Journal } from '../../src/baseline/journal.js';
import type { ToolExpectation } from '../../src/baseline/prior.js';
import { ScoringState } from '../../src/baseline/scoring-state.js';
import { recordOf } from '../../src/baseline/session-record.js';
import { SessionState } from '../../src/baseline/session-state.js';
import { RECORDED_SETS, recordedSessions, type RecordedSet } from '../../test/support/recorded-observations.js';

const SEED = 1;

export interface MeasuredCall {
  seq: number;
  x: Ingredients;
}

/** One session as its calls' ingredients: what every choice of weights is tried on. */
export interface MeasuredSession {
  agentId: string;
  sessionId: string;
  /** Agent and first request: the independent sample that the session belongs to. */
  group: string;
  calls: MeasuredCall[];
}

interface Followed {
  agentId: string;
  sessionId: string;
  group: string;
  facts: readonly Fact[];
  seqs: number[];
  /** Observations of all streams. */
  events: number;
}

/** What was measured, and what measuring DEV took: each request against each of its calls, per event of any stream. */
export interface Measured {
  train: MeasuredSession[];
  dev: MeasuredSession[];
  /** CPU time, microseconds. */
  usPerEvent: number;
}

/**
 * Measures every call once, by baselines that learned TRAIN alone: calls of TRAIN without their own
 * request (as thresholds are calibrated), calls of DEV by all of
 * TRAIN. No label is read.
 */
export function measureRecorded(data: string, model: ToolExpectation): Measured {
  const reader = new FactReader(SEED);
  const pool = new AgentBaseline(POOL_CAPS);
  const agents = new Map<string, AgentBaseline>();
  const agent = (id: string): AgentBaseline => {
    const held = agents.get(id) ?? new AgentBaseline(AGENT_CAPS);
    agents.set(id, held);
    return held;
  };
  const groups = new Map<string, Followed[]>();
  for (const set of RECORDED_SETS) {
    for (const session of followed(data, set, 'train', reader)) {
      for (const baseline of [agent(session.agentId), pool]) baseline.learn(recordOf(session.facts), 1);
      groups.set(session.group, [...(groups.get(session.group) ?? []), session]);
    }
  }
  const measure = (session: Followed) => measureFacts(session, { own: agent(session.agentId), pool, model });
  const train: MeasuredSession[] = [];
  for (const members of groups.values()) {
    const journal = new Journal();
    for (const { agentId, facts } of members) {
      for (const baseline of [agent(agentId), pool]) baseline.learn(recordOf(facts), -1, journal);
    }
    for (const session of members) train.push(measured(session, measure(session)));
    journal.restore();
  }
  const followedDev = RECORDED_SETS.flatMap((set) => followed(data, set, 'dev', reader));
  const before = process.cpuUsage();
  const dev = followedDev.map((session) => measured(session, measure(session)));
  const { user, system } = process.cpuUsage(before);
  const events = followedDev.reduce((sum, session) => sum + session.events, 0);
  return { train, dev, usPerEvent: (user + system) / events };
}

function measured({ agentId, sessionId, group }: Followed, calls: MeasuredCall[]): MeasuredSession {
  return { agentId, sessionId, group, calls };
}

function followed(data: string, set: RecordedSet, split: string, reader: FactReader): Followed[] {
  return recordedSessions(data, set, split, SEED).map(({ agentId, sessionId, observations }) => {
    const state = new SessionState({ tenant: '', agentId, sessionId });
    const seqs: number[] = [];
    for (const observation of observations) {
      const before = state.scoring.callCount;
      state.apply(observation, reader);
      if (state.scoring.callCount > before) seqs.push(observation.seq ?? 0);
    }
    const group = `${agentId}:${state.scoring.requestKey}`;
    return { agentId, sessionId, group, facts: state.trace.facts, seqs, events: observations.length };
  });
}

function measureFacts(
  { facts, seqs }: Followed,
  { own, pool, model }: { own: AgentBaseline; pool: AgentBaseline; model: ToolExpectation },
): MeasuredCall[] {
  const session = new ScoringState();
  const calls: MeasuredCall[] = [];
  let expectation: RequestExpectation | undefined;
  for (const fact of facts) {
    if (fact.type === 'prompt') expectation = undefined;
    if (fact.type === 'call') {
      expectation ??= new RequestExpectation(own, pool, session, model);
      calls.push({ seq: seqs[calls.length] ?? 0, x: measureCall({ own, pool, session, expectation }, fact) });
    }
    session.apply(fact);
  }
  return calls;
}
