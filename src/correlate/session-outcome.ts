import type { SessionOutcome } from '../baseline/port.js';
import type { Incident } from '../model/incident.js';

/**
 * Whether a session that has ended may be learned from.
 *
 * @param incidentId of the session's latest incident; empty where nothing was flagged
 * @param incident that incident, where it is still known
 */
export function sessionOutcome(incidentId: string, incident: Incident | undefined): SessionOutcome {
  if (incidentId === '') return 'learn';
  // Pushed out by a flood of newer ones: nobody can judge it here any more, and what was flagged is never learned.
  if (incident === undefined || incident.verdict === 'true-positive') return 'discard';
  return incident.verdict === undefined ? { quarantine: incident.id } : 'learn';
}
