import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Hold } from '../../src/model/hold.js';
import type { CheckAnswer } from '../../src/model/wire.js';
import { prepareService, runParallax, ServiceProcess, type ServiceSetup } from '../support/service-process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const AGENT = 'agent-1';

describe('calls that wait for a person, with the service and the command line as processes', () => {
  const directory = temporaryDirectory();
  let setup: ServiceSetup;
  let service: ServiceProcess;

  beforeAll(async () => {
    setup = prepareService(join(directory.path, 'observer'), {
      mode: 'act',
      check: { deadlineMs: 10_000 },
      approvals: { holdMs: 20_000, decisionMs: 60_000 },
    });
    service = await ServiceProcess.start(setup);
    const prompt = {
      time: Date.now(),
      agentId: AGENT,
      sessionId: 's',
      stream: 'reasoning',
      kind: 'prompt',
      text: 'hi',
    };
    await service.observe('agent-runtime', [{ ...prompt, stream: 'reasoning', kind: 'prompt' }]);
    await service.settled();
    const order = { action: 'downgrade-posture', posture: 'approval', agentId: AGENT, reason: 'look closer' };
    await service.post('/v1/contain', order);
    await service.settled();
  }, 120_000);

  afterAll(async () => {
    await service.stop();
    directory.remove();
  });

  it('passes once after a person approved it, over a kill of the observer, and no more', async () => {
    const held = await ask('c1', 'DE10 1111');
    expect(held).toMatchObject({ decision: 'hold', timedOut: false });
    const holdId = held.holdId ?? '';
    const listed = await parallax('approvals');
    expect(listed.out).toMatch(
      new RegExp(
        `^${holdId} {2}call send_money of ${AGENT}, session s\\n.*DE10 1111.*\\n {4}waits until .* then: deny; because: this agent needs approval`,
      ),
    );

    const waiting = service.get(`/v1/holds/${holdId}?waitMs=30000`, setup.keys.gateway) as Promise<Hold>;
    const approved = await parallax('approve', holdId, '--reason', 'talked to the owner');
    expect(approved).toMatchObject({ code: 0, err: '' });
    expect(await waiting).toMatchObject({
      state: 'approved',
      decidedBy: 'admin',
      decisionReason: 'talked to the owner',
    });

    await service.kill();
    service = await ServiceProcess.start(setup);
    expect(await ask('c1', 'DE99 9999')).toMatchObject({ decision: 'hold' });
    expect(await ask('c1', 'DE10 1111')).toMatchObject({
      decision: 'allow',
      approvalId: holdId,
      reason: 'approved by admin: talked to the owner',
    });
    const again = await ask('c1', 'DE10 1111');
    expect(again.decision).toBe('hold');
    expect(again.holdId).not.toBe(holdId);
    const all = await parallax('approvals', '--all');
    expect(all.out).toContain('used by admin: talked to the owner');
    const twice = await parallax('approve', holdId, '--reason', 'once more');
    expect([twice.code, twice.err]).toEqual([1, expect.stringContaining('the call is used already')]);
  }, 120_000);

  it('is refused when a person rejects it, and the reason is told', async () => {
    const { holdId = '' } = await ask('c2', 'DE20 2222');
    expect((await parallax('reject', holdId, '--reason', 'never seen this account')).code).toBe(0);
    await service.settled();
    expect(await ask('c3', 'DE20 2222')).toMatchObject({
      decision: 'deny',
      reason: 'rejected by admin: never seen this account',
    });
  }, 60_000);

  it('is refused when nobody decides, and says so to who waits', async () => {
    const { holdId = '' } = await ask('c4', 'DE40 4444');
    const lapsed = (await service.get(`/v1/holds/${holdId}?waitMs=50000`, setup.keys.gateway)) as Hold;
    expect(lapsed).toMatchObject({ state: 'lapsed', decidedBy: 'policy', decisionReason: 'nobody decided in time' });
    expect((await ask('c5', 'DE40 4444')).decision).toBe('deny');
  }, 90_000);

  it('lets no gateway approve what it asked, and knows no call of another name', async () => {
    const { holdId = '' } = await ask('c6', 'DE60 6666');
    const body = JSON.stringify({ reason: 'mine' });
    expect((await service.request(`/v1/approvals/${holdId}/approve`, body, setup.keys.gateway)).status).toBe(403);
    const lost = await parallax('approve', 'hold_nothing', '--reason', 'r');
    expect([lost.code, lost.err]).toEqual([1, expect.stringContaining('there is no such')]);
  }, 60_000);

  async function ask(callId: string, to: string): Promise<CheckAnswer> {
    const call = { time: Date.now(), agentId: AGENT, sessionId: 's', callId, tool: 'send_money', args: { to } };
    // The route answers with this and nothing else.
    return (await service.post('/v1/check', call, setup.keys.gateway)) as CheckAnswer;
  }

  function parallax(...args: string[]) {
    const key = join(setup.directory, 'keys', 'admin.key');
    return runParallax([...args, '--key-file', key, '--url', service.url]);
  }
});
