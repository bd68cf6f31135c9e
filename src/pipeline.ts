import { Subject as Pushes } from 'rxjs';
import type { BaselineRegistry } from './baseline/registry.js';
import type { Correlator, Subject } from './correlate/correlator.js';
import { sessionOutcome } from './correlate/session-outcome.js';
import type { IndexedDetectorRunner } from './detect/runner.js';
import type { EventTimeJoin } from './join/event-time-join.js';
import type { ClosedSession, JoinInput, JoinOutput } from './join/port.js';
import { joinWindows } from './join/window-join.js';
import type { Clock } from './lib/clock.js';
import { encodeState } from './lib/state-table.js';
import type { Log, LogEntry, ScoringStore } from './log/port.js';
import { decodeRecord } from './log/record-codec.js';
import type { Effect, OutboxEntry } from './model/effect.js';
import type { Incident } from './model/incident.js';
import type { Activation, Verdict } from './model/log-record.js';
import type { Observation } from './model/observation.js';
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
 * processing time in the log. State, position and effects move in one transaction; effects leave after it.
 */

/** Outbox entries of these types do not wait for the next checkpoint: somebody acts on them. */
const URGENT = new Set<Effect['type']>(['incident', 'command', 'command-event', 'restriction']);
/** Rest between checkpoints that are taken in a pause, in times of what the last one took: a twentieth of the time. */
const IDLE_REST = 20;
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
  detectors: IndexedDetectorRunner;
  correlator: Correlator;
  responder: Responder;
  clock: Clock;
  mode: 'observe' | 'act';
  /** Event time within which misuse of one tool in several sessions counts together, ms. */
  freezeWindowMs: number;
  /** Longest time between two checkpoints while there is work, ms. */
  checkpointMs: number;
  /** Most records taken from the log at once. Changes no result, only how long a check may wait behind a slice. */
  sliceRecords: number;
  /** Answers a gateway that asked about this observation. */
  answer: (observationId: string, answer: CheckAnswer) => void;
  awaits: (observationId: string) => boolean;
  /** Committed effects, in order. */
  committed: (entries: OutboxEntry[]) => void;
  /** State of parts that keep their own journal beside the tables, to be written with the checkpoint. */
  drainMore: (puts: { key: string; value: Uint8Array }[], deletes: string[]) => void;
  /** Something an operator should know. */
  notice: (message: string, facts: Record<string, unknown>) => void;
  scored?: (result: Scored) => void;
  windowScored?: (window: Window, signals: Signal[], openedIncident: Incident | undefined) => void;
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
  readonly #slices = new Pushes<readonly JoinInput[]>();
  #joined: JoinOutput[] = [];
  #next: number;
  /** Newest processing time in the log, epoch ms. */
  #now = 0;
  #effects: Effect[] = [];
  #urgent = false;
  #checkpointAt: number;
  #checkpointTookMs = 0;
  #uncommitted = 0;
  #stopping = new AbortController();
  #running: Promise<void> | undefined;
  readonly counters: ScoringCounters = {
    records: 0,
    observations: 0,
    duplicates: 0,
    late: 0,
    future: 0,
    faults: 0,
    damaged: 0,
    signals: 0,
    incidents: 0,
    checkpoints: 0,
    sessionsLearned: 0,
    sessionsQuarantined: 0,
  };

  constructor(parts: ScoringParts) {
    this.#parts = parts;
    this.#next = parts.store.nextPosition;
    this.#checkpointAt = parts.clock.now();
    const now = parts.store.get(NOW_KEY);
    if (now !== undefined) this.#now = Number(new TextDecoder().decode(now));
    this.#slices.pipe(joinWindows(parts.join)).subscribe((outputs) => {
      this.#joined = outputs;
    });
  }

  /** Next position that will be scored. */
  get position(): number {
    return this.#next;
  }

  /** Starts reading. Rejects through `stop` (and `failed`) when the log or the store fails for good. */
  start(failed: (error: unknown) => void): void {
    this.#running = this.#run().catch(failed);
  }

  /** Takes a last checkpoint and stops. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#slices.complete();
  }

  async #run(): Promise<void> {
    const { log, sliceRecords } = this.#parts;
    while (!this.#stopping.signal.aborted) {
      const entries = log.read(this.#next, sliceRecords);
      if (entries.length > 0) this.#score(entries);
      const idle = entries.length === 0;
      if (this.#urgent || (this.#uncommitted > 0 && this.#msToCheckpoint(idle) <= 0)) await this.#checkpoint();
      if (idle) await this.#waitForMore();
      else await yieldToOthers();
    }
    if (this.#uncommitted > 0) await this.#checkpoint();
  }

  /**
   * Time until the next checkpoint may be taken. One that nothing asks for rests in proportion to what the last one
   * took: under a load that leaves pauses, every pause would otherwise write all that changed since the one before.
   */
  #msToCheckpoint(idle: boolean): number {
    const { clock, checkpointMs } = this.#parts;
    const restMs = idle ? Math.min(checkpointMs, IDLE_REST * this.#checkpointTookMs) : checkpointMs;
    const passedMs = clock.now() - this.#checkpointAt;
    // A clock that was set back must not put checkpoints off.
    return passedMs < 0 ? 0 : restMs - passedMs;
  }

  async #waitForMore(): Promise<void> {
    const { log } = this.#parts;
    const stop = this.#stopping.signal;
    if (this.#uncommitted === 0) return log.waitBeyond(this.#next - 1, stop);
    const wake = new AbortController();
    const end = () => wake.abort();
    let isRested = false;
    const timer = setTimeout(() => {
      isRested = true;
      end();
    }, this.#msToCheckpoint(true));
    stop.addEventListener('abort', end, { once: true });
    try {
      await log.waitBeyond(this.#next - 1, wake.signal);
    } finally {
      clearTimeout(timer);
      stop.removeEventListener('abort', end);
    }
    // The rest is over even where the clock stands still, as a trial's does: else nothing would ever be committed.
    if (isRested) await this.#checkpoint();
  }

  #score(entries: readonly LogEntry[]): void {
    const inputs: JoinInput[] = [];
    const positions: number[] = [];
    for (const entry of entries) {
      this.#next = entry.position + 1;
      this.counters.records++;
      this.#uncommitted++;
      if (entry.type === 'payload' || entry.type === 'dead-letter') continue;
      const record = this.#decode(entry);
      if (record === undefined) continue;
      inputs.push(record);
      positions.push(entry.position);
    }
    this.#slices.next(inputs);
    // The join gives every input back once, in order, as itself, as a duplicate or as a fault.
    let taken = 0;
    for (const output of this.#joined) {
      const position = positions[taken] ?? this.#next - 1;
      if (isInput(output)) taken++;
      this.#take(output, position);
    }
  }

  #decode(entry: LogEntry): JoinInput | undefined {
    try {
      const record = decodeRecord(entry);
      return record.type === 'payload' || record.type === 'dead-letter' ? undefined : record;
    } catch (error) {
      this.counters.damaged++;
      this.#parts.notice('a record of the log cannot be read and was passed over', { error: String(error) });
      return undefined;
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
        this.counters.duplicates++;
        return this.#answer(output.value);
      case 'late':
        this.counters.late++;
        if (output.cause === 'session-closed') this.#forgetAfterlife(output.value);
        return;
      case 'future':
        this.counters.future++;
        return;
      case 'fault':
        this.counters.faults++;
        return notice('a record could not be joined', { error: output.error });
    }
  }

  #observe(observation: Observation, position: number): void {
    const { baselines, detectors, responder } = this.#parts;
    this.counters.observations++;
    const { tenant, agentId, sessionId } = observation;
    const assessment = baselines.assess(observation);
    if (observation.kind === 'tool_attempt' || observation.kind === 'tool_call') {
      assessment.session.contained =
        responder.restrictionOn(tenant, agentId, sessionId, observation.tool) !== undefined;
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
    });
    if (observation.kind === 'tool_call') this.#emit(responder.onCall(observation, this.#now));
    baselines.apply(observation);
    this.#answer(observation);
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
    // A revision is the same minute again: it must not teach the rate twice.
    if (window.revision === 0 && !this.#isFlagged(subjectOf(window))) baselines.learnWindow(window);
    const { evidenceIds: _, ...summary } = window;
    this.#emit([{ type: 'window', value: summary }]);
    this.#parts.windowScored?.(window, signals, opened ? incident : undefined);
  }

  /** Evidence -> risk -> incident -> commands. */
  #correlate(evidence: Omit<Parameters<Correlator['observe']>[0], 'threshold'>) {
    const { baselines, correlator, responder, freezeWindowMs } = this.#parts;
    const { tenant, agentId } = evidence.subject;
    this.counters.signals += evidence.signals.length;
    this.#emit(evidence.signals.map((value) => ({ type: 'signal', value })));
    // An operator vouches for this traffic: it is learned from and raises nothing.
    if (baselines.learning(tenant) === 'vouched') return { riskNats: 0, opened: false, incident: undefined };
    const correlation = correlator.observe({ ...evidence, threshold: baselines.threshold(tenant, agentId) });
    const { incident, opened } = correlation;
    if (incident === undefined) return { ...correlation, incident: undefined };
    if (opened) this.counters.incidents++;
    const tool = mainTool(incident);
    const sameToolSessions =
      tool === undefined ? 0 : correlator.openSessionsOver(evidence.subject, tool, evidence.time - freezeWindowMs);
    const effects = responder.onIncident(incident, sameToolSessions, this.#now);
    const commandIds = effects.flatMap((effect) => (effect.type === 'command' ? [effect.value.id] : []));
    const linked = correlator.linkCommands(incident, commandIds);
    this.#emit([{ type: 'incident', value: linked }, ...effects]);
    return { ...correlation, incident: linked };
  }

  #closeSession(closed: ClosedSession): void {
    const { baselines, correlator, notice } = this.#parts;
    const subject = subjectOf(closed);
    const risk = correlator.riskOf(subject);
    const incident = risk === undefined ? undefined : correlator.incident(closed.tenant, risk.incidentId);
    const outcome = sessionOutcome(risk?.incidentId ?? '', incident);
    const result = baselines.closeSession(subject, outcome, { extraNats: risk?.peakStreamNats ?? 0, nowMs: this.#now });
    correlator.forget(subject);
    if (typeof outcome === 'object') this.counters.sessionsQuarantined++;
    if (result.learned) {
      this.counters.sessionsLearned++;
      if (result.agentSessions % PUBLISH_EVERY === 0) this.#publish(closed.tenant, closed.agentId, closed.lastTime);
    }
    if (result.calibrated)
      notice('thresholds calibrated', { tenant: closed.tenant, promise: baselines.promise(closed.tenant) });
  }

  /** A record came after its session had closed: it was scored, but nothing may stay open that nobody would close. */
  #forgetAfterlife(observation: Observation): void {
    const { baselines, correlator } = this.#parts;
    const subject = subjectOf(observation);
    baselines.closeSession(subject, 'discard', { extraNats: 0, nowMs: this.#now });
    correlator.forget(subject);
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
    const isHarmless = verdict.verdict !== 'true-positive';
    baselines.release(incident.id, isHarmless);
    if (!isHarmless) return;
    // A person says that it was harmless: what was done about it is undone in the same step.
    for (const commandId of incident.commandIds) {
      const { tenant, by, time } = verdict;
      const reason = `incident closed as ${verdict.verdict}`;
      this.#emit(responder.onOrder({ time, tenant, order: 'lift', commandId, by, reason }, this.#now));
    }
  }

  #activate({ tenant, time, what, value }: Activation): void {
    const { baselines, notice } = this.#parts;
    if (what === 'learning' && (value === 'on' || value === 'frozen' || value === 'vouched'))
      baselines.setLearning(tenant, value);
    if (what !== 'calibrate') return;
    baselines.calibrate(tenant);
    notice('thresholds calibrated', { tenant, promise: baselines.promise(tenant) });
    for (const agentId of baselines.agents(tenant)) this.#publish(tenant, agentId, time);
  }

  /** Answers a gateway that asked about this call, from the state as it is now. */
  #answer(observation: Observation): void {
    if (observation.kind !== 'tool_attempt' || !this.#parts.awaits(observation.id)) return;
    const { baselines, correlator, responder, mode } = this.#parts;
    const { tenant, agentId, sessionId, tool, effect } = observation;
    const risk = correlator.riskOf(subjectOf(observation));
    const incident = risk === undefined ? undefined : correlator.incident(tenant, risk.incidentId);
    const facts = {
      mode,
      effect,
      riskNats: risk?.peakNats ?? 0,
      thresholdNats: baselines.threshold(tenant, agentId).nats,
      incident: incident?.status === 'closed' ? undefined : incident,
      restriction: responder.restrictionOn(tenant, agentId, sessionId, tool),
    };
    this.#parts.answer(observation.id, decide(facts));
  }

  #isFlagged(subject: Subject): boolean {
    const risk = this.#parts.correlator.riskOf(subject);
    return risk !== undefined && risk.incidentId !== '';
  }

  #emit(effects: readonly Effect[]): void {
    for (const effect of effects) {
      this.#effects.push(effect);
      if (URGENT.has(effect.type)) this.#urgent = true;
    }
  }

  /** Moves position, state and effects in one transaction; then lets the effects out. */
  async #checkpoint(): Promise<void> {
    const { store, join, baselines, correlator, responder, clock, drainMore, committed } = this.#parts;
    const begun = clock.now();
    const changes = join.drainChanges();
    const puts = changes.puts.map(({ key, value }) => ({ key, value: encodeState(value) }));
    puts.push({ key: NOW_KEY, value: new TextEncoder().encode(String(this.#now)) });
    const deletes = changes.deletes;
    baselines.drain(puts, deletes);
    correlator.drain(puts, deletes);
    responder.drain(puts, deletes);
    drainMore(puts, deletes);
    const effects = this.#effects;
    this.#effects = [];
    this.#urgent = false;
    this.#uncommitted = 0;
    const entries = await store.commit({ nextPosition: this.#next, puts, deletes, effects });
    this.#checkpointAt = clock.now();
    this.#checkpointTookMs = Math.max(0, this.#checkpointAt - begun);
    this.counters.checkpoints++;
    if (entries.length > 0) committed(entries);
  }
}

const NOW_KEY = 'scoring/now';
/** Flagged sessions that nobody judged for this long are dropped and learning goes on without them. */
const QUARANTINE_MS = 14 * 24 * 60 * 60_000;

function isInput(output: JoinOutput): boolean {
  const { type } = output;
  return type !== 'window' && type !== 'session-closed' && type !== 'late' && type !== 'future';
}

function subjectOf(of: { tenant: string; agentId: string; sessionId?: string }): Subject {
  const { tenant, agentId, sessionId } = of;
  return sessionId === undefined ? { tenant, agentId } : { tenant, agentId, sessionId };
}

/** Lets requests and commits have their turn between slices. */
function yieldToOthers(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
