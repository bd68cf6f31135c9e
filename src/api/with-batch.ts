import type { ApiContext, ApiDeps } from './context.js';
import { withBody } from './read-body.js';

/**
 * Reads the body of a request that brings records, after it is clear that it is its sender's and the next one of it.
 *
 * @throws as `withBody`; ApiError 401 and 409 as `SignedBatches.admit`
 */
export function withBatch<T>(
  c: ApiContext,
  { ports, budget }: ApiDeps,
  maxBytes: number,
  use: (body: Buffer) => Promise<T>,
): Promise<T> {
  return withBody(c.env.incoming, { maxBytes, budget }, async (body) => {
    const { method, path } = c.req;
    const header = (name: string) => c.req.header(name);
    const settle = ports.batches.admit(c.var.principal, { method, path, body, header });
    let isTaken = false;
    try {
      const answer = await use(body);
      isTaken = true;
      return answer;
    } finally {
      settle(isTaken);
    }
  });
}
