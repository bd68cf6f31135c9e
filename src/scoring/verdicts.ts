import type { Incident } from '../model/incident.js';
import type { Verdict } from '../model/log-record.js';
import type { Turn } from './turn.js';

/** A person's verdict on an incident: what was put aside is learned or not, and what was done is undone or stays. */
export class Verdicts {
  readonly #turn: Turn;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  apply(verdict: Verdict): void {
    const incident = this.#judge(verdict);
    if (incident === undefined) return;
    const isHarmless = verdict.verdict !== 'true-positive';
    const gathered = this.#settleShift(verdict, isHarmless);
    if (!isHarmless) return;
    // A person says that it was harmless: what was done about it is undone in the same step.
    const { tenant, by } = verdict;
    const reason = `incident closed as ${verdict.verdict}`;
    const { responder } = this.#turn.parts;
    this.#turn.emit(responder.liftGathered([incident, ...gathered], { tenant, by, reason }, this.#turn.now));
  }

  /** Closes one incident. @returns it as it is then, or undefined where it is not known or closed already */
  #judge(verdict: Verdict): Incident | undefined {
    const { alarms, baselines, classOf, correlator } = this.#turn.parts;
    const incident = correlator.onVerdict(verdict);
    if (incident === undefined) return undefined;
    this.#turn.emit([{ type: 'incident', value: incident }]);
    alarms.judged(incident, classOf(incident.agentId), verdict.verdict);
    baselines.release(incident.id, verdict.verdict !== 'true-positive', verdict.time);
    return incident;
  }

  /**
   * A verdict on what a whole class did is a verdict on every session that is gathered under it.
   *
   * @returns the incidents that it closed
   */
  #settleShift(verdict: Verdict, isHarmless: boolean): Incident[] {
    const { baselines, correlator, peers } = this.#turn.parts;
    const settled = peers.onVerdict(verdict, this.#turn.now);
    if (settled === undefined) return [];
    for (const key of settled.quarantines) baselines.release(key, isHarmless, verdict.time);
    if (!isHarmless) return [];
    return settled.incidentIds
      .filter((id) => correlator.incident(verdict.tenant, id)?.gatheredBy === verdict.incidentId)
      .flatMap((incidentId) => this.#judge({ ...verdict, incidentId }) ?? []);
  }
}
