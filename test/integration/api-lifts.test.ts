import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FleetLift } from '../../src/model/fleet-lift.js';
import { startApi, type ApiStack } from '../support/api-stack.js';
import { sampleFleetLift, sampleIncident } from '../support/samples.js';

const OPEN = Number.MAX_SAFE_INTEGER;
let stack: ApiStack;

beforeAll(async () => {
  stack = await startApi();
  const lifts: FleetLift[] = [
    sampleFleetLift({ id: 'lift_open', expiresAt: OPEN }),
    sampleFleetLift({ id: 'lift_late' }),
    sampleFleetLift({ id: 'lift_over', state: 'confirmed', expiresAt: OPEN }),
  ];
  stack.lifts.apply(lifts.map((value, n) => ({ sequence: n + 1, effect: { type: 'fleet-lift', value } })));
  stack.incidents.push(sampleIncident());
});
afterAll(async () => {
  await stack.close();
});

const answerOf = async (response: Response) => {
  const body = (await response.json()) as { error?: { code: string; message: string } };
  return [response.status, body.error?.code, body.error?.message];
};
const propose = (body: object, key: string) => stack.post('/v1/lifts', body, { key });
const confirm = (id: string, key: string) => stack.post(`/v1/lifts/${id}/confirm`, { reason: 'checked' }, { key });

describe('lifting for many agents', () => {
  it('is proposed by one key and confirmed by another', async () => {
    const response = await propose({ reason: 'all clear', agentClass: 'support' }, 'responder');
    expect(response.status).toBe(202);
    const { liftId } = (await response.json()) as { liftId: string };
    expect((await confirm('lift_open', 'admin')).status).toBe(202);
    expect(stack.journal.orders).toMatchObject([
      { order: 'propose-lift', liftId, agentClass: 'support', by: 'responder', reason: 'all clear', tenant: 'default' },
      { order: 'confirm-lift', liftId: 'lift_open', by: 'admin', reason: 'checked' },
    ]);
  });

  it('is refused to the key that proposed it, and to whoever may not contain', async () => {
    const before = stack.journal.orders.length;
    expect(await answerOf(await confirm('lift_open', 'responder'))).toEqual([
      403,
      'involved',
      'this key proposed it; lifting for many agents needs two different persons',
    ]);
    for (const key of ['viewer', 'analyst', 'gateway', 'runtime']) {
      expect((await confirm('lift_open', key)).status).toBe(403);
      expect((await propose({ reason: 'r' }, key)).status).toBe(403);
    }
    expect((await confirm('lift_open', 'stranger')).status).toBe(404);
    expect(stack.journal.orders).toHaveLength(before);
  });

  it('may be taken back by whoever proposed it', async () => {
    const response = await stack.post('/v1/lifts/lift_open/reject', { reason: 'slip' }, { key: 'responder' });
    expect(response.status).toBe(202);
    expect(stack.journal.orders.at(-1)).toMatchObject({ order: 'reject-lift', liftId: 'lift_open', by: 'responder' });
  });

  it('says what is wrong with what is asked', async () => {
    const conflicts = [await confirm('lift_late', 'admin'), await confirm('lift_over', 'admin')];
    for (const response of conflicts) expect((await answerOf(response)).slice(0, 2)).toEqual([409, 'conflict']);
    const unknown = [
      await confirm('lift_none', 'admin'),
      await propose({ reason: 'r', agentClass: 'nobody' }, 'admin'),
    ];
    for (const response of unknown) expect(response.status).toBe(404);
    expect((await propose({}, 'admin')).status).toBe(400);
  });

  it('is listed for the own tenant', async () => {
    const ids = async (key: string) =>
      ((await (await stack.get('/v1/lifts', key)).json()) as { lifts: FleetLift[] }).lifts.map(({ id }) => id);
    expect(await ids('responder')).toEqual(['lift_over', 'lift_late', 'lift_open']);
    expect(await ids('stranger')).toEqual([]);
  });
});

it('explains what policy would do about an incident to whoever may see it', async () => {
  const response = await stack.get('/v1/incidents/inc_1/response', 'viewer');
  expect(await response.json()).toMatchObject({
    case: { agentId: 'agent-a', severity: 'high' },
    ladder: [{ rung: 'alert', outcome: 'tell' }],
  });
  expect((await stack.get('/v1/incidents/inc_1/response', 'stranger')).status).toBe(404);
  expect((await stack.get('/v1/incidents/inc_none/response', 'viewer')).status).toBe(404);
});
