import { z } from 'zod';
import type { Ordered } from '../../model/baseline.js';
import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError, type ErrorStatus } from '../errors.js';
import { readJson } from '../read-body.js';
import { agentOf, unknown } from './baselines.js';
import { SMALL_BODY_BYTES } from './commands.js';

const reason = z.string().min(1).max(1024);
/** Event time, epoch ms. */
const time = z.number().int().min(0).max(8_640_000_000_000_000);

export const restoreSchema = z.strictObject({
  version: z.number().int().min(1),
  /** Which state of that version, where there are several. */
  stateId: z
    .string()
    .regex(/^[0-9a-f]{1,12}$/)
    .exactOptional(),
  reason,
});

export const rebuildSchema = z
  .strictObject({ since: time.exactOptional(), until: time.exactOptional(), reason })
  .refine(({ since = 0, until = Infinity }) => since < until, { path: ['until'], message: 'must be after since' });

export const rebuildStatusSchema = z.object({
  state: z.enum(['running', 'done', 'failed']),
  by: z.string(),
  startedAt: z.number(),
  expected: z.number(),
  observations: z.number(),
  sessions: z.number(),
  leftOut: z.number(),
  message: z.string().exactOptional(),
});

const STATUS: Record<Extract<Ordered, { ok: false }>['cause'], ErrorStatus> = {
  'store-away': 503,
  unknown: 404,
  ambiguous: 409,
  foreign: 409,
  damaged: 409,
  busy: 409,
};

/** `POST /v1/baselines/:id/restore`: a person takes an agent back to a version that ClickHouse has whole. */
export function postRestore({ ports, budget }: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    const agentId = agentOf(c);
    const order = await readJson(c.env.incoming, { maxBytes: SMALL_BODY_BYTES, budget }, restoreSchema);
    const { tenant, id: by } = c.var.principal;
    return answer(c, await ports.baselines.restore({ tenant, agentId, by, ...order }));
  };
}

/** `POST /v1/baselines/:id/rebuild`: a person has an agent's baseline made anew. */
export function postRebuild({ ports, budget }: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    const agentId = agentOf(c);
    const order = await readJson(c.env.incoming, { maxBytes: SMALL_BODY_BYTES, budget }, rebuildSchema);
    const { tenant, id: by } = c.var.principal;
    return answer(c, ports.baselines.rebuild({ tenant, agentId, by, ...order }));
  };
}

/** `GET /v1/baselines/:id/rebuild`: how far it is. */
export function getRebuild({ ports }: ApiDeps) {
  return (c: ApiContext): Response => {
    const status = ports.baselines.rebuildStatus(c.var.principal.tenant, agentOf(c));
    if (status === undefined) throw unknown('no baseline of this agent was made anew since the observer started');
    return c.json(status);
  };
}

function answer(c: ApiContext, ordered: Ordered): Response {
  if (ordered.ok) return c.json({ recorded: true }, 202);
  const { cause, message, fix } = ordered;
  const code = cause === 'unknown' ? 'unknown-baseline' : cause === 'store-away' ? cause : 'conflict';
  throw new ApiError(STATUS[cause], code, message, { fix });
}
