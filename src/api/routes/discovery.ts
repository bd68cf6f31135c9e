import type { DiscoveryReport } from '../../governance/port.js';
import { mayActFor } from '../../model/principal.js';
import { MAX_NAME_CHARS } from '../../model/wire.js';
import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError } from '../errors.js';
import { listLimit } from '../query.js';

/** `GET /v1/discovery?agent=&limit=`: declared against observed, for the agents of the key's own tenant. */
export function getDiscovery({ ports }: ApiDeps) {
  /** What each key has asked for and not been told yet: a comparison reads all agents, so one at a time is enough. */
  const running = new Map<string, { question: string; report: Promise<DiscoveryReport> }>();
  return async (c: ApiContext): Promise<Response> => {
    const { principal } = c.var;
    const limit = listLimit(c);
    const agent = agentPattern(c);
    const question = `${limit}/${agent ?? ''}`;
    let asked = running.get(principal.id);
    if (asked !== undefined && asked.question !== question) {
      throw new ApiError(429, 'busy', 'this key has another comparison under way', {
        fix: 'wait for its answer',
        retryAfterSeconds: 1,
      });
    }
    if (asked === undefined) {
      const report = ports.discovery
        .discover({
          tenant: principal.tenant,
          maySee: (agentId) => mayActFor(principal, agentId),
          limit,
          ...(agent === undefined ? {} : { agent }),
        })
        .finally(() => running.delete(principal.id));
      asked = { question, report };
      running.set(principal.id, asked);
    }
    return c.json(await asked.report);
  };
}

/** @throws ApiError 400 */
function agentPattern(c: ApiContext): string | undefined {
  const agent = c.req.query('agent');
  if (agent === undefined) return undefined;
  if (agent === '' || agent.length > MAX_NAME_CHARS || agent.slice(0, -1).includes('*')) {
    throw new ApiError(400, 'invalid', 'must be the id of an agent, or the beginning of some followed by "*"', {
      field: 'agent',
      fix: 'leave it out for all agents',
    });
  }
  return agent;
}
