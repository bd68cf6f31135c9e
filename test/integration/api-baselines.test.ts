import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { baselines } from '../../src/cli/baselines.js';
import type { BaselineVersion } from '../../src/model/baseline.js';
import { secretOf, startApi, type ApiStack } from '../support/api-stack.js';

let stack: ApiStack;
beforeAll(async () => {
  stack = await startApi();
  stack.baselines.push(
    row('tools', 2, { read_bill: 50, send_money: 50 }),
    row('call-rate', 2, { callsPerMinute: { median: 5, laplaceScale: 1 } }),
    row('tools', 3, { read_bill: 25, send_money: 50, 'delete\u001b[31m_all': 25 }),
    row('call-rate', 3, { callsPerMinute: { median: 7, laplaceScale: 1 } }),
    row('rollback', 3, { toVersion: 1, by: 'ann', reason: 'taught by an intruder' }),
  );
});
afterAll(async () => {
  await stack.close();
});

function row(feature: string, version: number, state: object): BaselineVersion {
  const about = { tenant: 'default', agentId: 'agent-a', time: 1_000, sampleCount: 100, sessionCount: 50 };
  return { ...about, feature, version, status: 'learning', state: JSON.stringify(state) };
}

const json = async (response: Response) => (await response.json()) as Record<string, unknown>;
const codeOf = async (response: Response) => {
  const { error } = await json(response);
  return [response.status, (error as { code: string }).code];
};

describe('baselines over HTTP', () => {
  it('are shown by version, with what can be gone back to', async () => {
    expect(await json(await stack.get('/v1/baselines/agent-a'))).toMatchObject({
      agentId: 'agent-a',
      version: 3,
      rollback: { toVersion: 1, by: 'ann' },
      features: [{ feature: 'tools', state: { send_money: 50 } }, { feature: 'call-rate' }, { feature: 'rollback' }],
      kept: [{ version: 1, sessionCount: 25 }],
    });
    expect(await json(await stack.get('/v1/baselines/agent-a?version=2'))).toMatchObject({ version: 2 });
  });

  it('are compared: what came, what went and what shifted', async () => {
    expect(await json(await stack.get('/v1/baselines/agent-a/diff?from=2&to=3'))).toMatchObject({
      from: { version: 2 },
      to: { version: 3 },
      features: [
        {
          feature: 'tools',
          unit: 'share',
          added: [{ name: 'delete\u001b[31m_all', to: 0.25 }],
          removedCount: 0,
          shifted: [{ name: 'read_bill', from: 0.5, to: 0.25 }],
        },
        { feature: 'call-rate', unit: 'value', shifted: [{ name: 'callsPerMinute / median', from: 5, to: 7 }] },
      ],
    });
    expect(await json(await stack.get('/v1/baselines/agent-a/diff?from=3&to=2'))).toMatchObject({
      features: [{ removed: [{ name: 'delete\u001b[31m_all', from: 0.25 }] }, {}],
    });
    expect(await json(await stack.get('/v1/baselines/agent-a/diff?from=3&to=3'))).toMatchObject({ features: [] });
  });

  it('are taken back by responders, with a reason, under their own name', async () => {
    const post = (body: object, key = 'responder', agentId = 'agent-a') =>
      stack.post(`/v1/baselines/${agentId}/rollback`, body, { key });
    expect((await post({ version: 1, reason: 'poisoned' })).status).toBe(202);
    expect(stack.journal.activations).toEqual([
      expect.objectContaining({
        tenant: 'default',
        what: 'rollback',
        value: '1',
        agentId: 'agent-a',
        by: 'responder',
        reason: 'poisoned',
      }),
    ]);
    expect((await post({ version: 1 })).status).toBe(400);
    expect((await post({ version: 1, reason: '' })).status).toBe(400);
    expect(await codeOf(await post({ version: 2, reason: 'x' }))).toEqual([409, 'conflict']);
    expect(await codeOf(await post({ version: 1, reason: 'x' }, 'analyst'))).toEqual([403, 'forbidden']);
    expect(await codeOf(await post({ version: 1, reason: 'x' }, 'stranger'))).toEqual([404, 'unknown-baseline']);
    expect(await codeOf(await post({ version: 1, reason: 'x' }, 'admin', 'agent-b'))).toEqual([
      404,
      'unknown-baseline',
    ]);
    expect(stack.journal.activations).toHaveLength(1);
  });

  it('are restored from ClickHouse by responders, or it says why not', async () => {
    const post = (body: object, key = 'responder', agentId = 'agent-a') =>
      stack.post(`/v1/baselines/${agentId}/restore`, body, { key });
    expect((await post({ version: 1, stateId: 'ab', reason: 'the disk broke' })).status).toBe(202);
    expect(stack.restores).toEqual([
      { tenant: 'default', agentId: 'agent-a', version: 1, stateId: 'ab', by: 'responder', reason: 'the disk broke' },
    ]);
    const refused = await post({ version: 2, reason: 'x' });
    expect([refused.status, await json(refused)]).toEqual([
      409,
      { error: { code: 'conflict', message: 'learned under another install secret', fix: 'put it back' } },
    ]);
    expect((await post({ version: 1 })).status).toBe(400);
    expect((await post({ version: 1, stateId: "a' OR 1", reason: 'x' })).status).toBe(400);
    expect(await codeOf(await post({ version: 1, reason: 'x' }, 'analyst'))).toEqual([403, 'forbidden']);
    expect(stack.restores).toHaveLength(2);
  });

  it('are made anew by responders; how far it is can be asked', async () => {
    const post = (body: object, key = 'responder') => stack.post('/v1/baselines/agent-a/rebuild', body, { key });
    const status = () => stack.get('/v1/baselines/agent-a/rebuild', 'viewer');
    expect(await codeOf(await status())).toEqual([404, 'unknown-baseline']);
    expect((await post({ since: 1, until: 5, reason: 'poisoned' })).status).toBe(202);
    expect(stack.rebuilds).toEqual([
      { tenant: 'default', agentId: 'agent-a', since: 1, until: 5, by: 'responder', reason: 'poisoned' },
    ]);
    const running = { state: 'running' as const, by: 'responder', startedAt: 1, expected: 9, observations: 3 };
    stack.rebuildStatuses.push({ ...running, sessions: 1, leftOut: 0 });
    expect(await json(await status())).toEqual({ ...running, sessions: 1, leftOut: 0 });
    expect((await post({ since: 5, until: 5, reason: 'x' })).status).toBe(400);
    expect((await post({ since: -1, reason: 'x' })).status).toBe(400);
    expect((await post({})).status).toBe(400);
    expect(await codeOf(await post({ reason: 'x' }, 'viewer'))).toEqual([403, 'forbidden']);
    expect(stack.rebuilds).toHaveLength(1);
  });

  it('are refused where there is none, or nobody to ask', async () => {
    const get = (path: string, key?: string) => stack.get(`/v1/baselines/${path}`, key).then(codeOf);
    expect(await get('agent-b')).toEqual([404, 'unknown-baseline']);
    expect(await get('agent-a', 'stranger')).toEqual([404, 'unknown-baseline']);
    expect(await get('agent-a?version=9')).toEqual([404, 'unknown-baseline']);
    expect(await get('agent-a?version=-1')).toEqual([400, 'invalid']);
    expect(await get('agent-a/diff?from=1')).toEqual([400, 'invalid']);
    expect(await get('agent-away')).toEqual([503, 'store-away']);
  });
});

describe('parallax baselines', () => {
  async function run(positionals: string[], values: Record<string, string> = {}, key = 'responder') {
    let [out, err] = ['', ''];
    const code = await baselines.run({
      positionals,
      values: { url: stack.url, ...values },
      env: { PARALLAX_KEY: secretOf(key) },
      console: { out: (text) => (out += text), err: (text) => (err += text), isTerminal: false },
    });
    return { code, out, err };
  }

  it('shows a version as a table, without what a terminal would act on', async () => {
    const { code, out } = await run(['show', 'agent-a']);
    expect(code).toBe(0);
    expect(out).toContain('agent-a version 3, 1970-01-01 00:00:01 UTC, 50 sessions, learning');
    expect(out).toContain('taken back to version 1 by ann: taught by an intruder');
    expect(out).toMatch(/tools +100 {2}read_bill 25, send_money 50, delete \[31m_all 25/);
    expect(out).toContain('kept to go back to: 1 (25 sessions, ');
    expect(out).not.toContain('\u001b');
    expect((await run(['show', 'agent-a'], { version: '2' })).out).toContain('version 2');
  });

  it('shows what changed', async () => {
    const { out } = await run(['diff', 'agent-a', '2', '3']);
    expect(out).toContain('+ delete [31m_all 25.0 %');
    expect(out).toContain('~ read_bill 50.0 % > 25.0 %');
    expect(out).toContain('~ callsPerMinute / median 5 > 7');
    expect((await run(['diff', 'agent-a', '3', '3'])).out).toContain('nothing is different');
  });

  it('takes an agent back, and says what is wrong with an order', async () => {
    const { code, out } = await run(['rollback', 'agent-a', '1'], { reason: 'poisoned' });
    expect([code, out]).toEqual([0, expect.stringContaining('agent-a goes back to version 1')]);
    expect(stack.journal.activations.at(-1)).toMatchObject({ what: 'rollback', by: 'responder', reason: 'poisoned' });
    await expect(run(['rollback', 'agent-a', '1'])).rejects.toThrow('say --reason TEXT');
    await expect(run(['rollback', 'agent-a', '7'], { reason: 'x' })).rejects.toThrow('go back to one of 1');
    await expect(run(['rollback', 'agent-a', '1'], { reason: 'x' }, 'viewer')).rejects.toThrow('responder or admin');
    await expect(run(['rollback', 'agent-a'], { reason: 'x' })).rejects.toThrow('say what to do');
    await expect(run(['show', 'agent-a'], { version: 'two' })).rejects.toThrow('is no version');
    await expect(run(['show', 'agent-b'])).rejects.toThrow('no version of a baseline of this agent is stored');
  });

  it('shows what ClickHouse has besides, and restores it', async () => {
    const about = { time: 7, sessionCount: 25, bytes: 9, archivedAt: 8, seedPrint: 'p' };
    const archive = (version: number, stateId: string) => stack.archived.push({ ...about, version, stateId });
    archive(1, 'aaaa');
    expect((await run(['show', 'agent-a'])).out).not.toContain('to restore');
    archive(7, 'bbbb');
    expect((await run(['show', 'agent-a'])).out).toContain('to restore from ClickHouse: 7 (25 sessions, ');
    archive(7, 'cccc');
    expect((await run(['show', 'agent-a'])).out).toMatch(/7 \(.*\) state bbbb, 7 \(.*\) state cccc/);
    const { code, out } = await run(['restore', 'agent-a', '1'], { reason: 'the disk broke', state: 'aa' });
    expect([code, out]).toEqual([0, expect.stringContaining('agent-a gets version 1 back from ClickHouse')]);
    expect(stack.restores.at(-1)).toMatchObject({ version: 1, stateId: 'aa', reason: 'the disk broke' });
    await expect(run(['restore', 'agent-a', '2'], { reason: 'x' })).rejects.toThrow(
      'another install secret; put it back',
    );
    await expect(run(['restore', 'agent-a', '1'])).rejects.toThrow('say --reason TEXT');
  });

  it('makes an agent anew, tells how far it is, and how it ended', async () => {
    const rebuild = { by: 'responder', startedAt: 1, expected: 9, leftOut: 2 };
    const options = { reason: 'poisoned', since: '2026-11-01', until: '2026-11-02T00:00:00Z' };
    stack.rebuildStatuses.push(
      { ...rebuild, state: 'running', observations: 4, sessions: 1 },
      { ...rebuild, state: 'done', observations: 9, sessions: 30 },
    );
    const done = await run(['rebuild', 'agent-a'], options);
    expect(done).toMatchObject({ code: 0, err: expect.stringContaining('4 of 9 observations, 1 sessions learned') });
    expect(done.out).toContain('30 sessions learned, 2 left out because their incident is open or was true');
    expect(stack.rebuilds.at(-1)).toMatchObject({ since: Date.parse('2026-11-01'), until: Date.parse('2026-11-02') });
    stack.rebuildStatuses.push({
      ...rebuild,
      state: 'failed',
      observations: 0,
      sessions: 0,
      message: 'too few\u001b[2J',
    });
    expect(await run(['rebuild', 'agent-a'], { reason: 'x' })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^not made anew: too few.\[2J\n$/),
    });
    await expect(run(['rebuild', 'agent-a'], { reason: 'x', since: 'yore' })).rejects.toThrow(
      '--since yore: is no time',
    );
    await expect(run(['rebuild', 'agent-a', '3'], { reason: 'x' })).rejects.toThrow('say what to do');
  });
});
