import type { ApiContext, ApiDeps } from '../context.js';

/** `GET /v1/sources`: what arrived from whom in the last minutes, what was refused, and what could not be placed. */
export function getSources({ ports }: ApiDeps) {
  return (c: ApiContext): Response => {
    const { tenant } = c.var.principal;
    const sources = ports.sources.report(tenant);
    return c.json({ now: ports.clock.now(), sources, topics: ports.sources.topics(tenant) });
  };
}
