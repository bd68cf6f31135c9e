import type { ApiContext, ApiPorts } from '../context.js';
import { ApiError } from '../errors.js';

/** What these stand on. */
interface Deps {
  ports: Pick<ApiPorts, 'operations'>;
}

/** `GET /healthz`: 503 where only a new start can help. Says nothing else, because anybody may ask. */
export function getHealth({ ports }: Deps) {
  return (c: ApiContext): Response => {
    const ok = ports.operations.isAlive();
    return c.json({ ok }, ok ? 200 : 503);
  };
}

/** `GET /readyz`: 503 where requests are better sent elsewhere; which part is in the way. */
export function getReady({ ports }: Deps) {
  return (c: ApiContext): Response => {
    const readiness = ports.operations.readiness();
    return c.json(readiness, readiness.ready ? 200 : 503);
  };
}

/** `GET /metrics`: numbers of the whole install, for whoever may see those. */
export function getMetrics({ ports }: Deps) {
  return async (c: ApiContext): Promise<Response> => {
    if (!ports.operations.mayMeasure(c.var.principal)) {
      throw new ApiError(403, 'forbidden', 'these are numbers of all tenants', {
        fix: 'use a key of the tenant "default", or set http.metrics',
      });
    }
    return sendMetrics(c, ports.operations);
  };
}

/** The same without a key, for an address of its own. */
export async function sendMetrics(
  c: ApiContext,
  operations: Pick<ApiPorts['operations'], 'metrics'>,
): Promise<Response> {
  const { contentType, text } = await operations.metrics();
  return c.body(text, 200, { 'Content-Type': contentType });
}

/** `GET /v1/heartbeat`: 503 where scoring has not gone all the way lately. */
export function getHeartbeat({ ports }: Deps) {
  return async (c: ApiContext): Promise<Response> => {
    const heartbeat = await ports.operations.heartbeat();
    if (heartbeat !== undefined) return c.json(heartbeat);
    throw new ApiError(503, 'silent', 'scoring has not gone all the way lately', {
      fix: 'see GET /readyz and the log of the service',
      retryAfterSeconds: 5,
    });
  };
}
