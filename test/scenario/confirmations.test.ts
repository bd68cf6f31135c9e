import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Command } from '../../src/model/command.js';
import type { Incident } from '../../src/model/incident.js';
import { prepareService, runParallax, ServiceProcess, type ServiceSetup } from '../support/service-process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const AGENT = 'agent-1';
const SECOND_KEY = 'key-of-the-second-gateway-0123456789';
const DAY_MS = 24 * 60 * 60_000;

/** Gateways are played over HTTP by the test itself: it decides what each says, when, and whether it is true. */
describe('what gateways say against what they do, with the observer as a process', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let setup: ServiceSetup;
  let service: ServiceProcess;
  let calls = 0;

  beforeEach(async () => {
    directory = temporaryDirectory();
    setup = prepareService(join(directory.path, 'observer'), {
      mode: 'act',
      check: { deadlineMs: 10_000 },
      respond: { acknowledgeMs: 1_000, maxDeliveries: 2 },
    });
    addSecondGateway(setup.configFile);
    service = await ServiceProcess.start(setup);
    // Both stand between the agent and its tools: each has asked about one of its calls.
    for (const key of [setup.keys.gateway, SECOND_KEY]) await ask(key);
  }, 120_000);

  afterEach(async () => {
    await service.stop();
    directory.remove();
  });

  it('counts only what both confirmed, once each; gives it out again to the one that is absent, then says so', async () => {
    const id = await contain();
    const sent = await inState(id, 'sent');
    expect(sent.awaits).toEqual(['gateway', 'gateway-2']);
    for (let i = 0; i < 2; i++) await acknowledge(id, setup.keys.gateway, 'enforced');
    await service.settled();
    expect(await commandOf(id)).toMatchObject({ state: 'sent', acknowledgements: [{ gatewayId: 'gateway' }] });

    const failed = await inState(id, 'failed');
    expect(failed).toMatchObject({
      deliveries: 2,
      acknowledgements: [{ gatewayId: 'gateway', effective: 'enforced' }],
    });
    const missed = await incidentCalled('containment not confirmed: suspend-agent of agent-1, by gateway-2');
    expect(missed).toMatchObject({ severity: 'high', status: 'open', commandIds: [] });
    expect((await parallax('containments')).out).toContain('gateways: gateway enforced, gateway-2 NOT CONFIRMED');

    // Back after all: what it is told first is the whole state, and its word is taken late as well.
    expect(await stateAt(SECOND_KEY)).toContain(id);
    await acknowledge(id, SECOND_KEY, 'enforced');
    expect((await inState(id, 'acknowledged')).acknowledgements).toHaveLength(2);
    expect((await incidentCalled(missed.title)).status).toBe('contained');
    expect((await parallax('containments')).out).not.toContain('NOT CONFIRMED');
  }, 120_000);

  it('makes a critical incident of its own of a call that a gateway lets pass in spite of its word', async () => {
    const id = await contain();
    for (const key of [setup.keys.gateway, SECOND_KEY]) await acknowledge(id, key, 'enforced');
    await inState(id, 'acknowledged');
    // What was under way when the command arrived is no lie.
    await sleep(1_500);
    await executed(setup.keys.gateway);
    const lie = await incidentCalled(
      'containment bypassed: gateway executed send_money in spite of its confirmation (suspend-agent of agent-1)',
    );
    expect(lie).toMatchObject({ severity: 'critical', violation: true, emitters: ['gateway'] });
    const others = (await incidents()).filter((one) => one.id !== lie.id);
    expect(others.map(({ id: other }) => other)).not.toContain(lie.id);
    expect(await inState(id, 'failed')).toMatchObject({ bypassedBy: ['gateway'] });
    expect((await parallax('containments')).out).toContain('gateway enforced, BUT LET A CALL PASS');

    // Saying it again proves nothing; refusing a call does.
    await acknowledge(id, setup.keys.gateway, 'enforced');
    await service.settled();
    expect((await commandOf(id)).state).toBe('failed');
    await refused(setup.keys.gateway, id);
    expect(await inState(id, 'enforced')).not.toHaveProperty('bypassedBy');
  }, 120_000);

  it('takes the word of a gateway back that lifts before the time, and asks each for its word when a person lifts', async () => {
    const id = await contain();
    for (const key of [setup.keys.gateway, SECOND_KEY]) await acknowledge(id, key, 'enforced');
    await inState(id, 'acknowledged');
    // Its clock is an hour ahead, so it took the containment for over.
    await acknowledge(id, SECOND_KEY, 'lifted');
    await inState(id, 'failed');
    await incidentCalled('containment not confirmed: suspend-agent of agent-1, by gateway-2');
    await acknowledge(id, SECOND_KEY, 'enforced');
    await inState(id, 'acknowledged');

    const lifting = parallax('lift', id, '--reason', 'all clear', '--wait', '20s');
    await inState(id, 'undone');
    await acknowledge(id, setup.keys.gateway, 'lifted');
    await sleep(300);
    expect((await parallax('containments', '--all')).out).toContain('gateway-2 has not confirmed that it is lifted');
    await acknowledge(id, SECOND_KEY, 'lifted');
    const { code, out } = await lifting;
    expect(code).toBe(0);
    expect(out).toContain('gateway gateway: lifted');
    expect(out).toContain('gateway gateway-2: lifted');
  }, 120_000);

  it('sends what was ordered once, whenever it is killed between writing and sending', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 4; i++) {
      const stream = await subscribe(setup.keys.gateway);
      // 202 says that the order is in the log; nothing says that a gateway has it.
      ids.push(await contain({ action: 'revoke-session', sessionId: `s${i}`, unseen: true }));
      await service.kill();
      await stream.end();
      service = await ServiceProcess.start(setup);
      await service.settled();
    }
    const last = ids.at(-1) ?? '';
    await inState(last, 'sent', 'failed');
    const state = await stateAt(setup.keys.gateway);
    // Each is in force exactly once.
    expect(ids.map((id) => state.split(id).length - 1)).toEqual(ids.map(() => 1));
    const listed = ((await service.get('/v1/commands')) as { commands: Command[] }).commands;
    expect(listed.filter(({ action }) => action === 'revoke-session')).toHaveLength(ids.length);
  }, 180_000);

  it('refuses to start beside another observer on the same data, which acts on', async () => {
    await expect(ServiceProcess.start(setup)).rejects.toThrow(/another|held|in use/i);
    const id = await contain();
    await acknowledge(id, setup.keys.gateway, 'enforced');
    await acknowledge(id, SECOND_KEY, 'enforced');
    await inState(id, 'acknowledged');
  }, 120_000);

  /** What a gateway that connects anew is told first, as text: the claims of a signed message. */
  async function stateAt(key: string): Promise<string> {
    const { messages } = (await service.get('/v1/commands/poll?waitMs=1000', key)) as { messages: string[] };
    return Buffer.from(messages[0]?.split('.')[1] ?? '', 'base64url').toString('utf8');
  }

  async function ask(key: string): Promise<unknown> {
    return service.post('/v1/check', { ...callOf(), args: { to: 'Bob' } }, key);
  }

  async function executed(key: string): Promise<void> {
    const call = { ...callOf(), stream: 'action', kind: 'tool_call', decision: 'allow', resultClass: 1 };
    await service.post('/v1/observations', [call], key);
  }

  async function refused(key: string, id: string): Promise<void> {
    const call = { ...callOf(), stream: 'action', kind: 'tool_call', decision: 'deny', ruleId: `parallax:${id}` };
    await service.post('/v1/observations', [call], key);
  }

  function callOf() {
    const callId = `c${++calls}`;
    return { time: Date.now(), agentId: AGENT, sessionId: 's', callId, tool: 'send_money', effect: 'write' };
  }

  async function contain(what: Record<string, unknown> = { action: 'suspend-agent' }): Promise<string> {
    const order = { ...what, agentId: AGENT, reason: 'acts strangely', durationMs: 2 * DAY_MS };
    return ((await service.post('/v1/contain', order)) as { commandId: string }).commandId;
  }

  async function acknowledge(id: string, key: string, effective: string): Promise<void> {
    await eventually(async () => {
      const answer = await service.request(`/v1/commands/${id}/ack`, JSON.stringify({ effective }), key);
      await answer.body?.cancel();
      return answer.status === 202 ? true : undefined;
    });
  }

  async function subscribe(key: string): Promise<{ end: () => Promise<void> }> {
    const answer = await fetch(`${service.url}/v1/commands/stream`, { headers: { authorization: `Bearer ${key}` } });
    return { end: async () => answer.body?.cancel().catch(() => undefined) };
  }

  async function commandOf(id: string): Promise<Command> {
    return (await service.get(`/v1/commands/${id}`)) as Command;
  }

  async function inState(id: string, ...states: Command['state'][]): Promise<Command> {
    return eventually(async () => {
      const command = await commandOf(id).catch(() => undefined);
      return command !== undefined && states.includes(command.state) ? command : undefined;
    });
  }

  async function incidents(): Promise<Incident[]> {
    return ((await service.get('/v1/incidents')) as { incidents: Incident[] }).incidents;
  }

  async function incidentCalled(title: string): Promise<Incident> {
    return eventually(async () => (await incidents()).find((one) => one.title === title));
  }

  function parallax(...args: string[]) {
    const key = join(setup.directory, 'keys', 'admin.key');
    return runParallax([...args, '--key-file', key, '--url', service.url]);
  }
});

function addSecondGateway(configFile: string): void {
  const config = JSON.parse(readFileSync(configFile, 'utf8')) as { keys: unknown[] };
  const secretSha256 = createHash('sha256').update(SECOND_KEY).digest('hex');
  config.keys.push({ id: 'gateway-2', role: 'gateway', streams: ['action'], secretSha256 });
  writeFileSync(configFile, JSON.stringify(config));
}

/** What `look` finds, as soon as it finds something. */
async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (let i = 0; i < 1_500; i++) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(20);
  }
  throw new Error('did not happen in time');
}
