import { z } from 'zod';
import { stableId } from '../../lib/hash.js';
import { mayConfirm, type FleetLift } from '../../model/fleet-lift.js';
import type { Principal } from '../../model/principal.js';
import { MAX_NAME_CHARS } from '../../model/wire.js';
import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError } from '../errors.js';
import { listLimit } from '../query.js';
import { readJson } from '../read-body.js';
import { SMALL_BODY_BYTES } from './commands.js';
import { conflict, decisionSchema } from './containment.js';

export const fleetLiftSchema = z.strictObject({
  reason: z.string().min(1).max(1024),
  /** Class of agents whose containments are to be lifted; all of the tenant's when left out. */
  agentClass: z.string().min(1).max(64).exactOptional(),
});

/** `POST /v1/lifts`: the first of two persons who lift containments of many agents at once. */
export function postFleetLift({ ports, budget }: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    const { principal } = c.var;
    const { reason, agentClass } = await readJson(
      c.env.incoming,
      { maxBytes: SMALL_BODY_BYTES, budget },
      fleetLiftSchema,
    );
    checkUnbound(principal);
    if (agentClass !== undefined && !ports.lifts.classes.includes(agentClass)) {
      throw new ApiError(404, 'unknown-class', 'there is no such class of agents', {
        field: 'agentClass',
        fix: `use one of ${ports.lifts.classes.join(', ')}, or leave it out for all agents`,
      });
    }
    const { tenant, id: by } = principal;
    const time = ports.clock.now();
    const liftId = stableId('lift', tenant, agentClass ?? '', by, time);
    const order = { time, tenant, order: 'propose-lift' as const, liftId, by, reason };
    await ports.journal.order(agentClass === undefined ? order : { ...order, agentClass });
    return c.json({ recorded: true, liftId }, 202);
  };
}

/** `GET /v1/lifts`, newest first. */
export function getFleetLifts({ ports }: ApiDeps) {
  return (c: ApiContext): Response => {
    const { principal } = c.var;
    checkUnbound(principal);
    return c.json({ lifts: ports.lifts.list(principal.tenant).slice(0, listLimit(c)) });
  };
}

/** `POST /v1/lifts/:id/confirm` and `.../reject`: the second person. */
export function postFleetLiftDecision(deps: ApiDeps, order: 'confirm-lift' | 'reject-lift') {
  const { ports, budget } = deps;
  return async (c: ApiContext): Promise<Response> => {
    const { principal } = c.var;
    checkUnbound(principal);
    const lift = liftOf(c, deps);
    const { reason } = await readJson(c.env.incoming, { maxBytes: SMALL_BODY_BYTES, budget }, decisionSchema);
    const time = ports.clock.now();
    const see = 'see GET /v1/lifts for how it stands';
    if (lift.state !== 'proposed') throw conflict(`the lift is ${lift.state} already`, see);
    if (lift.expiresAt <= time) throw conflict('nobody confirmed it in time', 'propose it anew with POST /v1/lifts');
    if (order === 'confirm-lift' && !mayConfirm(lift, principal.id)) {
      throw new ApiError(403, 'involved', 'this key proposed it; lifting for many agents needs two different persons', {
        fix: 'let somebody else confirm it, with a key of their own',
      });
    }
    await ports.journal.order({ time, tenant: lift.tenant, order, liftId: lift.id, by: principal.id, reason });
    return c.json({ recorded: true }, 202);
  };
}

function liftOf(c: ApiContext, { ports }: ApiDeps): FleetLift {
  const lift = ports.lifts.get(c.var.principal.tenant, (c.req.param('id') ?? '').slice(0, MAX_NAME_CHARS));
  if (lift === undefined) {
    throw new ApiError(404, 'not-found', 'there is no such lift', { fix: 'list them with GET /v1/lifts' });
  }
  return lift;
}

/** It is about every agent, so a key that may speak for some only has no say. */
function checkUnbound({ agents }: Principal): void {
  if (agents.includes('*')) return;
  throw new ApiError(403, 'forbidden', 'this key is bound to some agents; this is about all of them', {
    fix: 'use a key that is bound to no agents',
  });
}
