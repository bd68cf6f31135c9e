import { z } from 'zod';
import { MAX_NAME_CHARS } from '../../model/wire.js';
import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError } from '../errors.js';
import { readJson } from '../read-body.js';

const SMALL_BODY_BYTES = 64 * 1024;

export const erasureSchema = z
  .strictObject({
    agentId: z.string().min(1).max(MAX_NAME_CHARS).exactOptional(),
    /** A mail address or a user's id, as it stands in what is stored. */
    person: z
      .string()
      .min(3)
      .max(254)
      // Quotes and backslashes would stand differently in JSON; nobody is called like what replaces the name.
      .regex(/^[^\p{Cc}"'\\[\]]+$/u, { message: 'use one mail address or user id, without quotes and brackets' })
      .refine((person) => person.toLowerCase() !== 'erased' && person.trim() === person, {
        message: 'use one mail address or user id, without blanks around it',
      })
      .exactOptional(),
    reason: z.string().trim().min(1).max(1_024),
    /** Count only. */
    dryRun: z.boolean().default(false),
  })
  .refine(({ agentId, person }) => (agentId === undefined) !== (person === undefined), {
    message: 'give agentId or person',
  });

/** `POST /v1/erasures`: erases what is stored of an agent or a person, or counts what there is. */
export function postErasure({ ports, budget }: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    const body = await readJson(c.env.incoming, { maxBytes: SMALL_BODY_BYTES, budget }, erasureSchema);
    const { principal } = c.var;
    const subject = body.agentId === undefined ? { person: body.person ?? '' } : { agentId: body.agentId };
    if (body.dryRun) return c.json({ tables: present(await ports.erasures.preview(principal.tenant, subject)) });
    const status = present(await ports.erasures.begin(principal, subject, body.reason));
    if (status === 'busy') {
      throw new ApiError(409, 'busy', 'another erasure runs', { fix: 'order it again when that one is done' });
    }
    return c.json({ erasureId: status.id }, 202);
  };
}

/** `GET /v1/erasures/:id`: how it goes. */
export function getErasure({ ports }: ApiDeps) {
  return (c: ApiContext): Response => {
    const status = ports.erasures.status(c.var.principal.tenant, c.req.param('id') ?? '');
    if (status === undefined) {
      throw new ApiError(404, 'not-found', 'there is no such erasure', {
        fix: 'those before the last start are in the table erasures of ClickHouse',
      });
    }
    return c.json(status);
  };
}

/** @throws ApiError 503 */
function present<T>(answer: T | 'away'): T {
  if (answer !== 'away') return answer;
  throw new ApiError(503, 'store-away', 'ClickHouse does not answer now', {
    fix: 'ask again; GET /v1/status says how storing is',
    retryAfterSeconds: 5,
  });
}
