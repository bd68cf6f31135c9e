import { containmentNotice } from '../correlate/containment-notice.js';
import type { Turn } from './turn.js';

/** Tells people of containments that gateways do not confirm, or do not keep to: each is an incident of its own. */
export class ContainmentTroubles {
  readonly #turn: Turn;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** @param time when it came to light, epoch ms: event time of a call, or processing time */
  tell(time: number): void {
    const { responder, correlator, notice } = this.#turn.parts;
    for (const trouble of responder.takeTroubles()) {
      const told = containmentNotice(trouble, time, (id) => correlator.incident(trouble.command.tenant, id));
      if (told === undefined) continue;
      const { incident, isNew } = told;
      correlator.adopt(incident);
      this.#turn.emit([{ type: 'incident', value: incident }]);
      if (!isNew) continue;
      this.#turn.counters.incidents++;
      notice(incident.title, { tenant: incident.tenant, agentId: incident.agentId, incidentId: incident.id });
    }
  }
}
