import type { ApiContext, ApiDeps } from '../context.js';

/** `GET /v1/status`: what the service says about itself, with the API's own counters. */
export function getStatus({ ports, counters, budget }: ApiDeps) {
  return (c: ApiContext): Response => {
    const { principal } = c.var;
    const own = ports.status.status(principal);
    return c.json(
      ports.status.oversees(principal) ? { ...own, api: { ...counters, heldBodyBytes: budget.held } } : own,
    );
  };
}
