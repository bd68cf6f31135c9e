import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { answerError } from '../../../src/api/errors.js';

/** What a route answers that meets this error, and whether anybody was told of something unforeseen. */
async function answerTo(error: Error): Promise<{ response: Response; unexpected: unknown[] }> {
  const unexpected: unknown[] = [];
  const app = new Hono();
  app.get('/', () => {
    throw error;
  });
  app.onError((thrown, c) => answerError(c, thrown, (what) => unexpected.push(what)));
  return { response: await app.request('/'), unexpected };
}

describe('an error of a route', () => {
  it('is 503 with Retry-After where the log is full, whichever route met it', async () => {
    const { response, unexpected } = await answerTo(Object.assign(new Error('disk'), { code: 'LOG_FULL' }));
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(unexpected).toEqual([]);
  });

  it('is 500 without detail where nobody foresaw it', async () => {
    const error = new Error('secret path /var/lib');
    const { response, unexpected } = await answerTo(error);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('/var');
    expect(unexpected).toEqual([error]);
  });
});
