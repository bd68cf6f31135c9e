import type { Correlation } from '../correlate/correlator.js';
import type { Overreach as Reached } from '../correlate/blast-notice.js';
import type { CallObservation } from '../model/observation.js';
import type { Turn } from './turn.js';

/** Tells people where so much is contained or held at once that somebody should look at the whole. */
export class Overreach {
  readonly #turn: Turn;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** Tells people of commands that the blast-radius cap made proposals of. @param time event time, epoch ms */
  tellOfCap(time: number): void {
    for (const { command, reason } of this.#turn.parts.responder.takeCapped()) {
      const { tenant, agentId, action, id, incidentId = '' } = command;
      const { contained: reached, known } = this.#turn.parts.responder.limit(tenant);
      const text = `${action} of ${agentId} waits for a person`;
      const line = { time, stream: 'parallax' as const, text, refId: id };
      this.#tellOfReach({ tenant, time, kind: 'command', reached, known, reason, incidentId, line });
    }
  }

  /** Counts calls that are held because of an incident: many at once are as much of an outage as many commands. */
  noteHold(attempt: CallObservation, { open, shiftId }: Pick<Correlation, 'open' | 'shiftId'>): void {
    const { blastNotices, responder, mode } = this.#turn.parts;
    if (mode !== 'act' || open === undefined || shiftId !== undefined || attempt.effect === 'read') return;
    const { tenant, agentId, tool, id, time } = attempt;
    const reached = blastNotices.noteHold(tenant, agentId, this.#turn.now);
    if (reached <= responder.minContainedAgents) return;
    const { known, maxContained } = responder.limit(tenant);
    if (reached <= maxContained) return;
    const reason = `blast-radius cap: calls of ${reached} of ${known} agents are held`;
    const line = { time, stream: 'parallax' as const, text: `${tool} of ${agentId} is held`, refId: id };
    this.#tellOfReach({ tenant, time, kind: 'hold', reached, known, reason, incidentId: open.id, line });
  }

  #tellOfReach(over: Reached): void {
    const { blastNotices, correlator, notice } = this.#turn.parts;
    const held = correlator.incident(over.tenant, blastNotices.incidentId(over.tenant));
    const incident = blastNotices.report(over, held?.status === 'closed' ? undefined : held);
    correlator.adopt(incident);
    this.#turn.emit([{ type: 'incident', value: incident }]);
    if (held?.id !== incident.id) notice(over.reason, { tenant: over.tenant, incidentId: incident.id });
  }
}
