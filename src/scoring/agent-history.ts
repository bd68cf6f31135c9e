import type { Correlator } from '../correlate/correlator.js';
import type { Incident } from '../model/incident.js';
import type { Circumstances } from '../respond/policy-commands.js';
import type { Responder } from '../respond/responder.js';

interface HistorySources {
  correlator: Pick<Correlator, 'incidentsOf' | 'openSessionsOver'>;
  responder: Pick<Responder, 'wasContained'>;
}

/** When other incidents of the agent that were judged true or were contained were opened; event time, epoch ms. */
export function priorIncidents({ correlator, responder }: HistorySources, incident: Incident): number[] {
  return correlator
    .incidentsOf(incident.tenant, incident.agentId)
    .filter((one) => {
      if (one.id === incident.id) return false;
      return one.verdict === undefined ? responder.wasContained(one) : one.verdict === 'true-positive';
    })
    .map(({ openedAt }) => openedAt);
}

/** What the agent of an incident did before. @param time event time, epoch ms */
export function circumstancesOf(
  sources: HistorySources,
  incident: Incident,
  time: number,
): Pick<Circumstances, 'toolSessions' | 'priorIncidents'> {
  const within = (times: readonly number[], ms: number) => times.filter((openedAt) => openedAt >= time - ms).length;
  return {
    toolSessions: (tool, withinMs) => within(sources.correlator.openSessionsOver(incident, tool), withinMs),
    priorIncidents: (withinMs) => within(priorIncidents(sources, incident), withinMs),
  };
}
