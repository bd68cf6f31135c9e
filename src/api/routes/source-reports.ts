import type { ApiContext, ApiDeps } from '../context.js';

/** `GET /v1/sources`: what arrived from whom in the last minutes, what was refused, and what could not be placed. */
export function getSources({ ports }: ApiDeps) {
  return (c: ApiContext): Response => {
    const sources = ports.sources.report(c.var.principal.tenant);
    return c.json({ now: ports.clock.now(), sources });
  };
}
