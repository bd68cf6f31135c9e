import { z } from 'zod';
import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError } from '../errors.js';
import { readJson } from '../read-body.js';
import { SMALL_BODY_BYTES } from './commands.js';

/** Longest time for which a key may be published before it signs. */
const MAX_LEAD_MS = 30 * 24 * 60 * 60_000;

export const rotationSchema = z.strictObject({ leadMs: z.number().int().min(0).max(MAX_LEAD_MS).default(0) });

/** `GET /.well-known/jwks.json`: the public keys that messages can be verified with. */
export function getSigningKeys({ ports }: ApiDeps) {
  return (c: ApiContext): Response => c.json(ports.signing.keys.published());
}

/** `POST /v1/keys/rotate`: a new key signs from now on, or after `leadMs`. */
export function postKeyRotation({ ports, budget }: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    if (!ports.status.oversees(c.var.principal)) {
      throw new ApiError(403, 'forbidden', 'the keys serve all tenants of this install', {
        fix: 'use a key of the tenant that oversees it',
      });
    }
    const { leadMs } = await readJson(c.env.incoming, { maxBytes: SMALL_BODY_BYTES, budget }, rotationSchema);
    return c.json(await ports.signing.keys.rotate(leadMs), 201);
  };
}
