import type { Verdict } from '../model/log-record.js';
import type { Turn } from './turn.js';

/** A person's verdict on an incident: what was put aside is learned or not, and what was done is undone or stays. */
export class Verdicts {
  readonly #turn: Turn;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  apply(verdict: Verdict): void {
    const { baselines, correlator, responder } = this.#turn.parts;
    const incident = correlator.onVerdict(verdict);
    if (incident === undefined) return;
    this.#turn.emit([{ type: 'incident', value: incident }]);
    this.#turn.parts.alarms.judged(incident, this.#turn.parts.classOf(incident.agentId), verdict.verdict);
    const isHarmless = verdict.verdict !== 'true-positive';
    baselines.release(incident.id, isHarmless, verdict.time);
    this.#settleShift(verdict, isHarmless);
    if (!isHarmless) return;
    // A person says that it was harmless: what was done about it is undone in the same step.
    for (const commandId of incident.commandIds) {
      const { tenant, by, time } = verdict;
      const reason = `incident closed as ${verdict.verdict}`;
      this.#turn.emit(responder.onOrder({ time, tenant, order: 'lift', commandId, by, reason }, this.#turn.now));
    }
  }

  /** A verdict on what a whole class did is a verdict on every session that is gathered under it. */
  #settleShift(verdict: Verdict, isHarmless: boolean): void {
    const { baselines, correlator, peers } = this.#turn.parts;
    const settled = peers.onVerdict(verdict, this.#turn.now);
    if (settled === undefined) return;
    for (const key of settled.quarantines) baselines.release(key, isHarmless, verdict.time);
    if (!isHarmless) return;
    for (const incidentId of settled.incidentIds) {
      const gathered = correlator.incident(verdict.tenant, incidentId);
      if (gathered?.gatheredBy === verdict.incidentId) this.apply({ ...verdict, incidentId });
    }
  }
}
