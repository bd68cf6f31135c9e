import type { ApiContext, ApiDeps } from '../context.js';

/** `GET /healthz`: the process answers. Says nothing else, because anybody may ask. */
export function getHealth() {
  return (c: ApiContext): Response => c.json({ ok: true });
}

/** `GET /readyz`: 503 until everything needed to take records in and to score them stands. */
export function getReady({ ports }: ApiDeps) {
  return (c: ApiContext): Response => {
    const ready = ports.status.ready();
    return c.json({ ready }, ready ? 200 : 503);
  };
}

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
