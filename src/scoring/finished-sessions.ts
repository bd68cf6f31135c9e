import type { FinishedSubject } from '../detect/port.js';
import type { ClosedSession } from '../join/port.js';
import type { Observation } from '../model/observation.js';
import type { CaseFlow } from './case-flow.js';
import { outcomeOf } from './learnable.js';
import { subjectOf } from './parts.js';
import { publish } from './publish.js';
import type { Turn } from './turn.js';

/** What becomes of a session that has ended: it is learned, discarded or put aside, and looked at as a whole. */
export class FinishedSessions {
  readonly #turn: Turn;
  readonly #cases: CaseFlow;

  constructor(turn: Turn, cases: CaseFlow) {
    this.#turn = turn;
    this.#cases = cases;
  }

  close(closed: ClosedSession): void {
    const { baselines, correlator, detectors, notice } = this.#turn.parts;
    const subject = subjectOf(closed);
    const risk = correlator.riskOf(subject);
    const outcome = outcomeOf(this.#turn.parts, subject, closed.lastTime);
    const result = baselines.closeSession(subject, outcome, {
      extraNats: risk?.peakStreamNats ?? 0,
      nowMs: this.#turn.now,
    });
    correlator.forget(subject);
    detectors.sessionClosed(subject);
    this.#countSession(closed);
    if (typeof outcome === 'object') this.#turn.counters.sessionsQuarantined++;
    if (result.learned) {
      this.#turn.counters.sessionsLearned++;
      if (result.publicationDue) publish(this.#turn, closed.tenant, closed.agentId, closed.lastTime);
    }
    if (result.finished !== undefined) this.#session({ ...closed, ...result.finished });
    if (result.calibrated)
      notice('thresholds calibrated', { tenant: closed.tenant, promise: baselines.promise(closed.tenant) });
  }

  /** Only what a calibrated threshold watched says how well it keeps its budget. */
  #countSession({ tenant, agentId }: ClosedSession): void {
    const { alarms, baselines, classOf } = this.#turn.parts;
    if (baselines.learning(tenant) === 'vouched') return;
    if (baselines.threshold(tenant, agentId).status === 'calibrated') alarms.session(tenant, classOf(agentId));
  }

  /**
   * What a finished session says about its agent. A sequential test over sessions has a false-alarm rate of its own:
   * what it finds is weighed by that, not by the threshold of single sessions.
   */
  #session(finished: FinishedSubject): void {
    const { baselines, detectors, correlator } = this.#turn.parts;
    const signals = detectors.session(finished);
    this.#turn.parts.sessionScored?.(finished, signals);
    if (signals.length === 0) return;
    const subject = { tenant: finished.tenant, agentId: finished.agentId };
    const held = correlator.riskOf(subject);
    // Judged already: the next finding is a new one, however strong the last was.
    if (held !== undefined && correlator.incident(subject.tenant, held.incidentId)?.status === 'closed') {
      correlator.forget(subject);
    }
    const counted = signals.filter(({ shadow }) => !shadow);
    this.#cases.weigh({
      subject,
      causeId: signals[0]?.causeId ?? '',
      time: finished.lastTime,
      callTerms: counted.map(({ detectorId, nats }) => ({ label: detectorId, nats })),
      signals,
      threshold: acrossSessions(baselines.settings.drift.falseAlarmEvery),
    });
  }

  /** A record came after its session had closed: it was scored, but nothing may stay open that nobody would close. */
  forgetAfterlife(observation: Observation): void {
    const { baselines, correlator, detectors } = this.#turn.parts;
    const subject = subjectOf(observation);
    baselines.closeSession(subject, 'discard', { extraNats: 0, nowMs: this.#turn.now });
    correlator.forget(subject);
    detectors.sessionClosed(subject);
  }
}

/** Just below what an alarm of the test across sessions weighs. @param sessions between two false alarms */
function acrossSessions(sessions: number): { nats: number; budget: number; groups: number } {
  return { nats: Math.log(sessions) - 0.01, budget: 1 / sessions, groups: sessions };
}
