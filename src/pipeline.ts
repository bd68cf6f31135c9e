import { Subject as Pushes } from 'rxjs';
import type { JoinInput, JoinOutput } from './join/port.js';
import { joinWindows } from './join/window-join.js';
import { LatePut } from './lib/late-put.js';
import { encodeState, type StatePut } from './lib/state-table.js';
import { CheckpointedReader } from './log/checkpointed-reader.js';
import type { CallObservation, Observation } from './model/observation.js';
import type { Window } from './model/window.js';
import { decide } from './respond/decision.js';
import type { ResponseExplanation } from './respond/port.js';
import { Activations } from './scoring/activations.js';
import { CaseFlow } from './scoring/case-flow.js';
import { ContainmentTroubles } from './scoring/containment-troubles.js';
import { explainIncident } from './scoring/response-explanation.js';
import { FinishedSessions } from './scoring/finished-sessions.js';
import { Overreach } from './scoring/overreach.js';
import { outcomeOf } from './scoring/learnable.js';
import { isCall, subjectOf, type ScoringParts } from './scoring/parts.js';
import { SourceTroubles } from './scoring/source-troubles.js';
import { Turn, type TurnCounters } from './scoring/turn.js';
import { Verdicts } from './scoring/verdicts.js';

export { type Scored, type ScoringParts } from './scoring/parts.js';

/*
 * The data's way, read top to bottom:
 *
 *   intake    sources -> normalize (who may say this? derive, redact) -> THE LOG        normalize/, api/
 *   scoring   the log -> join -> score -> correlate -> respond -> outbox                 this file, `Scoring`
 *   storing   the log, the outbox -> ClickHouse                                          store/
 *
 * Scoring is a deterministic function of the log. Nothing here reads a clock for a decision: `now` is the newest
 * processing time in the log. Effects leave soon, through the outbox; the state follows at rare checkpoints, because after
 * a crash it is scored again from the log.
 */

/** Reader 1 of the log: scores what it finds and leaves the effects in the outbox. */
export class Scoring {
  readonly #parts: ScoringParts;
  readonly #reader: CheckpointedReader;
  readonly #slices = new Pushes<readonly JoinInput[]>();
  #joined: JoinOutput[] = [];
  readonly #turn: Turn;
  readonly #cases: CaseFlow;
  readonly #overreach: Overreach;
  readonly #troubles: ContainmentTroubles;
  readonly #sources: SourceTroubles;
  readonly #finished: FinishedSessions;
  readonly #verdicts: Verdicts;
  readonly #activations: Activations;

  constructor(parts: ScoringParts) {
    this.#parts = parts;
    const turn = new Turn(parts);
    this.#turn = turn;
    this.#overreach = new Overreach(turn);
    this.#cases = new CaseFlow(turn, this.#overreach);
    this.#troubles = new ContainmentTroubles(turn);
    this.#sources = new SourceTroubles(turn);
    this.#finished = new FinishedSessions(turn, this.#cases);
    this.#verdicts = new Verdicts(turn);
    this.#activations = new Activations(turn);
    this.#reader = new CheckpointedReader({
      ...parts,
      take: (records, positions) => this.#score(records, positions),
      effects: {
        count: () => turn.effectCount,
        isUrgent: () => turn.isUrgent,
        take: () => turn.takeEffects(),
      },
      drain: () => this.#drain(),
      damaged: (error) => {
        turn.counters.damaged++;
        parts.notice('a record of the log cannot be read and was passed over', { error: String(error) });
      },
    });
    const now = parts.store.get(NOW_KEY);
    if (now !== undefined) turn.advance(Number(new TextDecoder().decode(now)));
    this.#slices.pipe(joinWindows(parts.join)).subscribe((outputs) => {
      this.#joined = outputs;
    });
  }

  /** Next position that will be scored. */
  get position(): number {
    return this.#reader.position;
  }

  /** All records before it are scored, and their effects are in the outbox. */
  get effectsPosition(): number {
    return this.#reader.effectsPosition;
  }

  get counters(): TurnCounters & CheckpointedReader['counters'] {
    return { ...this.#reader.counters, ...this.#turn.counters };
  }

  /** Starts reading. Rejects through `stop` (and `failed`) when the log or the store fails for good. */
  start(failed: (error: unknown) => void): void {
    this.#reader.start(failed);
  }

  /** Takes a last checkpoint and stops. */
  async stop(): Promise<void> {
    await this.#reader.stop();
    this.#slices.complete();
  }

  /** Stops after so much work that others should have their turn. */
  *#score(inputs: readonly JoinInput[], positions: readonly number[]): Generator<void, void, undefined> {
    this.#slices.next(inputs);
    // The join gives every input back once, in order, as itself, as a duplicate or as a fault.
    let taken = 0;
    let work = 0;
    for (const output of this.#joined) {
      const position = positions[taken] ?? positions.at(-1) ?? 0;
      if (isInput(output)) taken++;
      this.#take(output, position);
      work += output.type === 'session-closed' ? CLOSED_WORK : 1;
      if (work < TURN_WORK) continue;
      work = 0;
      yield;
    }
  }

  #take(output: JoinOutput, position: number): void {
    const { responder, notice } = this.#parts;
    switch (output.type) {
      case 'observation':
        this.#turn.advance(output.value.observedAt);
        return this.#observe(output.value, position);
      case 'window':
        return this.#window(output.value);
      case 'session-closed':
        return this.#finished.close(output.value);
      case 'tick':
        this.#turn.advance(output.value.now);
        this.#turn.emit(responder.onTime(this.#turn.now));
        this.#turn.emit(this.#parts.holds.onTime(this.#turn.now));
        this.#troubles.tell(this.#turn.now);
        this.#parts.baselines.expireQuarantine(this.#turn.now);
        this.#parts.peers.expire(this.#turn.now);
        return;
      case 'ack':
        this.#turn.begin(output.value.time);
        this.#turn.emit(responder.onAcknowledgement(output.value, this.#turn.now));
        return this.#troubles.tell(this.#turn.now);
      case 'order':
        this.#turn.begin(output.value.time);
        return this.#turn.emit(
          (output.value.holdId === undefined ? responder : this.#parts.holds).onOrder(output.value, this.#turn.now),
        );
      case 'verdict':
        return this.#verdicts.apply(output.value);
      case 'activation':
        return this.#activations.apply(output.value);
      case 'lease':
        // Its time is of the clock of whoever gave it out: here it moves nothing on.
        return this.#turn.emit(responder.onLease(output.value, this.#turn.now));
      case 'source-trouble':
        this.#turn.advance(output.value.time);
        return this.#sources.tell(output.value);
      case 'duplicate':
        this.#turn.counters.duplicates++;
        return this.#answer(output.value);
      case 'late':
        this.#turn.counters.late++;
        if (output.cause === 'session-closed') this.#finished.forgetAfterlife(output.value);
        return;
      case 'future':
        this.#turn.counters.future++;
        return;
      case 'fault':
        this.#turn.counters.faults++;
        return notice('a record could not be joined', { error: output.error });
    }
  }

  #observe(observation: Observation, position: number): void {
    const { baselines, detectors, entitlements, responder } = this.#parts;
    this.#turn.counters.observations++;
    const assessment = baselines.assess(observation, entitlements.at(observation));
    const against = isCall(observation) ? this.#goesAgainst(observation) : undefined;
    if (isCall(observation)) {
      responder.noteCall(observation, this.#turn.now);
      assessment.session.contained = against !== undefined;
    }
    const signals = detectors.event(assessment);
    const correlation = this.#cases.weigh({
      subject: subjectOf(observation),
      causeId: observation.id,
      time: observation.time,
      position,
      callTerms: assessment.terms,
      signals,
      ...(observation.seq === undefined ? {} : { seq: observation.seq }),
      ...(isCall(observation) ? { call: { observation, assessment } } : {}),
    });
    if (observation.kind === 'tool_attempt') this.#overreach.noteHold(observation, correlation);
    if (observation.kind === 'tool_call') {
      this.#turn.emit(responder.onCall(observation, this.#turn.now, against));
      this.#troubles.tell(observation.time);
    }
    baselines.apply(observation);
    entitlements.apply(observation);
    this.#answer(observation);
    this.#parts.seen?.(observation, correlation.riskNats);
    this.#parts.scored?.({
      observation,
      signals,
      callNats: assessment.measures.get('combined')?.nats,
      incident: correlation.incident,
      opened: correlation.opened,
    });
  }

  #window(window: Window): void {
    const { baselines, detectors } = this.#parts;
    const signals = detectors.window(window, baselines.callRate(window));
    const { incident, opened } = this.#cases.weigh({
      subject: subjectOf(window),
      causeId: window.id,
      time: window.end,
      callTerms: [],
      signals,
    });
    if (window.revision === 0) this.#parts.peers.seen(window.tenant, window.agentId, window.start);
    // A revision is the same minute again: it must not teach the rate twice.
    if (window.revision === 0) {
      baselines.learnWindow(window, outcomeOf(this.#parts, subjectOf(window), window.end), this.#turn.now);
    }
    const { evidenceIds: _, ...summary } = window;
    this.#turn.emit([{ type: 'window', value: summary }]);
    this.#parts.windowScored?.(window, signals, opened ? incident : undefined);
  }

  /** Id of the confirmed command that a call goes against. One that a person let through goes against none. */
  #goesAgainst(call: CallObservation): string | undefined {
    const { responder } = this.#parts;
    const obstacle = responder.restrictionOn(call.tenant, call.agentId, call, this.#turn.now);
    // A record that was long on its way tells of a call from before the command.
    const reportedAt = Math.min(this.#turn.now, call.time);
    if (obstacle === undefined || !responder.isConfirmed(call.tenant, obstacle, reportedAt)) return undefined;
    const isRefused = obstacle.strength === 'deny' || (call.kind === 'tool_call' && call.approvalId === undefined);
    return isRefused ? obstacle.commandId : undefined;
  }

  /** What policy would do about an incident now, and why; undefined where it is not known. */
  explainResponse(tenant: string, incidentId: string): ResponseExplanation | undefined {
    return explainIncident(this.#parts, { tenant, incidentId, now: this.#turn.now });
  }

  /**
   * Answers a gateway that asked about this call, from the state as it is now. Scored whether or not somebody still
   * waits: a held call is part of the record.
   */
  #answer(observation: Observation): void {
    if (observation.kind !== 'tool_attempt') return;
    const { baselines, correlator, responder, peers, mode } = this.#parts;
    const { tenant, agentId, effect } = observation;
    const risk = correlator.riskOf(subjectOf(observation));
    const incident = risk === undefined ? undefined : correlator.incident(tenant, risk.incidentId);
    const isShared = incident?.gatheredBy !== undefined && peers.explains(incident);
    const shiftId = isShared ? incident.gatheredBy : risk?.incidentId === '' ? risk.shiftId : undefined;
    const facts = {
      mode,
      effect,
      riskNats: risk?.peakNats ?? 0,
      thresholdNats: baselines.threshold(tenant, agentId).nats,
      incident: isShared || incident?.status === 'closed' ? undefined : incident,
      shared: shiftId === undefined ? undefined : correlator.incident(tenant, shiftId),
      restriction: responder.restrictionOn(tenant, agentId, observation, this.#turn.now),
    };
    const { answer, effects } = this.#parts.holds.onAttempt(observation, decide(facts), this.#turn.now);
    this.#turn.emit(effects);
    this.#parts.answer(observation.id, answer);
  }

  /** What changed since the last checkpoint. */
  #drain(): { puts: StatePut[]; deletes: string[] } {
    const { join, baselines, entitlements, correlator, responder, peers, blastNotices, drainMore } = this.#parts;
    const changes = join.drainChanges();
    const puts: StatePut[] = changes.puts.map(
      (put) => new LatePut(() => ({ key: put.key, value: encodeState(put.value) })),
    );
    puts.push({ key: NOW_KEY, value: new TextEncoder().encode(String(this.#turn.now)) });
    const deletes = changes.deletes;
    baselines.drain(puts, deletes);
    entitlements.drain(puts, deletes);
    correlator.drain(puts, deletes);
    this.#parts.alarms.drain(puts, deletes);
    responder.drain(puts, deletes);
    this.#parts.holds.drain(puts, deletes);
    peers.drain(puts, deletes);
    blastNotices.drain(puts, deletes);
    drainMore(puts, deletes);
    return { puts, deletes };
  }
}

/** Outputs of the join taken in one turn of the event loop, and what a closed session counts: it is learned from. */
const TURN_WORK = 16;
const CLOSED_WORK = 8;

const NOW_KEY = 'scoring/now';

function isInput(output: JoinOutput): boolean {
  const { type } = output;
  return type !== 'window' && type !== 'session-closed' && type !== 'late' && type !== 'future';
}
