import { simpleParser } from 'mailparser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import type { Incident } from '../../../src/model/incident.js';
import { noticeOf, afterIncident, type GroupingRules } from '../../../src/notify/grouping.js';
import { MailChannel } from '../../../src/notify/mail.js';
import { HOSTILE_TEXTS, STEERING } from '../../support/hostile-texts.js';
import { MailCatcher } from '../../support/mail-catcher.js';
import { sampleCommand, sampleIncident, sampleSignal } from '../../support/samples.js';

const RULES: GroupingRules = { minSeverity: 'low', settleMs: 0, updateEveryMs: 0 };

/** Elements that the layout itself uses. */
const OURS = new Set([
  'body',
  'div',
  'h1',
  'h2',
  'head',
  'html',
  'img',
  'li',
  'meta',
  'p',
  'table',
  'td',
  'title',
  'tr',
  'ul',
]);
describe('a mail about a hostile agent', () => {
  const catcher = new MailCatcher();
  beforeAll(() => catcher.start());
  afterAll(() => catcher.stop());

  /** The text in every field that an agent has a hand in. */
  function hostileIncident(text: string): Incident {
    return sampleIncident({
      agentId: text,
      sessionId: text,
      tenant: text,
      title: text,
      emitters: [text],
      verdict: text,
      closedBy: text,
      arithmetic: [{ label: text, nats: 8 }],
      timeline: [{ time: 1_000, stream: 'action', text, refId: text }],
      signals: [
        sampleSignal({ reason: text, observed: text, expected: text, tool: text, tags: [text], detectorId: text }),
      ],
    });
  }

  async function mailed(text: string) {
    const incident = hostileIncident(text);
    const thread = afterIncident(undefined, incident, 0, RULES);
    if (thread === undefined) throw new Error('the sample must be worth a mail');
    const commands = [sampleCommand({ tool: text })];
    const notice = noticeOf(thread, { kind: 'updated', changes: [text] }, incident, commands);
    const channel = new MailChannel({
      host: '127.0.0.1',
      port: catcher.port,
      secure: false,
      from: 'parallax@observer.example',
      to: ['ops@example.com'],
      clock: systemClock,
    });
    const before = catcher.mails.length;
    await channel.send(notice, new AbortController().signal);
    await channel.close();
    await catcher.parsed();
    expect(catcher.mails).toHaveLength(before + 1);
    const mail = catcher.mails[before];
    if (mail === undefined) throw new Error('no mail');
    // Again, with the reference to the picture as it is.
    const plain = await simpleParser(Buffer.from(mail.raw, 'latin1'), { skipImageLinks: true });
    return { mail, text: plain.text ?? '', html: plain.html === false ? '' : plain.html };
  }

  it.each(HOSTILE_TEXTS)('does not carry %s', async (_aim, hostile) => {
    const { mail, text, html } = await mailed(hostile);
    expect(mail.recipients).toEqual(['ops@example.com']);
    expect([mail.bcc, mail.cc]).toEqual([undefined, undefined]);
    expect(mail.headerLines.map(({ key }) => key).sort()).toEqual([
      'auto-submitted',
      'content-type',
      'date',
      'from',
      'in-reply-to',
      'message-id',
      'mime-version',
      'references',
      'subject',
      'to',
      'x-auto-response-suppress',
      'x-parallax-incident',
      'x-parallax-kind',
      'x-parallax-severity',
    ]);
    expect(mail.subject?.length).toBeLessThan(240);

    // Nothing but our own elements, no address but the picture inside, and no link.
    const elements = new Set([...html.matchAll(/<\/?([a-z0-9]+)/gi)].map((match) => match[1] ?? ''));
    expect([...elements].filter((element) => !OURS.has(element))).toEqual([]);
    const attributes = [...html.matchAll(/<[^>]*\s(?:src|href|on[a-z]+)\s*=\s*"?([^"\s>]*)/gi)].map(
      (match) => match[1],
    );
    expect(attributes).toEqual([expect.stringMatching(/^cid:timeline\.inc_1\.update-1@observer\.example$/)]);
    for (const part of [text, html.replaceAll(/<[^>]*>/g, ' '), mail.subject ?? '']) {
      expect(part).not.toMatch(/evil[.。．]example/);
      expect(part).not.toMatch(/[a-z]:\/\/|victim@|javascript:|mailto:|\\\\evil/);
      expect(Array.from(part).filter((char) => STEERING.has(char))).toEqual([]);
    }
    expect(text.length).toBeLessThan(20_000);
    expect(html.length).toBeLessThan(40_000);
  });
});
