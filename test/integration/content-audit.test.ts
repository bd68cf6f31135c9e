import { afterEach, expect, it } from 'vitest';
import type { ContentRead } from '../../src/model/content-read.js';
import type { Payload } from '../../src/model/observation.js';
import type { ContentReads } from '../../src/store/port.js';
import { startApi, type ApiStack } from '../support/api-stack.js';

const PAYLOAD: Payload = {
  id: 'runtime/m 1',
  tenant: 'default',
  agentId: 'agent-a',
  sessionId: 's',
  time: 5,
  content: '{"text":"what was said"}',
};
const PATH = `/v1/observations/${encodeURIComponent(PAYLOAD.id)}/content`;

let stack: ApiStack;
afterEach(() => stack.close());

/** Stands in for ClickHouse, which test/scenario/content-audit.test.ts has. */
const stored: ContentReads = {
  payload: async (tenant, id) => (tenant === PAYLOAD.tenant && id === PAYLOAD.id ? PAYLOAD : undefined),
  reads: async () => [],
};

const reads = (): ContentRead[] => stack.logged().flatMap((r) => (r.type === 'content-read' ? [r.value] : []));

it('gives content to an analyst, after the log has who read what and why', async () => {
  stack = await startApi({ content: stored });
  const answer = await stack.get(`${PATH}?reason=incident%2042`, 'analyst');
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual({ ...PAYLOAD, content: { text: 'what was said' } });
  await stack.get(`${PATH}?reason=again`, 'admin');
  expect(reads()).toMatchObject([
    { readBy: 'analyst', role: 'analyst', observationId: PAYLOAD.id, agentId: 'agent-a', reason: 'incident 42' },
    { readBy: 'admin', reason: 'again' },
  ]);
});

it('asks for a reason, and is not for viewers, emitters and other tenants', async () => {
  stack = await startApi({ content: stored });
  for (const query of ['', '?reason=', '?reason=%20', `?reason=${'x'.repeat(1_025)}`]) {
    const answer = await stack.get(PATH + query, 'analyst');
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { field: 'reason' } });
  }
  for (const key of ['viewer', 'gateway', 'runtime'])
    expect((await stack.get(`${PATH}?reason=x`, key)).status).toBe(403);
  expect((await stack.get(`${PATH}?reason=x`, 'stranger')).status).toBe(404);
  expect((await stack.get('/v1/observations/nothing/content?reason=x', 'analyst')).status).toBe(404);
  expect(reads()).toEqual([]);
});

it('gives nothing when it cannot be written down who reads', async () => {
  stack = await startApi({
    content: stored,
    log: () => ({ append: () => Promise.reject(Object.assign(new Error('full'), { code: 'LOG_FULL' })) }),
  });
  const answer = await stack.get(`${PATH}?reason=x`, 'analyst');
  expect(answer.status).toBe(503);
  expect(await answer.text()).not.toContain('what was said');
});

it('says so while the store does not answer', async () => {
  stack = await startApi();
  expect((await stack.get(`${PATH}?reason=x`, 'analyst')).status).toBe(503);
  expect((await stack.get('/v1/audit', 'admin')).status).toBe(503);
});
