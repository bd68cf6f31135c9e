import { mayActFor } from '../../model/principal.js';
import { checkRequestSchema } from '../../model/wire.js';
import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError } from '../errors.js';
import { readJson } from '../read-body.js';

/** `POST /v1/check`: may this call be executed? */
export function postCheck({ ports, limits, budget }: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    const { principal } = c.var;
    if (!principal.streams.has('action')) {
      throw new ApiError(403, 'forbidden', 'this key may not write the action stream', {
        fix: 'use a gateway key with "action" among its streams',
      });
    }
    const request = await readJson(c.env.incoming, { maxBytes: limits.maxRecordBytes, budget }, checkRequestSchema);
    if (!mayActFor(principal, request.agentId)) {
      ports.sources.forged(principal, request.agentId);
      throw new ApiError(403, 'forbidden', 'this key may not speak for this agent', {
        field: 'agentId',
        fix: 'use a key that is bound to the agent',
      });
    }
    return c.json(await ports.checker.check(request, principal));
  };
}
