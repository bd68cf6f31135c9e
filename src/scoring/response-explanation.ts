import { explainResponse } from '../respond/explain-response.js';
import { mainTool } from '../respond/policy.js';
import type { ResponseExplanation } from '../respond/port.js';
import { policyCaseOf, policyFactsOf, type ResponseCase } from '../respond/response-case.js';
import { priorIncidents } from './agent-history.js';
import type { ScoringParts } from './parts.js';

/** Ages given out of one kind; more of them change nothing. */
const MAX_AGES = 1_000;

/**
 * What policy would do about an incident as things are now, as if it had done nothing yet. Undefined where it is not
 * known. Changes nothing.
 *
 * @param now processing time, epoch ms
 */
export function explainIncident(
  parts: Pick<ScoringParts, 'correlator' | 'responder' | 'peers' | 'classOf' | 'mode'>,
  { tenant, incidentId, now }: { tenant: string; incidentId: string; now: number },
): ResponseExplanation | undefined {
  const { correlator, responder, peers, classOf, mode } = parts;
  const incident = correlator.incident(tenant, incidentId);
  if (incident === undefined) return undefined;
  const { agentId, sessionId = '', severity, riskNats, violation, emitters, updatedAt, gatheredBy } = incident;
  const ages = (times: readonly number[]) => times.slice(-MAX_AGES).map((time) => Math.max(0, updatedAt - time));
  const tool = mainTool(incident);
  const about: ResponseCase = {
    agentId,
    agentClass: classOf(agentId),
    sessionId,
    severity,
    riskNats,
    emitters: emitters.length,
    violation,
    mode,
    priorIncidents: ages(priorIncidents(parts, incident)),
    toolSessions: tool === undefined ? 0 : ages(correlator.openSessionsOver(incident, tool)),
    ...responder.reachedBy(incident, now),
  };
  if (tool !== undefined) about.tool = tool;
  const shared =
    gatheredBy !== undefined && peers.explains(incident) ? correlator.incident(tenant, gatheredBy) : undefined;
  if (shared !== undefined) about.sharedBehaviour = shared.title;
  const settings = responder.settingsOf(agentId);
  const facts = policyFactsOf(about, { ...settings, mode });
  return { case: about, ladder: explainResponse(policyCaseOf(about), settings, facts) };
}
