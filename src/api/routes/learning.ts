import { z } from 'zod';
import type { ApiContext, ApiDeps } from '../context.js';
import { readJson } from '../read-body.js';

export const learningSchema = z.strictObject({ mode: z.enum(['on', 'frozen', 'vouched']) });

const SMALL_BODY_BYTES = 64 * 1024;

/** `POST /v1/learning`: how the tenant's baselines learn from here on. */
export function postLearning({ ports, budget }: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    const { mode } = await readJson(c.env.incoming, { maxBytes: SMALL_BODY_BYTES, budget }, learningSchema);
    const { tenant } = c.var.principal;
    await ports.journal.activate({ time: ports.clock.now(), tenant, what: 'learning', value: mode });
    return c.json({ recorded: true }, 202);
  };
}

/** `POST /v1/calibrate`: computes the tenant's thresholds anew from its clean history. */
export function postCalibrate({ ports }: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    const { tenant } = c.var.principal;
    await ports.journal.activate({ time: ports.clock.now(), tenant, what: 'calibrate', value: '' });
    return c.json({ recorded: true }, 202);
  };
}
