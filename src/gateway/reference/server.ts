import { timingSafeEqual, createHash } from 'node:crypto';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import { callRequestSchema, describeCallFault } from './call.js';
import type { ReferenceGateway } from './gateway.js';

export interface GatewayServerOptions {
  gateway: ReferenceGateway;
  /** Key of the agent runtime that makes calls. */
  callerKey: string;
  /** Key of the people who decide about held calls; never the caller's. Undefined: nobody can. */
  approverKey: string | undefined;
  counters: () => Record<string, number>;
}

const MAX_CALL_BYTES = 512 * 1024;
const decisionSchema = z.strictObject({ approve: z.boolean(), by: z.string().min(1).max(128) });

/** The gateway's HTTP face: `POST /call` for agents, `/holds` for people. */
export function gatewayServer({ gateway, callerKey, approverKey, counters }: GatewayServerOptions): Hono {
  const app = new Hono();
  app.get('/healthz', (c) => c.json({ ok: true }));
  app.get('/counters', (c) => (authorised(c.req.header('authorization'), callerKey) ? c.json(counters()) : deny()));
  app.post('/call', bodyLimit({ maxSize: MAX_CALL_BYTES }), async (c) => {
    if (!authorised(c.req.header('authorization'), callerKey)) return deny();
    const parsed = callRequestSchema.safeParse(await readJson(c.req.raw));
    if (!parsed.success) return c.json({ error: describeCallFault(parsed.error) }, 400);
    return c.json(await gateway.call(parsed.data));
  });
  app.get('/holds', (c) =>
    authorised(c.req.header('authorization'), approverKey) ? c.json({ holds: gateway.holds.list() }) : deny(),
  );
  app.post('/holds/:id', bodyLimit({ maxSize: MAX_CALL_BYTES }), async (c) => {
    if (!authorised(c.req.header('authorization'), approverKey)) return deny();
    const parsed = decisionSchema.safeParse(await readJson(c.req.raw));
    if (!parsed.success) return c.json({ error: 'send {"approve": true or false, "by": "your name"}' }, 400);
    const known = gateway.holds.decide(c.req.param('id'), parsed.data.approve, parsed.data.by);
    return known ? c.json({ ok: true }) : c.json({ error: 'no such call is waiting' }, 404);
  });
  return app;
}

async function readJson(request: Request): Promise<unknown> {
  try {
    return await request.json();
  } catch {
    return undefined;
  }
}

function deny(): Response {
  return Response.json({ error: 'missing or wrong key: send Authorization: Bearer <key>' }, { status: 401 });
}

/** Compares digests, so that the time taken tells nothing about the key. */
function authorised(header: string | undefined, key: string | undefined): boolean {
  if (key === undefined || header === undefined) return false;
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(header), digest(`Bearer ${key}`));
}
