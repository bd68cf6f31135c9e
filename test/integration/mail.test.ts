import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/lib/clock.js';
import { eventually } from '../support/eventually.js';
import { MailCatcher, smtpRefusal } from '../support/mail-catcher.js';
import { NotifyWorld } from '../support/notify-world.js';
import { sampleCommand, sampleIncident, sampleSignal } from '../support/samples.js';

const HOUR_MS = 3_600_000;

describe('mail about incidents', () => {
  let catcher: MailCatcher;
  let world: NotifyWorld;

  beforeEach(async () => {
    catcher = new MailCatcher();
    await catcher.start();
    world = new NotifyWorld();
  });
  afterEach(async () => {
    await world.close();
    await catcher.stop();
  });

  const arrived = (count: number) => eventually(`${count} mails`, () => catcher.mails.length >= count);
  const quiet = async () => {
    await eventually('nothing waits', () => idle());
    await catcher.parsed();
  };
  const idle = () => world.notifier?.status().waiting === 0 && world.notifier.status().unread === 0;
  const subjects = () => catcher.mails.map((mail) => mail.subject);

  it('is one message an incident, with text, HTML and a picture of its own', async () => {
    world.notify(catcher.port, { mail: { baseUrl: 'https://parallax.example/' } });
    const timeline = [{ time: 1_000, stream: 'action' as const, text: 'send_money (write): allowed', refId: 'obs_1' }];
    for (let step = 0; step < 5; step++) {
      await world.happens(sampleIncident({ timeline, commandIds: ['cmd_1'], riskNats: 8 + step }), sampleCommand());
    }
    await arrived(1);
    await quiet();
    expect(subjects()).toEqual(['[Parallax] agent-a: send_money is unusual for this request']);
    const [mail] = catcher.mails;
    expect(mail?.recipients).toEqual(['ops@example.com', 'second@example.com']);
    expect(mail?.from?.value).toEqual([{ name: 'Parallax', address: 'parallax@observer.example' }]);
    expect(mail?.messageId).toBe('<inc_1.opened@observer.example>');
    expect(mail?.headers.get('auto-submitted')).toBe('auto-generated');
    expect(mail?.text).toContain('12.0 nats, threshold 5.0 nats for 1.0 % false alarms');
    expect(mail?.text).toContain('freeze-tool send_money: sent');
    expect(mail?.text).toContain('00:00:01  action: send_money (write): allowed');
    expect(mail?.text).toContain('https://parallax.example/#inc_1');
    const picture = mail?.attachments[0];
    expect(picture?.contentType).toBe('image/png');
    expect(picture?.related).toBe(true);
    // The parser puts a picture in place of a reference that it can resolve.
    expect(mail?.html).toContain('src="data:image/png;base64,');
    expect(picture?.content.subarray(0, 8)).toEqual(Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]));
    expect([picture?.content.readUInt32BE(16), picture?.content.readUInt32BE(20)]).toEqual([1280, 380]);
  });

  it('groups updates, keeps them in the thread, and ends with a message when the incident closes', async () => {
    const clock = new ManualClock(10 * HOUR_MS);
    const rules = { minSeverity: 'medium' as const, settleMs: 0, updateEveryMs: 600_000 };
    world.notify(catcher.port, { clock, rules });
    await world.happens(sampleIncident({ severity: 'medium' }));
    await arrived(1);
    const commandIds = ['cmd_1', 'cmd_2'];
    const more = sampleSignal({ id: 'sig_2', detectorId: 'retry-loop' });
    const incident = sampleIncident({ severity: 'critical', commandIds, signals: [sampleSignal(), more] });
    await world.happens(incident, sampleCommand());
    await world.happens(incident, sampleCommand({ id: 'cmd_2', state: 'failed', action: 'revoke-session' }));
    await world.happens(sampleCommand({ state: 'enforced' }));
    await eventually('all is read', () => world.notifier?.status().unread === 0);
    expect(catcher.mails).toHaveLength(1);
    clock.advance(600_000);
    world.notifier?.hurry();
    await arrived(2);
    const update = catcher.mails[1];
    expect(update?.subject).toBe('Re: [Parallax] agent-a: send_money is unusual for this request');
    expect(update?.messageId).toBe('<inc_1.update-1@observer.example>');
    expect(update?.inReplyTo).toBe('<inc_1.opened@observer.example>');
    expect(update?.references).toBe('<inc_1.opened@observer.example>');
    expect(update?.text).toContain('severity rose from medium to critical');
    expect(update?.text).toContain('command freeze-tool send_money: enforced');
    expect(update?.text).toContain('command revoke-session send_money: failed');
    expect(update?.text).toContain('also found by retry-loop');
    expect(update?.raw).toMatch(/^importance: high\r$/im);

    await world.happens({ ...incident, status: 'closed', verdict: 'true-positive', closedBy: 'kim' });
    await arrived(3);
    await world.happens(sampleCommand({ state: 'undone' }));
    clock.advance(600_000);
    world.notifier?.hurry();
    await quiet();
    expect(catcher.mails).toHaveLength(3);
    expect(catcher.mails[2]?.messageId).toBe('<inc_1.resolved@observer.example>');
    expect(catcher.mails[2]?.text).toContain('This incident is closed as true-positive by kim.');
  });

  it('leaves out what is below the threshold until it rises, and what closed before anybody heard of it', async () => {
    world.notify(catcher.port);
    await world.happens(sampleIncident({ id: 'inc_low', severity: 'low' }));
    await world.happens(sampleIncident({ id: 'inc_old', status: 'closed' }));
    await eventually('all is read', () => world.notifier?.status().unread === 0);
    await world.happens(sampleIncident({ id: 'inc_low', severity: 'medium' }));
    await arrived(1);
    await quiet();
    expect(catcher.mails.map((mail) => mail.messageId)).toEqual(['<inc_low.opened@observer.example>']);
  });

  it('keeps trying while the server is down, without holding the outbox up, and then delivers once', async () => {
    world.notify(catcher.port);
    await catcher.stop();
    await world.happens(sampleIncident());
    await world.happens(sampleIncident({ id: 'inc_2', agentId: 'agent-b' }));
    await eventually('some tries', () => (world.notifier?.status().retries ?? 0) >= 3);
    const status = world.notifier?.status();
    expect(status).toMatchObject({ unread: 0, waiting: 2, sent: 0 });
    expect(status?.lastError).toContain(`127.0.0.1:${catcher.port}`);
    expect(status?.failingSince).toBeGreaterThan(0);
    expect(world.notifier?.cursor).toBe(world.store.outboxHead);
    await catcher.start();
    await arrived(2);
    await quiet();
    expect(catcher.mails).toHaveLength(2);
    expect(world.notifier?.status()).toMatchObject({ waiting: 0, sent: 2 });
    expect(world.notifier?.status().lastError).toBeUndefined();
    expect(world.notices.at(-1)).toBe('mail is delivered again');
  });

  it('sends what was waiting after a restart, and nothing twice', async () => {
    world.notify(catcher.port);
    await world.happens(sampleIncident());
    await arrived(1);
    await catcher.stop();
    await world.happens(sampleIncident({ id: 'inc_2' }));
    await eventually('it waits', () => world.notifier?.status().waiting === 1);
    await world.restart();
    await catcher.start();
    world.notify(catcher.port);
    await arrived(2);
    await quiet();
    await world.restart();
    world.notify(catcher.port);
    await world.happens(sampleIncident({ id: 'inc_3' }));
    await arrived(3);
    await quiet();
    expect(catcher.mails.map((mail) => mail.messageId?.slice(1, 6))).toEqual(['inc_1', 'inc_2', 'inc_3']);
  });

  it('repeats a message under the same id when the end of a try was lost', async () => {
    world.notify(catcher.port);
    let taken = 0;
    catcher.refuse = () => (taken++ === 0 ? smtpRefusal(451, 'lost after it was stored') : undefined);
    await world.happens(sampleIncident());
    await arrived(1);
    expect(taken).toBe(2);
    expect(catcher.mails[0]?.messageId).toBe('<inc_1.opened@observer.example>');
  });

  it('does not tell what happened before it was turned on', async () => {
    await world.happens(sampleIncident({ id: 'inc_before' }));
    world.notify(catcher.port);
    await world.happens(sampleIncident({ id: 'inc_after' }));
    await arrived(1);
    await quiet();
    expect(catcher.mails.map((mail) => mail.messageId)).toEqual(['<inc_after.opened@observer.example>']);
  });

  it('stays below the limit an hour, most severe first, and sums up what it left out', async () => {
    const clock = new ManualClock(10 * HOUR_MS);
    world.notify(catcher.port, { clock, maxPerHour: 4, rules: { minSeverity: 'low', settleMs: 50, updateEveryMs: 0 } });
    const flood = Array.from({ length: 60 }, (_, i) => sampleIncident({ id: `inc_${i}`, severity: 'medium' }));
    await world.happens(...flood, sampleIncident({ id: 'inc_worst', severity: 'critical' }));
    await eventually('all is read', () => world.notifier?.status().waiting === 61);
    clock.advance(50);
    world.notifier?.hurry();
    await arrived(3);
    await quiet();
    expect(catcher.mails).toHaveLength(3);
    expect(catcher.mails[0]?.messageId).toBe('<inc_worst.opened@observer.example>');
    expect(world.notifier?.status().leftOut).toBe(58);
    // The summary survives a restart.
    await world.restart();
    world.notify(catcher.port, { clock, maxPerHour: 4 });
    clock.advance(60_000);
    world.notifier?.hurry();
    await arrived(4);
    const summary = catcher.mails[3];
    expect(summary?.subject).toBe('[Parallax] 58 messages left out');
    expect(summary?.text).toContain('58 above the limit of messages an hour');
    expect(summary?.text).toContain('and 18 more');
    clock.advance(HOUR_MS);
    await world.happens(sampleIncident({ id: 'inc_later' }));
    await eventually('it waits', () => world.notifier?.status().waiting === 1);
    clock.advance(50);
    world.notifier?.hurry();
    await arrived(5);
    expect(catcher.mails[4]?.messageId).toBe('<inc_later.opened@observer.example>');
  });

  it('gives a message up that the server refuses for good, says so, and goes on with the others', async () => {
    const clock = new ManualClock(10 * HOUR_MS);
    world.notify(catcher.port, { clock, rules: { minSeverity: 'low', settleMs: 0, updateEveryMs: 0 } });
    catcher.refuse = (raw) => (raw.includes('inc_bad.opened') ? smtpRefusal(554, 'content rejected') : undefined);
    await world.happens(sampleIncident({ id: 'inc_bad', severity: 'critical' }), sampleIncident({ id: 'inc_good' }));
    await arrived(1);
    await eventually('given up', () => {
      clock.advance(5_000);
      world.notifier?.hurry();
      return world.notifier?.status().leftOut === 1;
    });
    clock.advance(60_000);
    world.notifier?.hurry();
    await arrived(2);
    expect(catcher.mails[0]?.messageId).toBe('<inc_good.opened@observer.example>');
    expect(catcher.mails[1]?.text).toContain('1 refused by the mail server');
  });

  it('counts a message whose incident is no longer held', async () => {
    const clock = new ManualClock(10 * HOUR_MS);
    world.notify(catcher.port, { clock, rules: { minSeverity: 'low', settleMs: 1_000, updateEveryMs: 0 } });
    await world.happens(sampleIncident());
    await eventually('it waits', () => world.notifier?.status().waiting === 1);
    world.forget('inc_1');
    await eventually('given up', () => {
      clock.advance(60_000);
      world.notifier?.hurry();
      return world.notifier?.status().leftOut === 1;
    });
    await arrived(1);
    expect(catcher.mails[0]?.text).toContain('1 about incidents that are no longer held in memory');
  });

  it('logs in with the configured user', async () => {
    world.notify(catcher.port, { mail: { login: { user: 'parallax', password: 'pass word' } } });
    await world.happens(sampleIncident());
    await arrived(1);
    expect(catcher.logins).toEqual(['parallax:pass word']);
  });
});
