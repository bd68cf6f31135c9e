import type { ClosedSession } from '../join/port.js';
import type { Incident, TimelineEntry } from '../model/incident.js';

type Stretch = Pick<ClosedSession, 'sessionId' | 'firstTime' | 'lastTime'>;
/** Event time, epoch ms. */
type Span = [from: number, to: number];

export interface FlaggedAgent {
  agentId: string;
  agentClass: string;
  /** How long an open incident about the whole agent holds learning up, ms. */
  quarantineMs: number;
}

/**
 * Which sessions of an agent nothing may be learned from, as `outcomeOf` (learnable.ts) decides it for sessions that end
 * now: those of incidents that are open or were judged true. An incident that names no session is about all that the
 * agent did from then on, for as long as quarantine lasts; one about a whole class flags all that its agents did while it
 * lasted, because it does not name the sessions that it explained.
 *
 * @param incidents of the agent and of classes, each in its latest state
 */
export function flaggedSessions(
  incidents: readonly Incident[],
  { agentId, agentClass, quarantineMs }: FlaggedAgent,
): (session: Stretch) => boolean {
  const sessions = new Set<string>();
  const spans: Span[] = [];
  for (const incident of incidents) {
    const { status, verdict, fleet, sessionId } = incident;
    if (status === 'closed' && verdict !== 'true-positive') continue;
    if (fleet !== undefined) {
      if (fleet.nature !== 'blast-radius' && fleet.agentClass === agentClass) spans.push(seenWithin(incident));
    } else if (incident.agentId !== agentId) continue;
    else if (sessionId !== undefined) sessions.add(sessionId);
    else spans.push(heldUp(incident, quarantineMs));
  }
  return ({ sessionId, firstTime, lastTime }) =>
    (sessionId !== undefined && sessions.has(sessionId)) ||
    spans.some(([from, to]) => firstTime <= to && lastTime >= from);
}

function heldUp({ openedAt, updatedAt, status }: Incident, quarantineMs: number): Span {
  const end = openedAt + quarantineMs;
  return [openedAt, status === 'closed' ? Math.max(openedAt, Math.min(updatedAt, end)) : end];
}

function seenWithin({ openedAt, timeline }: Incident): Span {
  const isSeen = ({ stream }: TimelineEntry) => stream !== 'parallax';
  const times = timeline.filter(isSeen).map(({ time }) => time);
  return [Math.min(openedAt, ...times), Math.max(openedAt, ...times)];
}
