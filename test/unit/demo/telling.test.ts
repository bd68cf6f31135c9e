import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { describe, expect, it } from 'vitest';
import { binomialQuantile } from '../../../src/demo/director.js';
import { MailCatcher, subjectOf } from '../../../src/demo/mail-catcher.js';
import { Narrator, wrap } from '../../../src/demo/narrator.js';
import { outcomeTable } from '../../../src/demo/outcome-table.js';
import { makePaint } from '../../../src/demo/paint.js';

const HOSTILE = 'nice\u001b[2J\u001b]0;owned\u0007 name\r\nfake: line \u202eevil\u2066';

function told(isColoured: boolean, tell: (narrator: Narrator) => void): string {
  let text = '';
  const out = (more: string) => {
    text += more;
  };
  tell(new Narrator({ out, paint: makePaint(isColoured), width: 90 }));
  return text;
}

describe('the account', () => {
  const incident = {
    id: 'inc_1',
    agentId: HOSTILE,
    openedAt: 0,
    status: 'open',
    severity: 'high' as const,
    title: HOSTILE,
    riskNats: 9,
    thresholdNats: 5,
    violation: false,
    emitters: [HOSTILE],
    arithmetic: [],
    signals: [
      { detectorId: 'd', reason: 'r', observed: HOSTILE, expected: HOSTILE, nats: 3, violation: false, shadow: false },
    ],
    commandIds: [],
  };

  it('shows what others wrote as plain characters of its own lines', () => {
    const text = told(false, (narrator) => {
      narrator.why(incident);
      narrator.mails({ mails: [{ subject: HOSTILE, to: [HOSTILE], file: '' }] });
      narrator.decided({
        id: 'c',
        action: 'revoke-session',
        agentId: 'a',
        sessionId: HOSTILE,
        reason: '',
        issuedAt: 5,
        dryRun: false,
        state: 'enforced',
        acknowledgements: [{ gatewayId: HOSTILE, effective: 'enforced', time: 17 }],
      });
    });
    expect(text).toContain('risk 9.0 nats against a threshold of 5.0');
    expect(text).toContain('after 12 ms');
    expect(text).not.toMatch(/^fake/m);
    for (const char of text) expect(char === '\n' || (char >= ' ' && !'\u007f\u202e\u2066'.includes(char))).toBe(true);
  });

  it('colours only where it may', () => {
    const checks = [{ ok: false, says: 'nothing' }];
    expect(told(true, (narrator) => narrator.outcome('all', checks))).toContain('\u001b[31m');
    expect(told(false, (narrator) => narrator.outcome('all', checks))).not.toContain('\u001b');
  });

  it('breaks between words and loses none', () => {
    const text = 'one two three four five six seven';
    const lines = wrap(text, 12);
    expect(lines.join(' ')).toBe(text);
    expect(lines.every((line) => line.length <= 12)).toBe(true);
  });

  it('sets expected beside observed and marks what differs', () => {
    const rows = [
      { title: 'first', expected: 'a', observed: 'a', ok: true },
      { title: 'second one', expected: 'bb', observed: 'c', ok: false },
    ];
    expect(outcomeTable(rows, makePaint(false)).split('\n')).toEqual([
      '        story       expected  observed',
      ' 1  ok  first       a         a',
      ' 2  NO  second one  bb        c',
    ]);
  });
});

describe('the share of false alarms that a budget lets expect', () => {
  it('is a quantile of the binomial distribution', () => {
    // By hand: 0.99^37 = 0.6894; with one 0.9471; with two 0.9940.
    expect(binomialQuantile(37, 0.01, 0.6)).toBe(0);
    expect(binomialQuantile(37, 0.01, 0.94)).toBe(1);
    expect(binomialQuantile(37, 0.01, 0.99)).toBe(2);
    expect(binomialQuantile(0, 0.01, 0.99)).toBe(0);
  });
});

describe('the mail catcher', () => {
  it('takes a message from a real client and reads its subject', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'parallax-catcher-'));
    const catcher = new MailCatcher(dir);
    const port = await catcher.start();
    const subject = 'Störung: ein sehr langer Betreff, der gefaltet wird, weil er in keine Zeile von 76 Zeichen passt';
    const client = createTransport({ host: '127.0.0.1', port, ignoreTLS: true });
    await client.sendMail({ from: 'a@example.com', to: ['b@example.com', 'c@example.com'], subject, text: 'body' });
    client.close();
    await catcher.stop();
    const [mail] = catcher.mails;
    expect(mail).toMatchObject({ subject, to: ['b@example.com', 'c@example.com'] });
    expect(readFileSync(mail?.file ?? '', 'utf8')).toContain('body');
    rmSync(dir, { recursive: true });
  });

  it('makes a hostile subject inert', () => {
    expect(subjectOf('From: x\r\nSubject: a\u001b[2J b\r\n\tc\r\nTo: y\r\n\r\nSubject: no')).toBe('a [2J b c');
    expect(subjectOf('Subject: =?utf-8?B?G1syShtd?=\r\n\r\n')).toBe('[2J ]');
    expect(subjectOf('From: x\r\n\r\nSubject: in the body')).toBe('(no subject)');
  });
});
