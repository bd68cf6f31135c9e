import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Command } from '../../src/model/command.js';
import { GatewayProcess } from '../support/gateway-process.js';
import {
  prepareService,
  runParallax,
  ServiceProcess,
  type Outcome,
  type ServiceSetup,
} from '../support/service-process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** One outcome tells the gateway what a tool does to the world. */
const OUTCOMES = [
  { sessionId: 's', callId: 'c', tool: 'send_money', effect: 'write' as const, resultClass: 1 },
  { sessionId: 's', callId: 'c', tool: 'read_mail', effect: 'read' as const, resultClass: 1 },
];
const AGENTS = ['agent-1', 'agent-2'];

describe('containing by hand, with the service, the reference gateway and the command line as processes', () => {
  const directory = temporaryDirectory();
  let setup: ServiceSetup;
  let service: ServiceProcess;
  let gateway: GatewayProcess;
  let calls = 0;

  beforeAll(async () => {
    const port = await freePort();
    setup = prepareService(join(directory.path, 'observer'), {
      mode: 'act',
      http: { port, heartbeatMs: 500 },
      check: { deadlineMs: 5_000 },
    });
    addKeyOfAnotherTenant(setup.configFile);
    service = await ServiceProcess.start(setup);
    const time = Date.now();
    for (const agentId of AGENTS) {
      const prompt = { time, agentId, sessionId: 's', stream: 'reasoning', kind: 'prompt', text: 'hello' } as const;
      await service.observe('agent-runtime', [prompt]);
    }
    await service.settled();
    gateway = await startGateway();
  }, 120_000);

  afterAll(async () => {
    await gateway.stop();
    await service.stop();
    directory.remove();
  });

  it('suspends one agent and no other, over kills of observer and gateway, until it is lifted', async () => {
    expect((await call('agent-1', 'send_money')).executed).toBe(true);
    const ordered = await parallax('contain', 'agent-1', '--suspend', '--reason', 'acts strangely');
    expect(ordered).toMatchObject({ code: 0, err: '' });
    expect(ordered.out).toMatch(
      /^ordered suspend-agent agent-1 \(cmd_\w+\); asking the gateways\n {2}gateway gateway: enforced\nin force at 1 gateway\n/,
    );
    const id = /cmd_\w+/.exec(ordered.out)?.[0] ?? '';
    for (const tool of ['send_money', 'read_mail']) {
      const refused = await call('agent-1', tool);
      expect(refused).toMatchObject({ executed: false, refusedBy: 'command' });
      expect(refused.reason).toMatch(/^this agent is suspended until \d{4}-\d\d-\d\d \d\d:\d\d UTC: acts strangely$/);
      expect((await call('agent-2', tool)).executed).toBe(true);
    }
    await inState(id, 'enforced');

    await service.kill();
    expect(await call('agent-1', 'read_mail')).toMatchObject({ executed: false, refusedBy: 'command' });
    service = await ServiceProcess.start(setup);
    await gateway.kill();
    gateway = await startGateway();
    expect(await call('agent-1', 'read_mail')).toMatchObject({ executed: false, refusedBy: 'command' });
    expect((await call('agent-2', 'send_money')).executed).toBe(true);
    const listed = await parallax('containments');
    expect(listed.out).toContain(`${id}  suspend-agent agent-1\n`);
    expect(listed.out).toContain('gateways: gateway enforced');

    const lifted = await parallax('lift', id, '--reason', 'all clear');
    expect(lifted).toMatchObject({ code: 0, err: '' });
    expect(lifted.out).toContain('gateway gateway: lifted');
    expect((await call('agent-1', 'send_money')).executed).toBe(true);
    expect((await parallax('containments')).out).toBe('nothing is restricted, and nothing waits for a person\n');
    const again = await parallax('lift', id, '--reason', 'once more');
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('the command is undone already')]);
  }, 120_000);

  it('lowers a posture: approval lets a person decide, read-only refuses, lifting one leaves the other', async () => {
    expect((await parallax('contain', 'agent-1', '--downgrade', '--reason', 'look closer')).code).toBe(0);
    expect((await call('agent-1', 'read_mail')).executed).toBe(true);
    for (const approve of [true, false]) {
      const waiting = call('agent-1', 'send_money');
      const held = await eventually(async () => (await gateway.holds())[0]);
      expect(held.reason).toMatch(/^this agent needs approval for everything but reading until .*: look closer$/);
      await gateway.decide(held.id, approve);
      expect((await waiting).executed).toBe(approve);
    }
    expect((await call('agent-2', 'send_money')).executed).toBe(true);

    const stricter = await parallax('contain', 'agent-1', '--downgrade=read-only', '--reason', 'worse');
    const id = /cmd_\w+/.exec(stricter.out)?.[0] ?? '';
    const refused = await call('agent-1', 'send_money');
    expect(refused).toMatchObject({ executed: false, refusedBy: 'command' });
    expect(refused.reason).toMatch(/^this agent may only read until /);
    expect((await call('agent-1', 'read_mail')).executed).toBe(true);

    expect((await parallax('lift', id, '--reason', 'better')).code).toBe(0);
    const waiting = call('agent-1', 'send_money');
    const held = await eventually(async () => (await gateway.holds())[0]);
    await gateway.decide(held.id, true);
    expect((await waiting).executed).toBe(true);
    const left = (await commands()).filter(({ state }) => !['undone', 'expired'].includes(state));
    expect(left.map(({ action, posture }) => [action, posture])).toEqual([['downgrade-posture', 'approval']]);
    expect((await parallax('lift', left[0]?.id ?? '', '--reason', 'done')).code).toBe(0);
    expect((await call('agent-1', 'send_money')).executed).toBe(true);
  }, 120_000);

  it.each(['--suspend', '--downgrade=read-only'])(
    'ends %s by itself',
    async (what) => {
      const ordered = await parallax('contain', 'agent-2', what, '--reason', 'for a moment', '--for', '3s');
      expect(ordered.code).toBe(0);
      expect((await call('agent-2', 'send_money')).executed).toBe(false);
      await eventually(async () => ((await call('agent-2', 'send_money')).executed ? true : undefined));
      await inState(/cmd_\w+/.exec(ordered.out)?.[0] ?? '', 'expired');
    },
    60_000,
  );

  it('says what to do where it cannot contain', async () => {
    const wrong = join(directory.path, 'wrong.key');
    writeFileSync(wrong, 'no-key-of-this-observer');
    const base = ['--suspend', '--reason', 'r'];
    const cases: [string[], number, string][] = [
      [['contain', 'agent-1', ...base, '--key-file', wrong], 1, 'the observer does not know this key'],
      [['contain', 'agent-9', ...base], 1, 'no agent of this name was ever seen; check the name'],
      [['contain', 'agent-1', ...base, '--tenant', 'other'], 1, 'this key belongs to another tenant'],
      [['contain', 'agent-1', ...base, '--url', 'http://127.0.0.1:9'], 1, 'start one with "parallax serve"'],
      [['contain', 'agent-1', '--suspend'], 2, 'say --reason TEXT'],
      [['contain', 'agent-1', '--reason', 'r'], 2, 'say one of --suspend'],
      [['contain', 'agent-1', ...base, '--for', '5'], 2, '--for 5: say a number with its unit'],
      [['contain', ...base], 2, 'name one agent'],
      [['lift', 'cmd_nothing', '--reason', 'r'], 1, 'there is no such command'],
      [['approve', 'cmd_nothing', '--reason', 'r'], 1, 'there is no such command'],
    ];
    for (const [args, code, message] of cases) {
      const { err, ...outcome } = await parallax(...args);
      expect([args.join(' '), outcome.code, err]).toEqual([args.join(' '), code, expect.stringContaining(message)]);
    }
    expect(await commands()).not.toContainEqual(expect.objectContaining({ agentId: 'agent-9' }));
  }, 120_000);

  it('does not say that it is in force before a gateway has said so', async () => {
    await gateway.stop();
    const ordered = await parallax('contain', 'agent-1', '--suspend', '--reason', 'alone', '--wait', '1s');
    expect(ordered.code).toBe(1);
    expect(ordered.out).not.toContain('in force');
    expect(ordered.err).toContain('no gateway has confirmed within 1 s');
    gateway = await startGateway();
    expect((await call('agent-1', 'read_mail')).refusedBy).toBe('command');
    expect((await parallax('containments')).out).toContain('gateways: gateway enforced');
  }, 60_000);

  it('shows another tenant nothing of this one, and who oversees the install what was lost', async () => {
    const own = (await service.get('/v1/status', STRANGER_KEY)) as Record<string, unknown>;
    expect(own).toMatchObject({ tenant: 'elsewhere', agents: 0, openIncidents: 0, commandsInForce: 0, proposals: 0 });
    for (const shared of ['storing', 'clickhouse', 'intake', 'join', 'memory', 'detectors', 'log', 'api']) {
      expect(own).not.toHaveProperty(shared);
    }
    const all = (await service.get('/v1/status')) as Record<string, unknown>;
    expect(all).toMatchObject({
      storing: expect.anything(),
      incidents: { forgotten: 0 },
      commands: { notWatched: 0, forgotten: 0, restrictionsEvicted: 0 },
    });
    expect(await service.get('/v1/commands', STRANGER_KEY)).toEqual({ commands: [] });
    const refused = await service.request(
      '/v1/contain',
      JSON.stringify({ action: 'suspend-agent', agentId: 'agent-1', reason: 'not mine' }),
      STRANGER_KEY,
    );
    expect(refused.status).toBe(404);
  });

  async function startGateway(): Promise<GatewayProcess> {
    const folder = join(directory.path, 'gateway');
    mkdirSync(folder, { recursive: true });
    return GatewayProcess.start({
      directory: folder,
      observerUrl: service.url,
      observerKey: setup.keys.gateway,
      outcomes: OUTCOMES,
    });
  }

  function call(agentId: string, tool: string) {
    return gateway.call({ agentId, sessionId: 's', callId: `c${++calls}`, tool, args: {} });
  }

  function parallax(...args: string[]): Promise<Outcome> {
    const key = join(setup.directory, 'keys', 'admin.key');
    const given = args.includes('--key-file') ? [] : ['--key-file', key];
    return runParallax([...args, ...given, ...(args.includes('--url') ? [] : ['--url', service.url])]);
  }

  async function commands(): Promise<Command[]> {
    return ((await service.get('/v1/commands')) as { commands: Command[] }).commands;
  }

  async function inState(id: string, state: Command['state']): Promise<void> {
    await eventually(async () => {
      const command = (await commands()).find((one) => one.id === id);
      return command?.state === state ? true : undefined;
    });
  }
});

const STRANGER_KEY = 'key-of-somebody-else-0123456789';

function addKeyOfAnotherTenant(configFile: string): void {
  const config = JSON.parse(readFileSync(configFile, 'utf8')) as { keys: unknown[] };
  const secretSha256 = createHash('sha256').update(STRANGER_KEY).digest('hex');
  config.keys.push({ id: 'stranger', role: 'admin', tenant: 'elsewhere', secretSha256 });
  writeFileSync(configFile, JSON.stringify(config));
}

/** What `look` finds, as soon as it finds something. */
async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (let i = 0; i < 500; i++) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(20);
  }
  throw new Error('did not happen in time');
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
