import type { SessionOutcome } from '../baseline/port.js';
import type { Subject } from '../correlate/correlator.js';
import { sessionOutcome } from '../correlate/session-outcome.js';
import { quarantineMs } from '../baseline/learning.js';
import type { ScoringParts } from './parts.js';

/**
 * What becomes of a session, or of a window of it: whether it may be learned from. What is under an incident waits for a
 * person, be the incident about the session or about its agent (drift); the latter holds learning up for as long as
 * quarantine lasts and no longer.
 *
 * @param time event time of its end, epoch ms
 */
export function outcomeOf(
  { peers, correlator, baselines }: Pick<ScoringParts, 'peers' | 'correlator' | 'baselines'>,
  subject: Subject,
  time: number,
): SessionOutcome {
  const { tenant, agentId } = subject;
  const risk = correlator.riskOf(subject);
  if (risk?.shiftId !== undefined && risk.incidentId === '') return peers.outcome(tenant, agentId, risk.shiftId);
  const incidentId = risk?.incidentId ?? '';
  if (incidentId !== '') return sessionOutcome(incidentId, correlator.incident(tenant, incidentId));
  const ofAgent = correlator.riskOf({ tenant, agentId });
  const incident = ofAgent === undefined ? undefined : correlator.incident(tenant, ofAgent.incidentId);
  if (incident === undefined || incident.verdict !== undefined) return 'learn';
  return time - incident.openedAt > quarantineMs(baselines.settings) ? 'learn' : { quarantine: incident.id };
}
