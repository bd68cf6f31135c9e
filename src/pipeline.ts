import { Subject as Pushes } from 'rxjs';
import type { BaselineRegistry } from './baseline/registry.js';
import type { AlarmLedger } from './correlate/alarm-ledger.js';
import type { BlastNotices, Overreach } from './correlate/blast-notice.js';
import type { Correlation, Correlator, Evidence, Subject } from './correlate/correlator.js';
import type { Comparable, PeerComparison } from './correlate/peer-comparison.js';
import { sessionOutcome } from './correlate/session-outcome.js';
import { timelineEntry } from './correlate/timeline.js';
import { FALSE_ALARM_EVERY } from './baseline/drift.js';
import type { FinishedSubject } from './detect/port.js';
import type { DetectorSet } from './detect/loader.js';
import type { IndexedDetectorRunner } from './detect/runner.js';
import type { Entitlements } from './governance/entitlements.js';
import type { EventTimeJoin } from './join/event-time-join.js';
import type { ClosedSession, JoinInput, JoinOutput } from './join/port.js';
import { joinWindows } from './join/window-join.js';
import type { Clock } from './lib/clock.js';
import { LatePut } from './lib/late-put.js';
import { encodeState, type StatePut } from './lib/state-table.js';
import { CheckpointedReader } from './log/checkpointed-reader.js';
import type { Log, ScoringStore } from './log/port.js';
import type { Effect, OutboxEntry } from './model/effect.js';
import type { Incident, TimelineEntry } from './model/incident.js';
import type { Activation, Verdict } from './model/log-record.js';
import type { CallObservation, Observation } from './model/observation.js';
import type { Signal } from './model/signal.js';
import type { Window } from './model/window.js';
import type { CheckAnswer } from './model/wire.js';
import { decide } from './respond/decision.js';
import { mainTool } from './respond/policy.js';
import type { Responder } from './respond/responder.js';

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

/** Effects of these types are put into the outbox at once: somebody acts on them. */
const URGENT = new Set<Effect['type']>(['incident', 'command', 'command-event', 'restriction']);
/** Learned sessions of an agent between two published versions of its baseline. */
const PUBLISH_EVERY = 25;

/** What was made of one observation; for those who watch scoring itself (evaluation, case tests). */
export interface Scored {
  observation: Observation;
  signals: Signal[];
  /** Raw risk of the call, nats; undefined where no call was scored. */
  callNats: number | undefined;
  incident: Incident | undefined;
  /** This observation opened the incident. */
  opened: boolean;
}

export interface ScoringParts {
  log: Log;
  store: ScoringStore;
  join: EventTimeJoin;
  baselines: BaselineRegistry;
  entitlements: Entitlements;
  detectors: IndexedDetectorRunner;
  /** A detector set that was activated, by its hash. */
  detectorSet: (hash: string) => DetectorSet | undefined;
  correlator: Correlator;
  alarms: AlarmLedger;
  /** Class of an agent, by name. */
  classOf: (agentId: string) => string;
  peers: PeerComparison;
  blastNotices: BlastNotices;
  responder: Responder;
  clock: Clock;
  mode: 'observe' | 'act';
  /** Event time within which misuse of one tool in several sessions counts together, ms. */
  freezeWindowMs: number;
  /** Event time within which true or contained incidents make an agent a repeat offender, ms. */
  suspendWindowMs: number;
  /** Longest time between two checkpoints while there is work, ms. */
  checkpointMs: number;
  /** Most records between two checkpoints: so many are scored again after a crash. */
  checkpointRecords: number;
  /** Longest rest between two moves of effects into the outbox, ms: people wait for what was found in it. */
  maxEffectsRestMs: number;
  /** Most records taken from the log at once. Changes no result, only how long a check may wait behind a slice. */
  sliceRecords: number;
  /** Answers a gateway that asked about this observation. */
  answer: (observationId: string, answer: CheckAnswer) => void;
  awaits: (observationId: string) => boolean;
  /** Committed effects, in order. */
  committed: (entries: OutboxEntry[]) => void;
  /** State of parts that keep their own journal beside the tables, to be written with the checkpoint. */
  drainMore: (puts: StatePut[], deletes: string[]) => void;
  /** Something an operator should know. */
  notice: (message: string, facts: Record<string, unknown>) => void;
  /** Told of every scored observation and the risk of its session after it, nats; makes nothing for it. */
  seen?: (observation: Observation, riskNats: number) => void;
  scored?: (result: Scored) => void;
  windowScored?: (window: Window, signals: Signal[], openedIncident: Incident | undefined) => void;
  sessionScored?: (finished: FinishedSubject, signals: Signal[]) => void;
}

/** Running totals since the start. */
export interface ScoringCounters {
  records: number;
  observations: number;
  duplicates: number;
  late: number;
  future: number;
  faults: number;
  damaged: number;
  signals: number;
  incidents: number;
  checkpoints: number;
  sessionsLearned: number;
  sessionsQuarantined: number;
}

/** Reader 1 of the log: scores what it finds and leaves the effects in the outbox. */
export class Scoring {
  readonly #parts: ScoringParts;
  readonly #reader: CheckpointedReader;
  readonly #slices = new Pushes<readonly JoinInput[]>();
  #joined: JoinOutput[] = [];
  /** Newest processing time in the log, epoch ms. */
  #now = 0;
  #effects: Effect[] = [];
  #urgent = false;
  readonly #counters: Omit<ScoringCounters, keyof CheckpointedReader['counters']> = {
    observations: 0,
    duplicates: 0,
    late: 0,
    future: 0,
    faults: 0,
    damaged: 0,
    signals: 0,
    incidents: 0,
    sessionsLearned: 0,
    sessionsQuarantined: 0,
  };

  constructor(parts: ScoringParts) {
    this.#parts = parts;
    this.#reader = new CheckpointedReader({
      ...parts,
      take: (records, positions) => this.#score(records, positions),
      effects: {
        count: () => this.#effects.length,
        isUrgent: () => this.#urgent,
        take: () => this.#takeEffects(),
      },
      drain: () => this.#drain(),
      damaged: (error) => {
        this.#counters.damaged++;
        parts.notice('a record of the log cannot be read and was passed over', { error: String(error) });
      },
    });
    const now = parts.store.get(NOW_KEY);
    if (now !== undefined) this.#now = Number(new TextDecoder().decode(now));
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

  get counters(): ScoringCounters {
    return { ...this.#reader.counters, ...this.#counters };
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
        this.#now = Math.max(this.#now, output.value.observedAt);
        return this.#observe(output.value, position);
      case 'window':
        return this.#window(output.value);
      case 'session-closed':
        return this.#closeSession(output.value);
      case 'tick':
        this.#now = Math.max(this.#now, output.value.now);
        this.#emit(responder.onTime(this.#now));
        this.#parts.baselines.expireQuarantine(this.#now, QUARANTINE_MS);
        this.#parts.peers.expire(this.#now);
        return;
      case 'ack':
        return this.#emit(responder.onAcknowledgement(output.value, this.#now));
      case 'order':
        return this.#emit(responder.onOrder(output.value, this.#now));
      case 'verdict':
        return this.#verdict(output.value);
      case 'activation':
        return this.#activate(output.value);
      case 'duplicate':
        this.#counters.duplicates++;
        return this.#answer(output.value);
      case 'late':
        this.#counters.late++;
        if (output.cause === 'session-closed') this.#forgetAfterlife(output.value);
        return;
      case 'future':
        this.#counters.future++;
        return;
      case 'fault':
        this.#counters.faults++;
        return notice('a record could not be joined', { error: output.error });
    }
  }

  #observe(observation: Observation, position: number): void {
    const { baselines, detectors, entitlements, responder } = this.#parts;
    this.#counters.observations++;
    const assessment = baselines.assess(observation, entitlements.at(observation));
    if (observation.kind === 'tool_attempt' || observation.kind === 'tool_call') {
      assessment.session.contained = this.#isContained(observation);
    }
    const signals = detectors.event(assessment);
    const correlation = this.#correlate({
      subject: subjectOf(observation),
      causeId: observation.id,
      time: observation.time,
      position,
      callTerms: assessment.terms,
      signals,
      ...(observation.seq === undefined ? {} : { seq: observation.seq }),
      ...(isCall(observation) ? { call: { observation, assessment } } : {}),
    });
    if (observation.kind === 'tool_attempt') this.#noteHold(observation, correlation);
    if (observation.kind === 'tool_call') this.#emit(responder.onCall(observation, this.#now));
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
    const { incident, opened } = this.#correlate({
      subject: subjectOf(window),
      causeId: window.id,
      time: window.end,
      callTerms: [],
      signals,
    });
    if (window.revision === 0) this.#parts.peers.seen(window.tenant, window.agentId, window.start);
    // A revision is the same minute again: it must not teach the rate twice.
    if (window.revision === 0 && !this.#isFlagged(subjectOf(window))) baselines.learnWindow(window);
    const { evidenceIds: _, ...summary } = window;
    this.#emit([{ type: 'window', value: summary }]);
    this.#parts.windowScored?.(window, signals, opened ? incident : undefined);
  }

  /** Evidence -> risk -> incident -> commands. */
  #correlate({ call, ...evidence }: Unweighed) {
    const { baselines, correlator, responder, peers, freezeWindowMs } = this.#parts;
    const { tenant, agentId } = evidence.subject;
    this.#counters.signals += evidence.signals.length;
    this.#emit(evidence.signals.map((value) => ({ type: 'signal', value })));
    // An operator vouches for this traffic: it is learned from and raises nothing.
    if (baselines.learning(tenant) === 'vouched') return { riskNats: 0, opened: false, incident: undefined };
    const threshold = evidence.threshold ?? baselines.threshold(tenant, agentId);
    const compared = peers.compare({
      evidence: { ...evidence, threshold },
      now: this.#now,
      ...(call === undefined ? {} : { call }),
      novelty: (observation) => baselines.novelty(observation),
      line: () => comparedLine(evidence, call),
    });
    this.#emit(peers.take(compared.changes).map((value) => ({ type: 'incident', value })));
    const { novel, damping } = compared;
    const correlation = correlator.observe({
      ...evidence,
      threshold,
      ...(novel === undefined ? {} : { novel }),
      ...(damping === undefined ? {} : { damping }),
    });
    const { incident, opened, shiftId } = correlation;
    if (incident === undefined) return { ...correlation, incident: undefined };
    if (opened) {
      this.#counters.incidents++;
      this.#parts.alarms.opened(incident, this.#parts.classOf(agentId));
    }
    const tool = mainTool(incident);
    const sameToolSessions =
      tool === undefined ? 0 : correlator.openSessionsOver(evidence.subject, tool, evidence.time - freezeWindowMs);
    const priorIncidents = opened ? this.#priorIncidents(incident, evidence.time) : 0;
    const sharedBehaviour = shiftId === undefined ? undefined : correlator.incident(tenant, shiftId)?.title;
    const effects = responder.onIncident(incident, { sameToolSessions, priorIncidents, sharedBehaviour }, this.#now);
    const commandIds = effects.flatMap((effect) => (effect.type === 'command' ? [effect.value.id] : []));
    const linked = peers.settle(correlator.linkCommands(incident, commandIds), correlation, compared);
    this.#emit([{ type: 'incident', value: linked }, ...effects]);
    this.#tellOfCap(evidence.time);
    return { ...correlation, incident: linked };
  }

  /** Tells people of commands that the blast-radius cap made proposals of. @param time event time, epoch ms */
  #tellOfCap(time: number): void {
    for (const { command, reason } of this.#parts.responder.takeCapped()) {
      const { tenant, agentId, action, id, incidentId = '' } = command;
      const { contained: reached, known } = this.#parts.responder.limit(tenant);
      const text = `${action} of ${agentId} waits for a person`;
      const line = { time, stream: 'parallax' as const, text, refId: id };
      this.#tellOfReach({ tenant, time, kind: 'command', reached, known, reason, incidentId, line });
    }
  }

  /** Counts calls that are held because of an incident: many at once are as much of an outage as many commands. */
  #noteHold(attempt: CallObservation, { open, shiftId }: Pick<Correlation, 'open' | 'shiftId'>): void {
    const { blastNotices, responder, mode } = this.#parts;
    if (mode !== 'act' || open === undefined || shiftId !== undefined || attempt.effect === 'read') return;
    const { tenant, agentId, tool, id, time } = attempt;
    const reached = blastNotices.noteHold(tenant, agentId, this.#now);
    if (reached <= responder.minContainedAgents) return;
    const { known, maxContained } = responder.limit(tenant);
    if (reached <= maxContained) return;
    const reason = `blast-radius cap: calls of ${reached} of ${known} agents are held`;
    const line = { time, stream: 'parallax' as const, text: `${tool} of ${agentId} is held`, refId: id };
    this.#tellOfReach({ tenant, time, kind: 'hold', reached, known, reason, incidentId: open.id, line });
  }

  #tellOfReach(over: Overreach): void {
    const { blastNotices, correlator, notice } = this.#parts;
    const held = correlator.incident(over.tenant, blastNotices.incidentId(over.tenant));
    const incident = blastNotices.report(over, held?.status === 'closed' ? undefined : held);
    correlator.adopt(incident);
    this.#emit([{ type: 'incident', value: incident }]);
    if (held?.id !== incident.id) notice(over.reason, { tenant: over.tenant, incidentId: incident.id });
  }

  /** Other incidents of the same agent, lately, that a person judged true or that were contained. */
  #priorIncidents(incident: Incident, time: number): number {
    const { correlator, responder, suspendWindowMs } = this.#parts;
    const others = correlator
      .incidentsOf(incident.tenant, incident.agentId)
      .filter(({ id, openedAt }) => id !== incident.id && openedAt >= time - suspendWindowMs);
    return others.filter((one) =>
      one.verdict === undefined ? responder.wasContained(one) : one.verdict === 'true-positive',
    ).length;
  }

  /** Whether a call goes against a command that gateways have confirmed. One that a person let through does not. */
  #isContained(call: CallObservation): boolean {
    const { responder } = this.#parts;
    const obstacle = responder.restrictionOn(call.tenant, call.agentId, call, this.#now);
    // A record that was long on its way tells of a call from before the command.
    const reportedAt = Math.min(this.#now, call.time);
    if (obstacle === undefined || !responder.isConfirmed(call.tenant, obstacle, reportedAt)) return false;
    return obstacle.strength === 'deny' || (call.kind === 'tool_call' && call.approvalId === undefined);
  }

  #closeSession(closed: ClosedSession): void {
    const { baselines, correlator, detectors, notice } = this.#parts;
    const subject = subjectOf(closed);
    const risk = correlator.riskOf(subject);
    const incident = risk === undefined ? undefined : correlator.incident(closed.tenant, risk.incidentId);
    const outcome =
      risk?.shiftId !== undefined && risk.incidentId === ''
        ? this.#parts.peers.outcome(closed.tenant, closed.agentId, risk.shiftId)
        : sessionOutcome(risk?.incidentId ?? '', incident);
    const result = baselines.closeSession(subject, outcome, { extraNats: risk?.peakStreamNats ?? 0, nowMs: this.#now });
    correlator.forget(subject);
    detectors.sessionClosed(subject);
    this.#countSession(closed);
    if (typeof outcome === 'object') this.#counters.sessionsQuarantined++;
    if (result.learned) {
      this.#counters.sessionsLearned++;
      if (result.agentSessions % PUBLISH_EVERY === 0) this.#publish(closed.tenant, closed.agentId, closed.lastTime);
    }
    if (result.finished !== undefined) this.#session({ ...closed, ...result.finished });
    if (result.calibrated)
      notice('thresholds calibrated', { tenant: closed.tenant, promise: baselines.promise(closed.tenant) });
  }

  /** Only what a calibrated threshold watched says how well it keeps its budget. */
  #countSession({ tenant, agentId }: ClosedSession): void {
    const { alarms, baselines, classOf } = this.#parts;
    if (baselines.learning(tenant) === 'vouched') return;
    if (baselines.threshold(tenant, agentId).status === 'calibrated') alarms.session(tenant, classOf(agentId));
  }

  /**
   * What a finished session says about its agent. A sequential test over sessions has a false-alarm rate of its own:
   * what it finds is weighed by that, not by the threshold of single sessions.
   */
  #session(finished: FinishedSubject): void {
    const { detectors, correlator } = this.#parts;
    const signals = detectors.session(finished);
    this.#parts.sessionScored?.(finished, signals);
    if (signals.length === 0) return;
    const subject = { tenant: finished.tenant, agentId: finished.agentId };
    const held = correlator.riskOf(subject);
    // Judged already: the next finding is a new one, however strong the last was.
    if (held !== undefined && correlator.incident(subject.tenant, held.incidentId)?.status === 'closed') {
      correlator.forget(subject);
    }
    const counted = signals.filter(({ shadow }) => !shadow);
    this.#correlate({
      subject,
      causeId: signals[0]?.causeId ?? '',
      time: finished.lastTime,
      callTerms: counted.map(({ detectorId, nats }) => ({ label: detectorId, nats })),
      signals,
      threshold: ACROSS_SESSIONS,
    });
  }

  /** A record came after its session had closed: it was scored, but nothing may stay open that nobody would close. */
  #forgetAfterlife(observation: Observation): void {
    const { baselines, correlator, detectors } = this.#parts;
    const subject = subjectOf(observation);
    baselines.closeSession(subject, 'discard', { extraNats: 0, nowMs: this.#now });
    correlator.forget(subject);
    detectors.sessionClosed(subject);
  }

  /** @param time event time, epoch ms */
  #publish(tenant: string, agentId: string, time: number): void {
    this.#emit(this.#parts.baselines.publish(tenant, agentId, time).map((value) => ({ type: 'baseline', value })));
  }

  #verdict(verdict: Verdict): void {
    const { baselines, correlator, responder } = this.#parts;
    const incident = correlator.onVerdict(verdict);
    if (incident === undefined) return;
    this.#emit([{ type: 'incident', value: incident }]);
    this.#parts.alarms.judged(incident, this.#parts.classOf(incident.agentId), verdict.verdict);
    const isHarmless = verdict.verdict !== 'true-positive';
    baselines.release(incident.id, isHarmless);
    this.#settleShift(verdict, isHarmless);
    if (!isHarmless) return;
    // A person says that it was harmless: what was done about it is undone in the same step.
    for (const commandId of incident.commandIds) {
      const { tenant, by, time } = verdict;
      const reason = `incident closed as ${verdict.verdict}`;
      this.#emit(responder.onOrder({ time, tenant, order: 'lift', commandId, by, reason }, this.#now));
    }
  }

  /** A verdict on what a whole class did is a verdict on every session that is gathered under it. */
  #settleShift(verdict: Verdict, isHarmless: boolean): void {
    const { baselines, correlator, peers } = this.#parts;
    const settled = peers.onVerdict(verdict, this.#now);
    if (settled === undefined) return;
    for (const key of settled.quarantines) baselines.release(key, isHarmless);
    if (!isHarmless) return;
    for (const incidentId of settled.incidentIds) {
      const gathered = correlator.incident(verdict.tenant, incidentId);
      if (gathered?.gatheredBy === verdict.incidentId) this.#verdict({ ...verdict, incidentId });
    }
  }

  #activate(activation: Activation): void {
    const { tenant, time, what, value } = activation;
    const { baselines, notice } = this.#parts;
    if (what === 'learning' && (value === 'on' || value === 'frozen' || value === 'vouched'))
      baselines.setLearning(tenant, value);
    if (what === 'detectors') return this.#adoptDetectors(value);
    if (what === 'rollback') return this.#rollBack(activation);
    if (what !== 'calibrate') return;
    baselines.calibrate(tenant);
    notice('thresholds calibrated', { tenant, promise: baselines.promise(tenant) });
    for (const agentId of baselines.agents(tenant)) this.#publish(tenant, agentId, time);
  }

  /** From this record of the log on an agent's baseline is what it was; a version that is not kept changes nothing. */
  #rollBack({ tenant, time, value, agentId = '', by = '', reason = '' }: Activation): void {
    const { baselines, notice } = this.#parts;
    const rollback = { toVersion: Number(value), by, reason };
    const rows = baselines.rollBack(tenant, agentId, { rollback, time });
    this.#emit(rows.map((row) => ({ type: 'baseline', value: row })));
    const said = rows.length > 0 ? 'a baseline was taken back' : 'a version is not kept; the baseline stays as it is';
    notice(said, { tenant, agentId, ...rollback, ...(rows[0] && { asVersion: rows[0].version }) });
  }

  /** From this record of the log on another set of detectors is at work; one that is not to be found changes nothing. */
  #adoptDetectors(hash: string): void {
    const { detectors, detectorSet, notice } = this.#parts;
    const set = detectorSet(hash);
    if (set === undefined) return notice('an activated detector set is not stored here; the old set acts on', { hash });
    detectors.adopt(set);
    notice('detectors activated', { hash, detectors: set.detectors.length });
  }

  /** Answers a gateway that asked about this call, from the state as it is now. */
  #answer(observation: Observation): void {
    if (observation.kind !== 'tool_attempt' || !this.#parts.awaits(observation.id)) return;
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
      restriction: responder.restrictionOn(tenant, agentId, observation, this.#now),
    };
    this.#parts.answer(observation.id, decide(facts));
  }

  #isFlagged(subject: Subject): boolean {
    const risk = this.#parts.correlator.riskOf(subject);
    return risk !== undefined && (risk.incidentId !== '' || risk.shiftId !== undefined);
  }

  #emit(effects: readonly Effect[]): void {
    for (const effect of effects) {
      this.#effects.push(effect);
      if (URGENT.has(effect.type)) this.#urgent = true;
    }
  }

  #takeEffects(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    this.#urgent = false;
    return effects;
  }

  /** What changed since the last checkpoint. */
  #drain(): { puts: StatePut[]; deletes: string[] } {
    const { join, baselines, entitlements, correlator, responder, peers, blastNotices, drainMore } = this.#parts;
    const changes = join.drainChanges();
    const puts: StatePut[] = changes.puts.map(
      (put) => new LatePut(() => ({ key: put.key, value: encodeState(put.value) })),
    );
    puts.push({ key: NOW_KEY, value: new TextEncoder().encode(String(this.#now)) });
    const deletes = changes.deletes;
    baselines.drain(puts, deletes);
    entitlements.drain(puts, deletes);
    correlator.drain(puts, deletes);
    this.#parts.alarms.drain(puts, deletes);
    responder.drain(puts, deletes);
    peers.drain(puts, deletes);
    blastNotices.drain(puts, deletes);
    drainMore(puts, deletes);
    return { puts, deletes };
  }
}

/** Just below what an alarm of the test across sessions weighs. */
const ACROSS_SESSIONS = {
  nats: Math.log(FALSE_ALARM_EVERY) - 0.01,
  budget: 1 / FALSE_ALARM_EVERY,
  groups: FALSE_ALARM_EVERY,
};
/** What was found about an observation, a window or a session, before it is weighed. */
type Unweighed = Omit<Evidence, 'threshold'> &
  Partial<Pick<Evidence, 'threshold'>> &
  Partial<Pick<Required<Comparable>, 'call'>>;

/** Outputs of the join taken in one turn of the event loop, and what a closed session counts: it is learned from. */
const TURN_WORK = 16;
const CLOSED_WORK = 8;

const NOW_KEY = 'scoring/now';
/** Flagged sessions that nobody judged for this long are dropped and learning goes on without them. */
export const QUARANTINE_MS = 14 * 24 * 60 * 60_000;

function isInput(output: JoinOutput): boolean {
  const { type } = output;
  return type !== 'window' && type !== 'session-closed' && type !== 'late' && type !== 'future';
}

function isCall(observation: Observation): observation is CallObservation {
  return observation.kind === 'tool_attempt' || observation.kind === 'tool_call';
}

/** One agent's part in what its whole class does, as a line for a person. */
function comparedLine({ subject, time, signals, causeId }: Unweighed, call: Comparable['call']): TimelineEntry {
  const { agentId } = subject;
  if (call === undefined) {
    return { time, stream: 'parallax', text: `${agentId}: ${signals[0]?.reason ?? ''}`, refId: causeId };
  }
  const line = timelineEntry(call.observation);
  return { ...line, text: `${agentId} ${line.text}` };
}

function subjectOf(of: { tenant: string; agentId: string; sessionId?: string }): Subject {
  const { tenant, agentId, sessionId } = of;
  return sessionId === undefined ? { tenant, agentId } : { tenant, agentId, sessionId };
}
