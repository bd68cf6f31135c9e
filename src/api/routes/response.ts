import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError } from '../errors.js';
import { visibleIncident } from './incidents.js';

/** `GET /v1/incidents/:id/response`: what policy would do about an incident now, rung by rung, and why. */
export function getResponse(deps: ApiDeps) {
  return (c: ApiContext): Response => {
    const { tenant, id } = visibleIncident(c, deps);
    const explanation = deps.ports.responses.explain(tenant, id);
    if (explanation === undefined) {
      throw new ApiError(409, 'conflict', 'the incident is so old that what policy asks about it is forgotten', {
        fix: 'try the policy on a case of your own with "parallax policy test --file"',
      });
    }
    return c.json(explanation);
  };
}
