import { describe, expect, it } from 'vitest';
import type { Erasure } from '../../../src/model/erasure.js';
import type { Principal } from '../../../src/model/principal.js';
import { StoreClient } from '../../../src/store/client.js';
import { ErasureDesk, type ErasureDeskOptions } from '../../../src/store/erasure-desk.js';
import { eventually } from '../../support/eventually.js';

const ADMIN: Principal = { id: 'root', role: 'admin', tenant: 'default', streams: new Set(), agents: ['*'] };

/** A desk whose store is never reached. */
function deskWith(change: Partial<ErasureDeskOptions>) {
  const records: Erasure[] = [];
  const forgotten: string[] = [];
  const client = new StoreClient({ url: 'http://127.0.0.1:9', database: 'd', username: 'u', password: 'p' });
  const desk = new ErasureDesk({
    client: () => client,
    record: async (erasure) => void records.push(erasure),
    forget: async ({ agentId }) => void forgotten.push(agentId),
    settled: () => Promise.resolve(false),
    hashOf: () => 7,
    seed: 1,
    clock: { now: () => 1_000 },
    notice: () => {},
    ...change,
  });
  return { desk, records, forgotten };
}

describe('an erasure', () => {
  it('is recorded when it is ordered and when it fails, and touches nothing before all is stored', async () => {
    const { desk, records, forgotten } = deskWith({});
    const begun = await desk.begin(ADMIN, { agentId: 'agent-a' }, 'asked for');
    await desk.stop();
    expect(forgotten).toEqual(['agent-a']);
    expect(records).toMatchObject([
      { subject: 'agent', name: 'agent-a', orderedBy: 'root', reason: 'asked for', state: 'ordered', tables: '' },
      { subject: 'agent', name: 'agent-a', orderedBy: 'root', reason: 'asked for', state: 'failed', tables: '[]' },
    ]);
    expect(begun).toMatchObject({ state: 'failed', cause: expect.stringContaining('not all that is in the log') });
  });

  it('of a person is recorded without the name, forgets no agent, and fails where the store does not answer', async () => {
    const { desk, records, forgotten } = deskWith({ settled: () => Promise.resolve(true) });
    await desk.begin(ADMIN, { person: 'Ann@example.com' }, 'asked for');
    await desk.stop();
    expect(JSON.stringify(records).toLowerCase()).not.toContain('ann@');
    expect(records.map(({ name, state }) => [name, state])).toEqual([
      [expect.stringMatching(/^\[hash:[0-9a-f]{14}\]$/), 'ordered'],
      [records[0]?.name, 'failed'],
    ]);
    expect(forgotten).toEqual([]);
  });

  it('is done one at a time, and shown to its tenant only', async () => {
    const waiting: ((isStored: boolean) => void)[] = [];
    const { desk } = deskWith({ settled: () => new Promise((resolve) => void waiting.push(resolve)) });
    const giveUp = async () => {
      await eventually('it waits for storing', () => waiting.length > 0);
      waiting.pop()?.(false);
      await desk.stop();
    };
    const begun = await desk.begin(ADMIN, { agentId: 'agent-a' }, 'r');
    const id = typeof begun === 'string' ? '' : begun.id;
    expect(await desk.begin(ADMIN, { agentId: 'agent-b' }, 'r')).toBe('busy');
    expect(desk.status('default', id)).toMatchObject({ state: 'running' });
    expect(desk.status('other', id)).toBeUndefined();
    await giveUp();
    expect(desk.status('default', id)).toMatchObject({ state: 'failed' });
    expect(await desk.begin(ADMIN, { agentId: 'agent-b' }, 'r')).not.toBe('busy');
    await giveUp();
  });

  it('is not begun where the log does not take the order', async () => {
    const { desk, forgotten } = deskWith({ record: () => Promise.reject(new Error('full')) });
    await expect(desk.begin(ADMIN, { agentId: 'agent-a' }, 'r')).rejects.toThrow('full');
    await desk.stop();
    expect(forgotten).toEqual([]);
  });

  it('waits for the store to be open', async () => {
    const { desk, records } = deskWith({ client: () => undefined });
    expect(await desk.begin(ADMIN, { agentId: 'agent-a' }, 'r')).toBe('away');
    expect(await desk.preview('default', { agentId: 'agent-a' })).toBe('away');
    expect(records).toEqual([]);
  });
});
