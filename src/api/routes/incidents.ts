import { z } from 'zod';
import { INCIDENT_STATUSES, type Incident } from '../../model/incident.js';
import type { Verdict } from '../../model/log-record.js';
import { mayActFor } from '../../model/principal.js';
import { MAX_NAME_CHARS } from '../../model/wire.js';
import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError } from '../errors.js';
import { boardLimit, listLimit } from '../query.js';
import { readJson } from '../read-body.js';

export const verdictSchema = z.strictObject({
  verdict: z.enum(['true-positive', 'false-positive', 'benign-expected']),
  note: z.string().max(4096).exactOptional(),
});

const SMALL_BODY_BYTES = 64 * 1024;

/** `GET /v1/incidents?status=&agentId=&limit=`. */
export function getIncidents({ ports }: ApiDeps) {
  return (c: ApiContext): Response => {
    const { principal } = c.var;
    const limit = listLimit(c);
    const wanted = c.req.query('status');
    const status = INCIDENT_STATUSES.find((known) => known === wanted);
    if (wanted !== undefined && status === undefined) {
      throw new ApiError(400, 'invalid', `must be one of ${INCIDENT_STATUSES.join(', ')}`, { field: 'status' });
    }
    const agentId = c.req.query('agentId');
    const incidents = ports.incidents
      .list({
        tenant: principal.tenant,
        limit: boardLimit(principal, limit),
        ...(status === undefined ? {} : { status }),
        ...(agentId === undefined ? {} : { agentId }),
      })
      .filter((incident) => incident.tenant === principal.tenant && mayActFor(principal, incident.agentId));
    return c.json({ incidents: incidents.slice(0, limit) });
  };
}

/** `GET /v1/incidents/:id`. */
export function getIncident(deps: ApiDeps) {
  return (c: ApiContext): Response => c.json(visibleIncident(c, deps));
}

/** `POST /v1/incidents/:id/verdict`: a person says what it was. */
export function postVerdict(deps: ApiDeps) {
  const { ports, budget } = deps;
  return async (c: ApiContext): Promise<Response> => {
    const incident = visibleIncident(c, deps);
    const body = await readJson(c.env.incoming, { maxBytes: SMALL_BODY_BYTES, budget }, verdictSchema);
    if (incident.status === 'closed') {
      throw new ApiError(409, 'conflict', 'the incident is closed already; its verdict stands', {
        fix: 'see who closed it with GET /v1/incidents/{id}',
      });
    }
    const verdict: Verdict = {
      time: ports.clock.now(),
      tenant: incident.tenant,
      incidentId: incident.id,
      by: c.var.principal.id,
      ...body,
    };
    await ports.journal.verdict(verdict);
    return c.json({ recorded: true }, 202);
  };
}

/** The incident that the path names. One that the key may not see is answered like one that does not exist. */
export function visibleIncident(c: ApiContext, { ports }: ApiDeps): Incident {
  const { principal } = c.var;
  const incident = ports.incidents.get(principal.tenant, (c.req.param('id') ?? '').slice(0, MAX_NAME_CHARS));
  if (incident === undefined || incident.tenant !== principal.tenant || !mayActFor(principal, incident.agentId)) {
    throw new ApiError(404, 'not-found', 'there is no such incident', { fix: 'list them with GET /v1/incidents' });
  }
  return incident;
}
