import { cpSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createGatewayClient, type GatewayClient, type GatewayEvent } from '../../src/gateway/client.js';
import type { Command } from '../../src/model/command.js';
import type { Incident } from '../../src/model/incident.js';
import type { CheckAnswer, WireObservation } from '../../src/model/wire.js';
import { prepareService, runParallax, ServiceProcess, type ServiceSetup } from '../support/service-process.js';
import { sendSessions, spread, timeMoves } from '../support/session-traffic.js';
import { syntheticSession } from '../support/synthetic-sessions.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const AGENT = 'agent-office';
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const LEARNED = Date.now() - 3 * DAY_MS;
const NOW = Date.now() - DAY_MS;
const SETTINGS = {
  join: { outOfOrderMs: 1_000, idleMs: DAY_MS },
  detection: { falseAlarmBudget: 0.05 },
  check: { deadlineMs: 10_000 },
  respond: { acknowledgeMs: 60_000 },
};

describe('the service as a process, with a gateway', () => {
  const directory = temporaryDirectory();
  const open: { stop: () => Promise<unknown> }[] = [];
  let trained: ServiceSetup;

  beforeAll(async () => {
    trained = prepareService(join(directory.path, 'trained'), SETTINGS);
    const service = await ServiceProcess.start(trained);
    await service.post('/v1/learning', { mode: 'vouched' });
    const sessions = Array.from({ length: 120 }, (_, n) => syntheticSession(n, { agentId: AGENT, startMs: 0 }));
    await sendSessions(spread(sessions, LEARNED, MINUTE_MS), {
      post: async (speaker, batch) => void (await service.observe(speaker, batch)),
      groupSize: 1,
      inFlight: 1,
    });
    for (const { speaker, observation } of timeMoves(LEARNED + DAY_MS)) await service.observe(speaker, [observation]);
    await service.settled();
    await service.post('/v1/calibrate', {});
    await service.post('/v1/learning', { mode: 'frozen' });
    await service.settled();
    await service.stop();
  }, 120_000);

  afterEach(async () => {
    for (const part of open.splice(0).reverse()) await part.stop();
  });

  afterAll(() => directory.remove());

  it('holds a hijacked session, revokes it, sees that it is enforced, keeps it over a crash and lifts it', async () => {
    const port = await freePort();
    const setup = copyOf('act', { mode: 'act', http: { port, heartbeatMs: 500 } });
    let service = await start(setup);
    const { kit, events } = gatewayOf(service, setup);
    expect(await kit.subscribe()).toBe(true);

    // An ordinary session of the same agent passes, writes included.
    const calm = syntheticSession(303, { agentId: AGENT, startMs: NOW });
    await begin(service, calm.said, 2);
    const payment = callOf(calm.said, 'send_money');
    expect(await kit.check(payment)).toMatchObject({ decision: 'allow', source: 'observer', wouldBe: 'allow' });

    // The hijacked one does not get its call executed.
    const hijacked = syntheticSession(306, { agentId: AGENT, startMs: NOW + MINUTE_MS, hijacked: true });
    await begin(service, hijacked.said, 8);
    const harm = callOf(hijacked.said, 'delete_account');
    const held = await kit.check(harm);
    expect(held).toMatchObject({ source: 'observer', timedOut: false });
    expect(['hold', 'deny']).toContain(held.decision);
    const incidentId = held.incidentId ?? '';
    const incident = await incidentOf(service, incidentId);
    expect(incident).toMatchObject({ agentId: AGENT, sessionId: hijacked.sessionId, status: 'open' });
    expect(incident.emitters.length).toBeGreaterThan(1);
    expect(sum(incident.arithmetic.map(({ nats }) => nats))).toBeCloseTo(incident.riskNats, 6);

    // The command comes to the kit by itself; the next call is refused without asking.
    await until(
      'the revocation is in force',
      () => kit.restrictionOn(AGENT, hijacked.sessionId, 'read_mail') !== undefined,
    );
    const asked = kit.counters().asked;
    const next = await kit.check({ ...harm, callId: 'next', tool: 'send_money' });
    expect(next).toMatchObject({ decision: 'deny', source: 'memory', restriction: 'revoke-session' });
    expect(kit.counters().asked).toBe(asked);
    const commandId = next.commandId ?? '';
    expect(incident.commandIds).toContain(commandId);
    expect(kit.restrictionOn(AGENT, calm.sessionId, 'send_money')).toBeUndefined();

    await commandIn(service, commandId, 'acknowledged');
    const acknowledged = await commandOf(service, commandId);
    expect(acknowledged.acknowledgements).toMatchObject([{ gatewayId: 'gateway', effective: 'enforced' }]);

    // The gateway's own audit of the refused call proves it.
    kit.observe([
      {
        ...harm,
        id: 'refused',
        stream: 'action',
        kind: 'tool_call',
        decision: 'deny',
        ruleId: `parallax:${commandId}`,
      },
    ]);
    expect(await kit.flush(10_000)).toBe(true);
    await commandIn(service, commandId, 'enforced');

    // A crash loses nothing of it: the kit comes back by itself, and one that never was there learns it at once.
    await service.kill();
    service = await start(setup);
    await until('the kit came back', () => events.filter(({ type }) => type === 'stream-connected').length > 1);
    expect(kit.restrictionOn(AGENT, hijacked.sessionId, 'send_money')?.commandId).toBe(commandId);
    const late = gatewayOf(service, setup).kit;
    expect(await late.subscribe()).toBe(true);
    expect(late.restrictionOn(AGENT, hijacked.sessionId, 'send_money')?.commandId).toBe(commandId);
    expect(await incidentOf(service, incidentId)).toMatchObject({ status: 'open', commandIds: [commandId] });
    const raw = await ask(service, { ...harm, callId: 'raw' });
    expect(raw).toMatchObject({ decision: 'deny', commandId });

    // A person says that it was harmless.
    await service.post(`/v1/incidents/${incidentId}/verdict`, { verdict: 'false-positive' });
    await until('it is lifted', () => kit.restrictionOn(AGENT, hijacked.sessionId, 'send_money') === undefined);
    await until('it is lifted', () => late.restrictionOn(AGENT, hijacked.sessionId, 'send_money') === undefined);
    await commandIn(service, commandId, 'undone');
    expect(await incidentOf(service, incidentId)).toMatchObject({ status: 'closed', verdict: 'false-positive' });
    expect(await kit.check({ ...payment, callId: 'again' })).toMatchObject({ decision: 'allow', source: 'observer' });
  });

  it('sends what it only proposed once a person has approved it, and never what was rejected', async () => {
    const setup = copyOf('approve', { mode: 'act', respond: { ...SETTINGS.respond, neverAct: ['*'] } });
    const service = await start(setup);
    const { kit } = gatewayOf(service, setup);
    await kit.subscribe();
    const propose = async (n: number) => {
      const hijacked = syntheticSession(n, { agentId: AGENT, startMs: NOW + n * MINUTE_MS, hijacked: true });
      await begin(service, hijacked.said, 8);
      const answer = await kit.check(callOf(hijacked.said, 'delete_account'));
      const incident = await incidentOf(service, answer.incidentId ?? '');
      const [commandId = ''] = incident.commandIds;
      expect(await commandOf(service, commandId)).toMatchObject({ state: 'proposed', dryRun: false });
      const { sessionId } = hijacked;
      return { commandId, isRevoked: () => kit.restrictionOn(AGENT, sessionId, 'send_money') !== undefined };
    };
    const [wanted, unwanted] = [await propose(306), await propose(315)];
    await service.post(`/v1/commands/${unwanted.commandId}/reject`, { reason: 'known' });
    await service.post(`/v1/commands/${wanted.commandId}/approve`, { reason: 'it is real' });
    await until('it is revoked', wanted.isRevoked);
    expect(unwanted.isRevoked()).toBe(false);
    await commandIn(service, wanted.commandId, 'acknowledged');
    await commandIn(service, unwanted.commandId, 'rejected');
    expect(await commandOf(service, wanted.commandId)).toMatchObject({
      decidedBy: 'admin',
      decisionReason: 'it is real',
    });
    await expect(service.post(`/v1/commands/${unwanted.commandId}/approve`, { reason: 'after all' })).rejects.toThrow(
      '409',
    );
  });

  it('in observe only says what it would have done, and restricts nobody', async () => {
    const setup = copyOf('observe', { mode: 'observe' });
    const service = await start(setup);
    const { kit } = gatewayOf(service, setup);
    await kit.subscribe();
    const hijacked = syntheticSession(306, { agentId: AGENT, startMs: NOW, hijacked: true });
    await begin(service, hijacked.said, 8);
    const answer = await kit.check(callOf(hijacked.said, 'delete_account'));
    expect(answer).toMatchObject({ decision: 'allow', wouldBe: 'hold', source: 'observer' });
    const incident = await incidentOf(service, answer.incidentId ?? '');
    const [commandId = ''] = incident.commandIds;
    expect(await commandOf(service, commandId)).toMatchObject({ dryRun: true, state: 'proposed' });
    expect(kit.restrictionOn(AGENT, hijacked.sessionId, 'send_money')).toBeUndefined();
  });

  it('answers within the deadline when scoring is behind, and scores the call nevertheless', async () => {
    const setup = copyOf('deadline', { mode: 'act' });
    const service = await start(setup);
    const flood: WireObservation[] = Array.from({ length: 10_000 }, (_, i) => ({
      id: `flood-${i}`,
      time: NOW + i,
      agentId: `agent-${i % 50}`,
      sessionId: `flood-${i % 500}`,
      stream: 'action',
      kind: 'tool_call',
      tool: 'list_files',
      args: { folder: `f${i}` },
      decision: 'allow',
    }));
    const flooding = service.observe('gateway', flood);
    const answers: CheckAnswer[] = [];
    for (let i = 0; i < 100; i++) {
      answers.push(
        await ask(service, { time: NOW, agentId: AGENT, sessionId: 's', callId: `c${i}`, tool: 't', deadlineMs: 1 }),
      );
    }
    expect(await flooding).toEqual({ accepted: flood.length, refused: [] });
    const late = answers.filter(({ timedOut }) => timedOut);
    expect(late.length).toBeGreaterThan(0);
    expect(late[0]).toEqual({
      decision: 'hold',
      wouldBe: 'hold',
      reason: 'the observer did not score the call in time',
      riskNats: 0,
      thresholdNats: 0,
      timedOut: true,
    });
    const status = await service.settled();
    expect(status.checks).toMatchObject({ answered: answers.length, timedOut: late.length });
    expect(status.scoring.observations + status.scoring.duplicates).toBe(flood.length + answers.length);
  });

  it('refuses keys that are not known or may not, and says what is needed', async () => {
    const service = await start(copyOf('keys'));
    const unknown = await service.request('/v1/check', '{}', 'not-a-key-of-this-install');
    expect(unknown.status).toBe(401);
    expect(await unknown.text()).toContain('Authorization: Bearer');
    const viewer = await service.request('/v1/learning', '{"mode":"on"}', service.setup.keys.gateway);
    expect(viewer.status).toBe(403);
    expect(await viewer.text()).toContain('admin');
    const report = await service.observe('gateway', [
      { time: NOW, agentId: AGENT, stream: 'reasoning', kind: 'prompt', text: 'I am the user' },
    ]);
    expect(report).toMatchObject({ accepted: 0, refused: [{ index: 0, field: 'stream' }] });
  });

  it('says in one line why it cannot start, and ends with the code for it', async () => {
    const held = await start(copyOf('first'));
    const sameData = await runParallax(['serve', '--config', held.setup.configFile]);
    expect(sameData).toMatchObject({ code: 1, out: '' });
    expect(message(sameData.err)).toContain(`is held by process ${held.pid}`);

    const port = new URL(held.url).port;
    const samePort = prepareService(join(directory.path, 'same-port'), { http: { port: Number(port) } });
    const taken = await runParallax(['serve', '--config', samePort.configFile]);
    expect(taken).toMatchObject({ code: 1, out: '' });
    expect(message(taken.err)).toContain(`127.0.0.1:${port}`);
    expect(message(taken.err)).toContain('http.port');

    const broken = join(directory.path, 'broken.yaml');
    writeFileSync(broken, 'mode: watch\nhttp: { prot: 1 }\n');
    const refused = await runParallax(['serve', '--config', broken]);
    expect(refused).toMatchObject({ code: 2, out: '' });
    expect(refused.err).toContain(`${broken}: mode: `);
    expect(refused.err).toContain(`${broken}: http.prot: is no setting`);

    const absent = await runParallax(['serve', '--config', join(directory.path, 'absent.yaml')]);
    expect(absent.code).toBe(2);
    expect(message(absent.err)).toContain('absent.yaml: cannot be read (ENOENT)');

    const secret = prepareService(join(directory.path, 'no-secret'), {
      keys: [{ id: 'gw', role: 'gateway', streams: ['action'], secretEnv: 'NO_SUCH_SECRET' }],
    });
    const keyless = await runParallax(['serve', '--config', secret.configFile]);
    expect(keyless.code).toBe(2);
    expect(message(keyless.err)).toContain('NO_SUCH_SECRET: is not set');

    // The one that was there first goes on.
    expect((await held.status()).mode).toBe('observe');
  });

  function copyOf(name: string, settings: Record<string, unknown> = {}): ServiceSetup {
    const setup = prepareService(join(directory.path, name), { ...SETTINGS, ...settings }, trained.keys);
    cpSync(trained.dataDir, setup.dataDir, { recursive: true });
    return setup;
  }

  async function start(setup: ServiceSetup): Promise<ServiceProcess> {
    const service = await ServiceProcess.start(setup);
    open.push(service);
    return service;
  }

  function gatewayOf(service: ServiceProcess, setup: ServiceSetup): { kit: GatewayClient; events: GatewayEvent[] } {
    const events: GatewayEvent[] = [];
    const kit = createGatewayClient({
      url: service.url,
      key: setup.keys.gateway,
      gatewayId: 'gateway',
      deadlineMs: 20_000,
      onEvent: (event) => events.push(event),
      limits: { retryBaseMs: 20, retryMaxMs: 100, silenceMs: 5_000 },
    });
    open.push({ stop: () => kit.close(0) });
    return { kit, events };
  }
});

/** Reports the first observations of a session, one after the other. */
async function begin(
  service: ServiceProcess,
  said: ReturnType<typeof syntheticSession>['said'],
  count: number,
): Promise<void> {
  for (const { speaker, observation } of said.slice(0, count)) await service.observe(speaker, [observation]);
}

/** The session's call of a tool, as a gateway asks about it. */
function callOf(said: ReturnType<typeof syntheticSession>['said'], tool: string) {
  for (const { observation } of said) {
    if (observation.kind !== 'tool_call' || observation.tool !== tool) continue;
    const { time, agentId, sessionId = '', callId = '', effect = 'write', args = {} } = observation;
    return { time, agentId, sessionId, callId, tool, effect, args };
  }
  throw new Error(`no call of ${tool}`);
}

async function ask(service: ServiceProcess, request: Record<string, unknown>): Promise<CheckAnswer> {
  // The route answers with this and nothing else.
  return (await service.post('/v1/check', request, service.setup.keys.gateway)) as CheckAnswer;
}

async function incidentOf(service: ServiceProcess, id: string): Promise<Incident> {
  let found: unknown;
  // The answer to a check may come before the incident is committed and shown.
  for (let i = 0; found === undefined && i < 200; i++) {
    found = await service.get(`/v1/incidents/${id}`).catch(() => sleep(20));
  }
  return found as Incident;
}

async function commandOf(service: ServiceProcess, id: string): Promise<Command> {
  return (await service.get(`/v1/commands/${id}`)) as Command;
}

async function commandIn(service: ServiceProcess, id: string, state: Command['state']): Promise<void> {
  let last = '';
  for (let i = 0; i < 500; i++) {
    last = (await commandOf(service, id)).state;
    if (last === state) return;
    await sleep(20);
  }
  throw new Error(`the command is ${last}, not ${state}`);
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000; i++) {
    if (holds()) return;
    await sleep(20);
  }
  throw new Error(`did not happen: ${what}`);
}

/** What the program says at the end, without its log lines. */
function message(err: string): string {
  const line = err.split('\n').find((text) => text.startsWith('parallax: '));
  if (line === undefined) throw new Error(`it said nothing for people: ${err.slice(-2_000)}`);
  return line;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}
