import type { Assessment } from '../detect/port.js';
import type { GovernanceFacts } from '../governance/port.js';
import type { Observation } from '../model/observation.js';
import type { AgentBaseline } from './agent-baseline.js';
import type { Agents } from './agents.js';
import { riskTerms } from './evidence.js';
import { RequestExpectation } from './expectation.js';
import type { FactReader } from './fact-reader.js';
import type { CallFact } from './facts.js';
import { dampMeasures, dampNovelty, noteInTerms } from './grant-damping.js';
import { measureCall } from './ingredients.js';
import { callMeasures } from './measures.js';
import type { Models } from './prior.js';
import type { SessionState } from './session-state.js';

interface Held {
  expectation: RequestExpectation;
  requestVersion: number;
  own: AgentBaseline;
  ownChanges: number;
  pool: AgentBaseline;
  poolChanges: number;
}

/** Scores observations against the baselines as they are now. Changes nothing. */
export class Assessor {
  readonly #agents: Agents;
  readonly #reader: FactReader;
  readonly #models: Models;
  /** Of running sessions only; it lives as long as the session's state is in memory. */
  readonly #expectations = new WeakMap<SessionState, Held>();

  constructor(agents: Agents, reader: FactReader, models: Models) {
    this.#agents = agents;
    this.#reader = reader;
    this.#models = models;
  }

  /**
   * @param call the observation as a fact, where it is a call
   * @param governance what the agent is entitled to; an open learning window damps the novelty of the tool
   */
  assess(observation: Observation, session: SessionState, call?: CallFact, governance?: GovernanceFacts): Assessment {
    const own = this.#agents.read(observation.tenant, observation.agentId);
    const seen = call === undefined ? undefined : this.#seen(call, session);
    const assessment: Assessment = {
      observation,
      measures: NO_MEASURES,
      terms: [],
      session: session.facts(observation, seen),
      governance,
      emitters: [observation.principalId],
      evidenceIds: [observation.id],
      baselineVersion: own.version,
    };
    if (call === undefined || seen?.isRepeated === true) return assessment;
    const pool = this.#agents.pool(observation.tenant, observation.agentId);
    const expectation = this.#expect(own, pool, session);
    const measuring = { own, pool, session: session.scoring, expectation };
    const x = measureCall(measuring, call);
    const learning = governance?.learning;
    const terms = riskTerms(learning === undefined ? x : dampNovelty(x), this.#models.evidence.weights);
    const measures = callMeasures(measuring, { call, x, terms });
    if (learning !== undefined) dampMeasures(measures, learning.note);
    assessment.terms = learning === undefined ? terms : noteInTerms(terms, learning.note);
    assessment.measures = measures;
    const source = session.scoring.findCall(call.targets[x.oddestTarget]?.sourceCall ?? 0);
    for (const { id, principalId } of [
      session.prompt,
      { id: source?.observationId ?? '', principalId: source?.principalId ?? '' },
    ]) {
      if (id === '') continue;
      if (!assessment.evidenceIds.includes(id)) assessment.evidenceIds.push(id);
      if (!assessment.emitters.includes(principalId)) assessment.emitters.push(principalId);
    }
    return assessment;
  }

  #seen(fact: CallFact, session: SessionState): { fact: CallFact; fingerprint: number; isRepeated: boolean } {
    const fingerprint = this.#reader.fingerprint(fact);
    return { fact, fingerprint, isRepeated: session.isRepeated(fact, fingerprint) };
  }

  /** One look-up per user turn, until the baselines change: the same after a restart as without one. */
  #expect(own: AgentBaseline, pool: AgentBaseline, session: SessionState): RequestExpectation {
    const { requestVersion } = session.scoring;
    const held = this.#expectations.get(session);
    // The number of changes says nothing about another baseline: an agent that gave way to others begins anew.
    if (
      held?.requestVersion === requestVersion &&
      held.own === own &&
      held.ownChanges === own.changes &&
      held.pool === pool &&
      held.poolChanges === pool.changes
    ) {
      return held.expectation;
    }
    const expectation = new RequestExpectation(own, pool, session.scoring, this.#models.toolExpectation);
    this.#expectations.set(session, {
      expectation,
      requestVersion,
      own,
      ownChanges: own.changes,
      pool,
      poolChanges: pool.changes,
    });
    return expectation;
  }
}

const NO_MEASURES: Assessment['measures'] = new Map();
