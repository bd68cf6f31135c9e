import { afterEach, describe, expect, it } from 'vitest';
import { prompt, startApi, type ApiStack } from '../../support/api-stack.js';
import { eventually } from '../../support/eventually.js';

let stack: ApiStack;
afterEach(async () => {
  await stack.close();
});

describe('while the service stops', () => {
  it('what is under way is answered, what comes is sent away with a time, and health is told to the end', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isHeld = false;
    stack = await startApi({
      log: (log) => ({
        append: async (records) => {
          isHeld = true;
          await held;
          return log.append(records);
        },
      }),
    });
    const underWay = stack.post('/v1/observations', prompt());
    await eventually('it is under way', () => isHeld);
    let isDone = false;
    const finished = stack.api.finishWork(10_000).then(() => (isDone = true));

    const refused = await stack.post('/v1/observations', prompt());
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('connection')).toBe('close');
    expect(await refused.json()).toMatchObject({ error: { code: 'stopping' } });
    // A gateway must not come back to a service that is going.
    expect((await stack.get('/v1/commands/stream', 'gateway')).status).toBe(503);
    expect((await stack.get('/healthz')).status).toBe(200);
    expect((await stack.get('/metrics', 'viewer')).status).toBe(200);
    expect(stack.api.counters.turnedAway).toBe(2);

    expect(isDone).toBe(false);
    release();
    expect(await (await underWay).json()).toEqual({ accepted: 1, refused: [] });
    await finished;
    expect(stack.logged().filter(({ type }) => type === 'observation')).toHaveLength(1);
  });

  it('a request that hangs does not hold it for ever', async () => {
    stack = await startApi({ log: () => ({ append: () => new Promise(() => {}) }) });
    const hanging = stack.post('/v1/observations', prompt()).catch(() => undefined);
    await eventually('it is under way', () => stack.intake.counters().pendingBytes > 0);
    await stack.api.finishWork(50);
    expect(stack.intake.counters().pendingBytes).toBeGreaterThan(0);
    void hanging;
  });

  it('streams end with a word on when to come back', async () => {
    stack = await startApi();
    const stream = await stack.get('/v1/commands/stream', 'gateway');
    const text = stream.text();
    await stack.api.finishWork(1_000);
    expect(await text).toMatch(/\n\nretry: 2000\n\n$/);
  });
});

describe('numbers and health', () => {
  it('say what is in the way, and are refused to other tenants where they are of all', async () => {
    stack = await startApi({
      operations: {
        isAlive: () => false,
        readiness: () => ({ ready: false, draining: false, parts: { log: 'failing', scoring: 'ok', store: 'away' } }),
      },
    });
    const ready = await stack.get('/readyz');
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { ready: false, draining: false, parts: { log: 'failing', scoring: 'ok', store: 'away' } },
    ]);
    expect((await stack.get('/healthz')).status).toBe(503);
    expect((await stack.get('/metrics', 'viewer')).status).toBe(200);
    expect((await stack.get('/metrics', 'stranger')).status).toBe(403);
    expect((await stack.get('/metrics', 'gateway')).status).toBe(403);
    expect((await stack.get('/v1/heartbeat', 'viewer')).status).toBe(503);
  });
});
