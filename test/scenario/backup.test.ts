import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { prepareService, runParallax, ServiceProcess, type Outcome } from '../support/service-process.js';
import { sendSessions, spread, timeMoves } from '../support/session-traffic.js';
import { syntheticSession } from '../support/synthetic-sessions.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const AGENT = 'agent-office';
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const LEARNED = Date.now() - 3 * DAY_MS;
const directory = temporaryDirectory();

afterAll(() => directory.remove());

it('is backed up, wiped, restored and goes on; and then forgets an agent for good', async () => {
  const setup = prepareService(directory.path);
  const copy = join(directory.path, 'copy');
  let service = await ServiceProcess.start(setup);
  const env = { PARALLAX_KEY: setup.keys.admin };
  const offline = (...args: string[]): Promise<Outcome> => runParallax([...args, '--config', setup.configFile]);
  const online = (...args: string[]): Promise<Outcome> => runParallax([...args, '--url', service.url], env);
  const send = async (from: number, to: number, { agentId = AGENT, startMs = LEARNED } = {}): Promise<void> => {
    const sessions = Array.from({ length: to - from }, (_, n) => syntheticSession(from + n, { agentId, startMs: 0 }));
    await sendSessions(spread(sessions, startMs, MINUTE_MS), {
      post: async (speaker, batch) => void (await service.observe(speaker, batch)),
      groupSize: 5,
      inFlight: 1,
    });
  };
  /** Ends the sessions that were sent. */
  const learn = async (days: number): Promise<void> => {
    await service.settled();
    for (const { speaker, observation } of timeMoves(LEARNED + days * DAY_MS)) {
      await service.observe(speaker, [observation]);
    }
    await service.settled();
    await service.post('/v1/calibrate', {});
    await service.settled();
  };
  const rowsOf = (agentId: string) => service.post('/v1/erasures', { agentId, reason: 'count', dryRun: true });
  const baselineOf = (agentId: string) => service.get(`/v1/baselines/${agentId}`);
  const sessionsOf = async (agentId: string) => ((await baselineOf(agentId)) as { sessionCount: number }).sessionCount;
  const archived = async () => {
    const { pending } = (await service.status()).baselines['archive'] as { pending: number };
    return pending === 0;
  };
  try {
    await service.post('/v1/learning', { mode: 'vouched' });
    await send(0, 20);
    await send(0, 2, { agentId: 'agent-other' });
    await learn(1);
    await eventually('the baselines are archived', archived);
    await service.settled({ stored: true });
    const before = { rows: await rowsOf(AGENT), baseline: await baselineOf(AGENT) };
    expect(before.baseline).toMatchObject({ sessionCount: 20 });

    const running = await offline('backup', copy);
    expect(running).toMatchObject({ code: 1, err: expect.stringContaining('is held by process') });
    expect(await service.stop()).toBe(0);
    expect(await offline('backup', copy)).toMatchObject({ code: 0, err: '' });
    expect(await offline('restore', copy)).toMatchObject({ code: 1, err: expect.stringContaining('is not empty') });

    rmSync(setup.dataDir, { recursive: true });
    const seed = join(copy, 'data', 'install-seed');
    const kept = readFileSync(seed);
    writeFileSync(seed, '1\n');
    expect(await offline('restore', copy)).toMatchObject({ code: 1, err: expect.stringContaining('is not what was') });
    writeFileSync(seed, kept);
    expect(await offline('restore', copy)).toMatchObject({ code: 0, err: '' });

    service = await ServiceProcess.start(setup);
    await eventually('ClickHouse is open', async () => 'logBacklog' in (await service.status()).storing);
    expect({ rows: await rowsOf(AGENT), baseline: await baselineOf(AGENT) }).toEqual(before);
    // Scoring goes on: what comes now is learned on top of what was.
    await send(20, 25, { startMs: LEARNED + DAY_MS + MINUTE_MS });
    await learn(2);
    // The two, and the one whose events move the time.
    expect((await service.status()).baselines['agents']).toBe(3);
    await eventually('25 sessions are learned', async () => (await sessionsOf(AGENT)) === 25);

    expect(await online('erase', '--agent', AGENT, '--reason', 'asked for')).toMatchObject({
      code: 1,
      err: expect.stringContaining('nothing was erased'),
    });
    const erased = await online('erase', '--agent', AGENT, '--reason', 'asked for', '--yes');
    expect(erased).toMatchObject({ code: 0, err: '', out: expect.stringContaining('is done') });
    expect(await rowsOf(AGENT)).toEqual({ tables: [] });
    expect(await rowsOf('agent-other')).not.toEqual({ tables: [] });
    await expect(baselineOf(AGENT)).rejects.toThrow('404');
    expect((await service.status()).baselines['agents']).toBe(2);
    // What scoring has let go of stays away.
    expect(await service.stop()).toBe(0);
    service = await ServiceProcess.start(setup);
    expect((await service.status()).baselines['agents']).toBe(2);
  } finally {
    await service.stop();
  }
}, 180_000);
