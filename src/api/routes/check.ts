import { mayActFor } from '../../model/principal.js';
import { checkRequestSchema } from '../../model/wire.js';
import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError } from '../errors.js';
import { checkAtOwner } from '../forwarding.js';
import { readJson } from '../read-body.js';

/** `POST /v1/check`: may this call be executed? */
export function postCheck(deps: ApiDeps) {
  const { ports, limits, budget } = deps;
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
    const startedAt = ports.clock.now();
    const deadlineMs = Math.min(request.deadlineMs ?? ports.checker.deadlineMs, ports.checker.deadlineMs);
    const answered = await checkAtOwner(c, deps, request, deadlineMs);
    if (answered !== undefined) return c.json(answered);
    // Where the owner was asked in vain this uses up what is left: the attempt goes into the log all the same.
    const leftMs = Math.max(1, deadlineMs - (ports.clock.now() - startedAt));
    return c.json(await ports.checker.check({ ...request, deadlineMs: Math.min(leftMs, deadlineMs) }, principal));
  };
}
