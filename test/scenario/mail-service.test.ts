import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Incident } from '../../src/model/incident.js';
import { eventually } from '../support/eventually.js';
import { MailCatcher } from '../support/mail-catcher.js';
import { fixInstallSeed, prepareService, ServiceProcess } from '../support/service-process.js';
import { sendSessions, spread, timeMoves, type Session } from '../support/session-traffic.js';
import { syntheticSession } from '../support/synthetic-sessions.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const AGENT = 'agent-office';
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const LEARNED = Date.now() - 10 * DAY_MS;
const EVENTS = Date.now() - 5 * DAY_MS;

describe('the whole service with mail', () => {
  const directory = temporaryDirectory();
  const catcher = new MailCatcher();
  let service: ServiceProcess;

  beforeAll(async () => {
    await catcher.start();
    const setup = prepareService(join(directory.path, 'mailing'), {
      join: { outOfOrderMs: DAY_MS / 4, idleMs: DAY_MS },
      detection: { falseAlarmBudget: 0.05 },
      // A decision to tell of, whatever the incident weighs.
      respond: { 'revoke-session': { severity: 'low' } },
      notify: {
        mail: {
          host: '127.0.0.1',
          port: catcher.port,
          from: 'parallax@a.example',
          to: ['b@b.example'],
          minSeverity: 'low',
        },
      },
    });
    fixInstallSeed(setup.dataDir, 7);
    service = await ServiceProcess.start(setup);
    const clean = Array.from({ length: 120 }, (_, n) => syntheticSession(n, { agentId: AGENT, startMs: 0 }));
    await service.post('/v1/learning', { mode: 'vouched' });
    await send(spread(clean, LEARNED, MINUTE_MS));
    for (const { speaker, observation } of timeMoves(LEARNED + 2 * DAY_MS))
      await service.observe(speaker, [observation]);
    await service.settled();
    await service.post('/v1/calibrate', {});
    await service.post('/v1/learning', { mode: 'frozen' });
    await service.settled();
  }, 120_000);

  afterAll(async () => {
    await service.stop();
    await catcher.stop();
    directory.remove();
  });

  it('mails an incident once, after a kill in the middle too, and says when it is closed', async () => {
    await send(spread([syntheticSession(1_005, { agentId: AGENT, startMs: 0, hijacked: true })], EVENTS, MINUTE_MS));
    await service.settled();
    const answer = (await service.get(`/v1/incidents?agentId=${AGENT}`)) as { incidents: Incident[] };
    expect(answer.incidents).toHaveLength(1);
    const id = answer.incidents[0]?.id ?? '';
    await eventually('the mail', () => catcher.mails.length > 0);
    const [mail] = catcher.mails;
    expect(mail?.messageId).toBe(`<${id}.opened@a.example>`);
    expect(mail?.text).toContain('What was decided\n- revoke-session');
    expect(mail?.attachments.map(({ contentType }) => contentType)).toEqual(['image/png']);

    await service.kill();
    service = await ServiceProcess.start(service.setup);
    await service.post(`/v1/incidents/${id}/verdict`, { verdict: 'true-positive' });
    await eventually('the last mail', () => catcher.mails.some((m) => m.messageId === `<${id}.resolved@a.example>`));
    expect(new Set(catcher.mails.map(({ messageId }) => messageId)).size).toBe(2);
    const status = (await service.get('/v1/status')) as { notify: { mail: Record<string, unknown> } };
    expect(status.notify.mail).toMatchObject({ waiting: 0, leftOut: 0, missed: 0 });
  }, 120_000);

  async function send(sessions: readonly Session[]): Promise<void> {
    await sendSessions(sessions, {
      post: async (speaker, batch) => void (await service.observe(speaker, batch)),
      groupSize: 10,
      inFlight: 1,
    });
  }
});
