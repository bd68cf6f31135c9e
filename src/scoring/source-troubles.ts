import { sourceNotice } from '../correlate/source-notice.js';
import type { SourceTrouble } from '../model/source-trouble.js';
import type { Turn } from './turn.js';

/** Tells people of emitters that cannot be relied on: each run of trouble is an incident of its own. */
export class SourceTroubles {
  readonly #turn: Turn;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  tell(trouble: SourceTrouble): void {
    const { correlator, notice } = this.#turn.parts;
    const told = sourceNotice(trouble, (id) => correlator.incident(trouble.tenant, id));
    if (told === undefined) return;
    const { signal, incident, isNew } = told;
    correlator.adopt(incident);
    this.#turn.counters.signals++;
    this.#turn.emit([
      { type: 'signal', value: signal },
      { type: 'incident', value: incident },
    ]);
    if (!isNew) return;
    this.#turn.counters.incidents++;
    notice(incident.title, { tenant: incident.tenant, principalId: trouble.principalId, incidentId: incident.id });
  }
}
