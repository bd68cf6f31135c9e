import type { SessionFacts } from '../detect/port.js';
import type { CallObservation, Observation, Stream } from '../model/observation.js';
import { DeclaredCalls } from './declared-calls.js';
import type { CallFact, Fact } from './facts.js';
import type { FactReader } from './fact-reader.js';
import { Provenance, type PlainProvenance } from './provenance.js';
import { costAfter, SessionActivity, tokensAfter, type PlainActivity } from './session-activity.js';
import { ScoringState, type PastCall, type PlainScoringState } from './scoring-state.js';
import { SessionTrace, type PlainTrace } from './session-trace.js';

/** Emitters kept per stream. */
const MAX_EMITTERS = 8;
/** Attempts whose audit record is awaited. */
const MAX_PENDING = 64;

interface Tallies {
  prompts: number;
  messages: number;
  denied: number;
  errors: number;
  /** Calls whose content was read since the user last spoke. */
  exposures: number;
  /** Calls that asked for an approval or named one, and approvals that governance told of. */
  asked: number;
  approved: number;
  /** Denials and withheld results since the user last spoke. */
  controls: number;
  /** Event time of the first observation, epoch ms; -1 before it. */
  startedAt: number;
  /** Event time of the latest observation, epoch ms. */
  latest: number;
}

const NOTHING: Tallies = {
  prompts: 0,
  messages: 0,
  denied: 0,
  errors: 0,
  exposures: 0,
  asked: 0,
  approved: 0,
  controls: 0,
  startedAt: -1,
  latest: 0,
};

/** An attempt that was scored. */
interface Attempt {
  fingerprint: number;
  /** The model had announced it. */
  declared: boolean;
}

export interface PlainSession {
  tenant: string;
  agentId: string;
  sessionId: string;
  touched: number;
  scoring: PlainScoringState;
  provenance: PlainProvenance;
  declared: ReturnType<DeclaredCalls['toPlain']>;
  trace: PlainTrace;
  tallies: Tallies;
  activity: PlainActivity;
  emitters: Partial<Record<Stream, string[]>>;
  pending: [callId: number, attempt: Attempt][];
  withheld: number[];
  prompt: { id: string; principalId: string };
}

/** Everything known of one running session. Bounded however long it runs; built observation by observation. */
export class SessionState {
  readonly tenant: string;
  readonly agentId: string;
  readonly sessionId: string;
  readonly scoring: ScoringState;
  readonly provenance: Provenance;
  readonly trace: SessionTrace;
  readonly activity: SessionActivity;
  /** Id and emitter of the latest request; empty before it. */
  prompt = { id: '', principalId: '' };
  /** Order of the last change among the sessions of the registry. */
  touched = 0;
  #declared: DeclaredCalls;
  #tallies: Tallies = { ...NOTHING };
  #emitters: Partial<Record<Stream, string[]>> = {};
  /** Attempts scored already, by call id: their audit record brings the outcome only. */
  readonly #pending: Map<number, Attempt>;
  /** Calls whose result a control withheld. */
  readonly #withheld: Set<number>;

  constructor(key: { tenant: string; agentId: string; sessionId: string }, plain?: PlainSession) {
    this.tenant = key.tenant;
    this.agentId = key.agentId;
    this.sessionId = key.sessionId;
    this.trace = new SessionTrace(plain?.trace);
    const { facts } = this.trace;
    this.scoring = plain === undefined ? new ScoringState() : ScoringState.fromPlain(plain.scoring, facts);
    const { mentioned } = this.scoring;
    this.provenance =
      plain === undefined ? new Provenance(mentioned) : Provenance.fromPlain(plain.provenance, mentioned);
    this.#declared = new DeclaredCalls(plain?.declared);
    this.activity = new SessionActivity(plain?.activity);
    this.#pending = new Map(plain?.pending);
    this.#withheld = new Set(plain?.withheld);
    if (plain === undefined) return;
    this.prompt = plain.prompt;
    this.touched = plain.touched;
    // An earlier version of this program stored fewer of them.
    this.#tallies = { ...NOTHING, ...plain.tallies };
    this.#emitters = plain.emitters;
  }

  /** Event time of the latest observation, epoch ms. */
  get latest(): number {
    return this.#tallies.latest;
  }

  /** Event time from its first to its latest observation, ms. */
  get durationMs(): number {
    const { startedAt, latest } = this.#tallies;
    return startedAt < 0 ? 0 : latest - startedAt;
  }

  /** Calls denied so far. */
  get denied(): number {
    return this.#tallies.denied;
  }

  /** Turns of the user. */
  get prompts(): number {
    return this.#tallies.prompts;
  }

  /** Approvals asked for: gateways and governance tell of the same ones, so the larger counts. */
  get approvals(): number {
    return Math.max(this.#tallies.asked, this.#tallies.approved);
  }

  /** Any reasoning was seen: a request or a message of the model. */
  get isReasoned(): boolean {
    return this.#tallies.prompts + this.#tallies.messages > 0;
  }

  /** The second observation of a call that was scored at its attempt. An id used again for something else is new. */
  isRepeated(call: CallFact, fingerprint: number): boolean {
    return call.callId !== 0 && this.#pending.get(call.callId)?.fingerprint === fingerprint;
  }

  /**
   * Numbers and flags before this observation; whether the session is contained is for the caller to fill in.
   *
   * @param call where the observation is one: the call, its fingerprint, and whether this is its second observation:
   *   then it was announced if its attempt was
   */
  facts(observation: Observation, call?: { fact: CallFact; fingerprint: number; isRepeated: boolean }): SessionFacts {
    const { prompts, messages, denied, errors, exposures, controls, startedAt } = this.#tallies;
    const { activity } = this;
    const isNew = call !== undefined && !call.isRepeated;
    const isMetric = observation.stream === 'metric';
    const spoken = activity.messageTokens + (observation.kind === 'message' ? (observation.tokens ?? 0) : 0);
    return {
      calls: this.scoring.callCount,
      writes: this.scoring.writes,
      denied,
      errors,
      prompts,
      messages,
      ageMs: startedAt < 0 ? 0 : Math.max(0, observation.time - startedAt),
      declared:
        call?.isRepeated === true
          ? this.#pending.get(call.fact.callId)?.declared === true
          : isCallObservation(observation) && this.#declared.has(observation),
      reasoned: prompts + messages > 0,
      exposed: exposures > 0,
      controlled: controls > 0,
      contained: false,
      sameCallRepeats: isNew ? activity.sameCalls(call.fingerprint) : 0,
      retriesAfterError: activity.retries + (isNew && activity.isRetry(call.fact.tool) ? 1 : 0),
      deniedShare: this.scoring.callCount === 0 ? 0 : denied / this.scoring.callCount,
      costUsd: isMetric ? costAfter(activity, observation) : activity.costUsd,
      tokens: Math.max(spoken, isMetric ? tokensAfter(activity, observation) : activity.meteredTokens),
      callsSinceReasoning: activity.quietCalls,
      lastReasoningAgeMs: activity.reasonedAt < 0 ? 0 : Math.max(0, observation.time - activity.reasonedAt),
      distinctTools: this.scoring.usedTools.size,
    };
  }

  apply(observation: Observation, reader: FactReader, read?: CallFact): void {
    this.#note(observation);
    switch (observation.kind) {
      case 'prompt': {
        const fact = reader.prompt(observation);
        this.#tallies.prompts++;
        this.#tallies.exposures = 0;
        this.#tallies.controls = 0;
        this.prompt = { id: observation.id, principalId: observation.principalId };
        this.provenance.addPrompt(observation.values);
        this.activity.reasoning(observation.time);
        this.#record(fact);
        break;
      }
      case 'message':
        this.#tallies.messages++;
        this.activity.reasoning(observation.time, observation.tokens);
        this.#declared.add(observation.declared);
        break;
      case 'tool_attempt':
      case 'tool_call':
        this.#applyCall(observation, reader, read ?? reader.call(observation, this.provenance));
        break;
      case 'tool_result': {
        const callId = reader.callId(observation.callId);
        if (observation.error !== undefined) this.activity.outcome(reader.name(observation.tool), true);
        if (this.#withheld.has(callId)) break;
        this.provenance.addResult(callId, reader.name(observation.tool), observation.values);
        this.#markRead(this.#callOf(callId), observation.error === undefined && observation.resultClass > 0);
        break;
      }
      case 'content_redaction':
      case 'policy_deny':
        this.#countControl();
        this.#withhold(reader.callId(observation.callId), observation.kind === 'policy_deny');
        break;
      case 'approval':
        this.#tallies.approved++;
        break;
      case 'sample':
      case 'session_summary':
        this.activity.metric(observation);
        break;
      default:
        break;
    }
  }

  #applyCall(observation: CallObservation, reader: FactReader, fact: CallFact): void {
    const fingerprint = reader.fingerprint(fact);
    if (!this.isRepeated(fact, fingerprint)) {
      const declared = this.#declared.take(observation);
      if (observation.kind === 'tool_attempt' && fact.callId !== 0) this.#await(fact.callId, { fingerprint, declared });
      // The id is used for another call: what a control said about the earlier one says nothing about this one.
      this.#withheld.delete(fact.callId);
      this.#record(fact, observation);
      this.activity.call(fact.tool, fingerprint);
    }
    if (observation.kind === 'tool_attempt') return;
    const { error, resultClass = 0, decision } = observation;
    this.#pending.delete(fact.callId);
    this.activity.outcome(fact.tool, decision === 'deny' || error !== undefined);
    if (decision === 'ask' || observation.approvalId !== undefined) this.#tallies.asked++;
    if (decision === 'deny') {
      this.#tallies.denied++;
      this.#countControl();
    } else if (error !== undefined) this.#tallies.errors++;
    const isRead = error === undefined && resultClass > 0 && decision !== 'deny' && !this.#withheld.has(fact.callId);
    this.#markRead(this.#callOf(fact.callId), isRead);
  }

  /** Keeps the newest; an audit record that comes much later is scored as a call of its own. */
  #await(callId: number, attempt: Attempt): void {
    this.#pending.delete(callId);
    this.#pending.set(callId, attempt);
    if (this.#pending.size <= MAX_PENDING) return;
    for (const oldest of this.#pending.keys()) {
      this.#pending.delete(oldest);
      return;
    }
  }

  #countControl(): void {
    this.#tallies.controls++;
  }

  #withhold(callId: number, isDenied: boolean): void {
    if (callId === 0) return;
    const call = this.scoring.findCall(callId);
    if (call === undefined && isDenied) return;
    if (this.#withheld.size < MAX_PENDING) this.#withheld.add(callId);
    this.provenance.withdraw(callId);
    this.#markRead(call, false);
  }

  #callOf(callId: number): PastCall | undefined {
    return callId === 0 ? this.scoring.lastCall() : this.scoring.findCall(callId);
  }

  #markRead(call: PastCall | undefined, read: boolean): void {
    if (call === undefined || call.read === read) return;
    this.#tallies.exposures = Math.max(0, this.#tallies.exposures + (read ? 1 : -1));
    this.#record({ type: 'read', call: call.index, read });
  }

  #record(fact: Fact, observation?: CallObservation): void {
    this.trace.add(fact);
    this.scoring.apply(fact, observation?.id, observation?.principalId);
  }

  #note({ time, stream, principalId }: Observation): void {
    const tallies = this.#tallies;
    if (tallies.startedAt < 0) tallies.startedAt = time;
    tallies.latest = Math.max(tallies.latest, time);
    const emitters = (this.#emitters[stream] ??= []);
    if (emitters.length < MAX_EMITTERS && !emitters.includes(principalId)) emitters.push(principalId);
  }

  /** Authenticated emitters heard on a stream, at most eight. */
  emitters(stream: Stream): readonly string[] {
    return this.#emitters[stream] ?? [];
  }

  /** Authenticated emitters heard on any stream. */
  allEmitters(): string[] {
    return [...new Set(Object.values(this.#emitters).flat())];
  }

  toPlain(): PlainSession {
    const { tenant, agentId, sessionId, touched, prompt } = this;
    const isTold = this.trace.isComplete;
    return {
      tenant,
      agentId,
      sessionId,
      touched,
      scoring: this.scoring.toPlain(isTold),
      provenance: this.provenance.toPlain(true),
      declared: this.#declared.toPlain(),
      trace: this.trace.toPlain(),
      tallies: this.#tallies,
      activity: this.activity.toPlain(),
      emitters: this.#emitters,
      pending: [...this.#pending],
      withheld: [...this.#withheld],
      prompt,
    };
  }
}

function isCallObservation(observation: Observation): observation is CallObservation {
  return observation.kind === 'tool_attempt' || observation.kind === 'tool_call';
}
