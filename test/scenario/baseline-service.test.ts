import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
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

it('makes a baseline anew, loses its data directory but ClickHouse and the seed, and gets the baseline back', async () => {
  const first = prepareService(join(directory.path, 'first'));
  let service = await ServiceProcess.start(first);
  const cli = (...args: string[]): Promise<Outcome> =>
    runParallax(['baselines', ...args, '--url', service.url], { PARALLAX_KEY: first.keys.admin });
  const archive = async () => (await service.status()).baselines['archive'] as { archived: number; pending: number };
  const until = async <T>(look: () => Promise<T>, isThere: (seen: T) => boolean): Promise<T> => {
    for (let tries = 0; ; tries++) {
      const seen = await look();
      if (isThere(seen)) return seen;
      if (tries > 120) throw new Error(`it never came: ${JSON.stringify(seen)}`);
      await sleep(500);
    }
  };
  try {
    await service.post('/v1/learning', { mode: 'vouched' });
    const sessions = Array.from({ length: 30 }, (_, n) => syntheticSession(n, { agentId: AGENT, startMs: 0 }));
    await sendSessions(spread(sessions, LEARNED, MINUTE_MS), {
      post: async (speaker, batch) => void (await service.observe(speaker, batch)),
      groupSize: 3,
      inFlight: 1,
    });
    for (const { speaker, observation } of timeMoves(LEARNED + DAY_MS)) await service.observe(speaker, [observation]);
    await service.settled();
    await service.post('/v1/calibrate', {});
    await service.settled({ stored: true });

    const anew = await cli('rebuild', AGENT, '--reason', 'to be sure');
    expect(anew).toMatchObject({ code: 0, out: expect.stringContaining('30 sessions learned') });
    await service.settled({ stored: true });
    const shown = await cli('show', AGENT);
    expect(shown.out).toContain('made anew from 30 sessions, 0 left out, by admin: to be sure');
    const version = Number(/version (\d+),/.exec(shown.out)?.[1]);
    await until(archive, ({ archived, pending }) => archived >= version && pending === 0);
    expect(await service.stop()).toBe(0);

    const second = prepareService(join(directory.path, 'second'), {}, first.keys);
    mkdirSync(second.dataDir, { recursive: true, mode: 0o700 });
    for (const left of ['clickhouse', 'install-seed']) {
      cpSync(join(first.dataDir, left), join(second.dataDir, left), { recursive: true });
    }
    service = await ServiceProcess.start(second);
    const lost = await until(
      () => cli('show', AGENT),
      ({ code }) => code === 0,
    );
    expect(lost.out).toContain('no version is kept to go back to');
    expect(lost.out).toMatch(new RegExp(`to restore from ClickHouse: ${version} \\(30 sessions`));
    const back = await cli('restore', AGENT, String(version), '--reason', 'the disk broke');
    expect(back).toMatchObject({ code: 0, err: '' });
    await service.settled({ stored: true });
    const again = await cli('show', AGENT);
    expect(again.out).toContain(`${AGENT} version ${version + 1},`);
    expect(again.out).toContain(`version ${version} restored from ClickHouse by admin: the disk broke`);
  } finally {
    await service.stop();
  }
}, 180_000);
