import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTES } from '../../src/api/roles.js';
import type { Command } from '../../src/model/command.js';
import { prompt, startApi, type ApiStack } from '../support/api-stack.js';
import { sampleIncident } from '../support/samples.js';

let stack: ApiStack;
beforeAll(async () => {
  stack = await startApi();
  stack.board.commands = [
    command(),
    command({ id: 'cmd_dry', dryRun: true, state: 'proposed' }),
    command({ id: 'cmd_b', agentId: 'agent-b' }),
    command({ id: 'cmd_over', state: 'expired' }),
    command({ id: 'cmd_wait', state: 'proposed', expiresAt: Number.MAX_SAFE_INTEGER, incidentId: 'inc_1' }),
    command({ id: 'cmd_own', state: 'proposed', expiresAt: Number.MAX_SAFE_INTEGER, issuedBy: 'responder' }),
    command({ id: 'cmd_late', state: 'proposed' }),
  ];
  stack.incidents.push(sampleIncident(), sampleIncident({ id: 'inc_2', status: 'closed', agentId: 'agent-b' }));
});
afterAll(async () => {
  await stack.close();
});

function command(change: Partial<Command> = {}): Command {
  return {
    id: 'cmd_1',
    tenant: 'default',
    action: 'revoke-session',
    agentId: 'agent-a',
    sessionId: 's1',
    reason: 'test',
    issuedAt: 1,
    expiresAt: 2,
    dryRun: false,
    state: 'sent',
    acknowledgements: [],
    issuedBy: 'policy',
    ...change,
  };
}

const json = async (response: Response): Promise<Record<string, unknown>> =>
  (await response.json()) as Record<string, unknown>;
const codeOf = async (response: Response) => [
  response.status,
  ((await json(response))['error'] as { code: string }).code,
];
const ask = { time: 1, agentId: 'agent-a', sessionId: 's1', callId: 'c1', tool: 'send_money', args: { to: 'Bob' } };

const restricted = Object.entries(ROUTES).flatMap(([route, access]): [string, readonly string[]][] =>
  access === 'public' ? [] : [[route, access]],
);

describe('roles', () => {
  it('every route that is served has a role, and every role is served', () => {
    const served = stack.api.app.routes
      .filter(({ method, path }) => method !== 'ALL' && path !== '/*')
      .map(({ method, path }) => `${method} ${path}`);
    expect([...new Set(served)].sort()).toEqual(Object.keys(ROUTES).sort());
  });

  it.each(Object.entries(ROUTES).filter(([route, access]) => access === 'public' && route.startsWith('GET ')))(
    '%s needs no key',
    async (route) => {
      expect((await stack.get(route.split(' ')[1] ?? '', '')).status).toBe(200);
    },
  );

  it.each(restricted)('%s', async (route, access) => {
    const [method = '', pattern = ''] = route.split(' ');
    const path = pattern.replace(/:[a-z]+/, 'nothing');
    const call = (key: string) => (method === 'GET' ? stack.get(path, key) : stack.post(path, {}, { key }));
    const anonymous = await stack
      .get(path, '')
      .then((r) => (method === 'GET' ? r : fetch(stack.url + path, { method })));
    expect(anonymous.status).toBe(401);
    expect(anonymous.headers.get('www-authenticate')).toBe('Bearer');
    expect(JSON.stringify(await json(anonymous))).toContain(access.join(' or '));
    for (const role of ['runtime', 'gateway', 'viewer', 'analyst', 'responder', 'admin']) {
      const isAllowed = access.includes(role === 'runtime' ? 'ingest' : role);
      if (isAllowed && path.endsWith('/stream')) continue;
      const response = await call(role);
      await response.body?.cancel();
      expect(response.status === 403, `${role} on ${route}: ${response.status}`).toBe(!isAllowed);
    }
  });

  it('explains what is wrong about a request, as JSON, with headers that fit', async () => {
    const lost = await stack.get('/v1/nothing');
    expect(lost.headers.get('x-content-type-options')).toBe('nosniff');
    expect(lost.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await codeOf(lost)).toEqual([404, 'not-found']);
    expect(await codeOf(await stack.get('/v1/check'))).toEqual([405, 'method']);
    expect(await codeOf(await stack.post('/v1/observations', 'x', { type: 'text/plain' }))).toEqual([
      415,
      'content-type',
    ]);
    expect(await codeOf(await stack.get('/v1/incidents?limit=0'))).toEqual([400, 'invalid']);
    expect(await codeOf(await stack.get('/v1/incidents?status=lost'))).toEqual([400, 'invalid']);
  });
});

describe('check', () => {
  it('is answered, and its attempt is in the log', async () => {
    const response = await stack.post('/v1/check', ask, { key: 'gateway' });
    expect([response.status, (await json(response))['decision']]).toEqual([200, 'allow']);
    const attempts = stack.logged().filter((r) => r.type === 'observation' && r.value.kind === 'tool_attempt');
    expect(attempts[0]?.value).toMatchObject({
      tool: 'send_money',
      effect: 'write',
      decision: 'none',
      principalId: 'gateway',
      targets: [{ field: 'to', kind: 'party', value: 'Bob', origin: 'unknown' }],
    });
    expect(attempts[0]?.value).not.toHaveProperty('deadlineMs');
  });

  it('is refused for other agents, other streams and bad questions', async () => {
    const post = (body: object, key: string) => stack.post('/v1/check', body, { key });
    expect(await codeOf(await post({ ...ask, agentId: 'agent-b' }, 'gateway-a'))).toEqual([403, 'forbidden']);
    // Speaking for others is told with the next records.
    await stack.post('/v1/observations', prompt());
    const troubles = stack.logged().flatMap((r) => (r.type === 'source-trouble' ? [r.value] : []));
    expect(troubles).toMatchObject([{ principalId: 'gateway-a', kind: 'forged-agent', count: 1 }]);
    expect(await codeOf(await post(ask, 'gateway-mute'))).toEqual([403, 'forbidden']);
    const { callId: _, ...incomplete } = ask;
    const response = await post(incomplete, 'gateway');
    expect(response.status).toBe(400);
    expect((await json(response))['error']).toMatchObject({ field: 'callId', message: 'is missing; give text' });
    expect(await codeOf(await stack.post('/v1/check', '{', { key: 'gateway' }))).toEqual([400, 'malformed']);
    const deep = `{"args":${'['.repeat(100)}${']'.repeat(100)}}`;
    expect(await codeOf(await stack.post('/v1/check', deep, { key: 'gateway' }))).toEqual([400, 'too-deep']);
  });
});

describe('commands', () => {
  it('are shown to gateways when sent, for their agents; to people also when proposed', async () => {
    const ids = async (key: string) =>
      ((await json(await stack.get('/v1/commands', key)))['commands'] as Command[]).map((c) => c.id);
    expect(await ids('viewer')).toEqual(stack.board.commands.map(({ id }) => id));
    expect(await ids('gateway')).toEqual(['cmd_1', 'cmd_b', 'cmd_over']);
    expect(await ids('gateway-a')).toEqual(['cmd_1', 'cmd_over']);
    expect(await ids('stranger')).toEqual([]);
    expect((await stack.get('/v1/commands/cmd_1', 'gateway-a')).status).toBe(200);
    expect((await stack.get('/v1/commands/cmd_b', 'gateway-a')).status).toBe(404);
    expect((await stack.get('/v1/commands/cmd_1', 'stranger')).status).toBe(404);
  });

  it('are acknowledged by gateways under their own name', async () => {
    const post = (id: string, body: object, key: string) => stack.post(`/v1/commands/${id}/ack`, body, { key });
    expect((await post('cmd_1', { effective: 'enforced' }, 'gateway-a')).status).toBe(202);
    expect((await post('cmd_b', { effective: 'enforced' }, 'gateway-a')).status).toBe(404);
    expect((await post('cmd_1', { effective: 'maybe' }, 'gateway')).status).toBe(400);
    expect(stack.journal.acks).toMatchObject([
      { commandId: 'cmd_1', gatewayId: 'gateway-a', effective: 'enforced', tenant: 'default' },
    ]);
  });

  it('are lifted, and agents contained, by responders under their own name', async () => {
    const lift = await stack.post('/v1/commands/cmd_1/lift', { reason: 'all clear' }, { key: 'responder' });
    expect(lift.status).toBe(202);
    const body = { action: 'freeze-tool', agentId: 'agent-a', tool: 'send_money', reason: 'looks odd' };
    expect((await stack.post('/v1/contain', body, { key: 'admin' })).status).toBe(202);
    expect((await stack.post('/v1/contain', { ...body, action: 'revoke-session' }, { key: 'admin' })).status).toBe(400);
    expect(stack.journal.orders).toMatchObject([
      { order: 'lift', commandId: 'cmd_1', by: 'responder', reason: 'all clear' },
      { order: 'contain', action: 'freeze-tool', tool: 'send_money', by: 'admin' },
    ]);
  });

  it('are ordered against whole agents, for a time, and only against agents that are known', async () => {
    const order = (body: object) =>
      stack.post('/v1/contain', { agentId: 'agent-a', reason: 'odd', ...body }, { key: 'responder' });
    const suspended = await order({ action: 'suspend-agent', durationMs: 60_000, tenant: 'default' });
    const { commandId } = await json(suspended);
    expect([suspended.status, commandId]).toEqual([202, expect.stringMatching(/^cmd_/)]);
    expect(stack.journal.orders.at(-1)).toMatchObject({ action: 'suspend-agent', durationMs: 60_000, commandId });
    expect(stack.journal.orders.at(-1)).not.toHaveProperty('unseen');
    expect((await order({ action: 'downgrade-posture', posture: 'read-only' })).status).toBe(202);
    expect((await order({ action: 'downgrade-posture' })).status).toBe(400);
    expect((await order({ action: 'downgrade-posture', posture: 'none' })).status).toBe(400);
    expect((await order({ action: 'suspend-agent', durationMs: 10 })).status).toBe(400);
    expect(await codeOf(await order({ action: 'suspend-agent', tenant: 'elsewhere' }))).toEqual([403, 'forbidden']);
    expect(await codeOf(await order({ action: 'suspend-agent', agentId: 'nobody' }))).toEqual([404, 'unknown-agent']);
    expect((await order({ action: 'suspend-agent', agentId: 'nobody', unseen: true })).status).toBe(202);
  });

  it('are approved and rejected by somebody who has no part in them, while they wait', async () => {
    const decide = (id: string, decision: string, key = 'responder') =>
      stack.post(`/v1/commands/${id}/${decision}`, { reason: 'seen' }, { key });
    const before = stack.journal.orders.length;
    expect((await decide('cmd_wait', 'approve')).status).toBe(202);
    expect((await decide('cmd_wait', 'reject', 'admin')).status).toBe(202);
    expect(stack.journal.orders.slice(before)).toMatchObject([
      { order: 'approve', commandId: 'cmd_wait', by: 'responder', reason: 'seen' },
      { order: 'reject', commandId: 'cmd_wait', by: 'admin', reason: 'seen' },
    ]);
    expect(await codeOf(await decide('cmd_own', 'approve'))).toEqual([403, 'involved']);
    expect((await decide('cmd_own', 'approve', 'admin')).status).toBe(202);
    expect((await decide('cmd_wait', 'approve', 'stranger')).status).toBe(404);
    for (const id of ['cmd_1', 'cmd_over', 'cmd_dry', 'cmd_late']) {
      expect(await codeOf(await decide(id, 'approve'))).toEqual([409, 'conflict']);
    }
    expect((await stack.post('/v1/commands/cmd_wait/approve', {}, { key: 'admin' })).status).toBe(400);
  });

  it('are lifted once, and with their incident where it was a false positive', async () => {
    const lift = (id: string, body: object) =>
      stack.post(`/v1/commands/${id}/lift`, { reason: 'ok', ...body }, { key: 'admin' });
    expect(await codeOf(await lift('cmd_over', {}))).toEqual([409, 'conflict']);
    expect(await codeOf(await lift('cmd_1', { falsePositive: true }))).toEqual([409, 'conflict']);
    expect((await lift('cmd_wait', { falsePositive: true })).status).toBe(202);
    expect(stack.journal.verdicts.pop()).toMatchObject({ incidentId: 'inc_1', verdict: 'false-positive', note: 'ok' });
  });
});

describe('incidents', () => {
  it('are listed, read and judged within the tenant', async () => {
    const ids = async (query: string, key = 'viewer') =>
      ((await json(await stack.get(`/v1/incidents${query}`, key)))['incidents'] as { id: string }[]).map((i) => i.id);
    expect(await ids('')).toEqual(['inc_1', 'inc_2']);
    expect(await ids('?status=closed')).toEqual(['inc_2']);
    expect(await ids('?agentId=agent-a&limit=1')).toEqual(['inc_1']);
    expect(await ids('', 'stranger')).toEqual([]);
    expect(await json(await stack.get('/v1/incidents/inc_1'))).toMatchObject({ id: 'inc_1', riskNats: 8 });
    expect((await stack.get('/v1/incidents/inc_1', 'stranger')).status).toBe(404);
    const verdict = await stack.post('/v1/incidents/inc_1/verdict', { verdict: 'false-positive' }, { key: 'analyst' });
    expect(verdict.status).toBe(202);
    expect(stack.journal.verdicts).toMatchObject([{ incidentId: 'inc_1', verdict: 'false-positive', by: 'analyst' }]);
    const again = await stack.post('/v1/incidents/inc_2/verdict', { verdict: 'false-positive' }, { key: 'analyst' });
    expect(await codeOf(again)).toEqual([409, 'conflict']);
    expect(stack.journal.verdicts).toHaveLength(1);
  });
});

describe('learning', () => {
  it('is switched and calibrated by an admin, for the own tenant', async () => {
    expect((await stack.post('/v1/learning', { mode: 'frozen' }, { key: 'stranger' })).status).toBe(202);
    expect((await stack.post('/v1/learning', { mode: 'sometimes' }, { key: 'admin' })).status).toBe(400);
    expect((await stack.post('/v1/calibrate', {}, { key: 'admin' })).status).toBe(202);
    expect(stack.journal.activations.slice(-2)).toMatchObject([
      { tenant: 'elsewhere', what: 'learning', value: 'frozen' },
      { tenant: 'default', what: 'calibrate' },
    ]);
  });
});

describe('documents', () => {
  it('describe the wire format and every route', async () => {
    const schema = JSON.stringify(await json(await stack.get('/v1/schema/observation', '')));
    for (const kind of ['prompt', 'tool_call', 'session_summary', 'grant']) expect(schema).toContain(`"${kind}"`);
    const document = await json(await stack.get('/v1/openapi.json', ''));
    const paths = Object.keys(document['paths'] as object);
    expect(paths.sort()).toEqual(
      [...new Set(Object.keys(ROUTES).map((r) => (r.split(' ')[1] ?? '').replaceAll(/:([a-z]+)/g, '{$1}')))].sort(),
    );
  });

  it('status shows the counters', async () => {
    await stack.post('/v1/observations', prompt());
    expect(await json(await stack.get('/v1/status'))).toMatchObject({ mode: 'observe', api: { failed: 0 } });
    expect(await json(await stack.get('/v1/status', 'stranger'))).toEqual({ mode: 'observe' });
  });
});
