import { createTransport, type SendMailOptions, type Transporter } from 'nodemailer';
import type { Clock } from '../lib/clock.js';
import { inertText } from '../lib/text/inert-text.js';
import { mailHtml } from './mail-html.js';
import { storyOf } from './mail-story.js';
import { mailText } from './mail-text.js';
import { RefusedError, type Channel, type Notice } from './port.js';
import { PICTURE_HEIGHT, SHOWN_WIDTH, timelinePicture } from './timeline-picture.js';

const CONNECT_MS = 10_000;
/** Silence of the server in the middle of a conversation, ms. */
const SILENCE_MS = 30_000;
const ANSWER_CHARS = 300;
/** What nodemailer calls a message or an address that the server does not take. */
const MESSAGE_CODES = new Set(['EENVELOPE', 'EMESSAGE']);

export interface MailOptions {
  host: string;
  port: number;
  /** TLS from the first byte; otherwise the connection is upgraded where the server can. */
  secure: boolean;
  login?: { user: string; password: string };
  from: string;
  to: readonly string[];
  baseUrl?: string;
  clock: Clock;
}

/** Sends notices by SMTP. */
export class MailChannel implements Channel {
  readonly name = 'mail';
  readonly #options: MailOptions;
  readonly #transport: Transporter;
  /** Right side of message ids. */
  readonly #domain: string;

  constructor(options: MailOptions) {
    const { host, port, secure, login } = options;
    this.#options = options;
    this.#domain = options.from.slice(options.from.lastIndexOf('@') + 1);
    this.#transport = createTransport({
      host,
      port,
      secure,
      // A password never crosses a network in the clear.
      requireTLS: login !== undefined && !isLoopback(host),
      ...(login === undefined ? {} : { auth: { user: login.user, pass: login.password } }),
      connectionTimeout: CONNECT_MS,
      greetingTimeout: CONNECT_MS,
      socketTimeout: SILENCE_MS,
      dnsTimeout: CONNECT_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  }

  async send(notice: Notice, signal: AbortSignal): Promise<string> {
    const { host, port } = this.#options;
    try {
      const info: unknown = await this.#transport.sendMail({ ...this.#message(notice), signal });
      return answerOf(info);
    } catch (error) {
      const reason = inertText(error instanceof Error ? error.message : String(error), ANSWER_CHARS);
      const message = `${host}:${port}: ${reason}`;
      throw isRefusal(error) ? new RefusedError(message, { cause: error }) : new Error(message, { cause: error });
    }
  }

  close(): Promise<void> {
    this.#transport.close();
    return Promise.resolve();
  }

  #message(notice: Notice): SendMailOptions {
    const { from, to, baseUrl, clock } = this.#options;
    const story = storyOf(notice, baseUrl);
    const common: SendMailOptions = {
      from: { name: 'Parallax', address: from },
      to: to.map((address) => ({ name: '', address })),
      date: new Date(clock.now()),
      messageId: this.#messageId(notice.key),
      text: mailText(story),
      headers: {
        // Keeps holiday replies away (RFC 3834).
        'Auto-Submitted': 'auto-generated',
        'X-Auto-Response-Suppress': 'All',
        'X-Parallax-Kind': notice.kind,
      },
    };
    if (notice.kind === 'summary') {
      return { ...common, subject: `[Parallax] ${story.headline}`, html: mailHtml(story, {}) };
    }
    const { incident, threadKey, subject } = notice;
    const cid = `timeline.${notice.key}@${this.#domain}`;
    const height = PICTURE_HEIGHT / 2;
    const alt = `Timeline of the four streams: ${incident.timeline.length} observations, with the incident marked.`;
    const first = notice.key === threadKey;
    return {
      ...common,
      subject: first ? subject : `Re: ${subject}`,
      ...(first ? {} : { inReplyTo: this.#messageId(threadKey), references: [this.#messageId(threadKey)] }),
      ...(incident.severity === 'critical' && notice.kind !== 'resolved' ? { priority: 'high' as const } : {}),
      headers: {
        'Auto-Submitted': 'auto-generated',
        'X-Auto-Response-Suppress': 'All',
        'X-Parallax-Kind': notice.kind,
        'X-Parallax-Incident': inertText(incident.id),
        'X-Parallax-Severity': incident.severity,
      },
      html: mailHtml(story, {
        ...(notice.kind === 'resolved' ? {} : { severity: incident.severity }),
        picture: { cid, alt, width: SHOWN_WIDTH, height },
      }),
      attachments: [
        {
          filename: 'timeline.png',
          content: timelinePicture(incident),
          contentType: 'image/png',
          contentDisposition: 'inline',
          cid,
        },
      ],
    };
  }

  #messageId(key: string): string {
    return `<${key}@${this.#domain}>`;
  }
}

/** Whether the server will refuse the same message again; a wrong password or a closed mailbox can be mended. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error) || !('permanent' in error)) return false;
  return error.permanent === true && MESSAGE_CODES.has(String(error.code));
}

function answerOf(info: unknown): string {
  if (typeof info !== 'object' || info === null || !('response' in info)) return 'taken';
  const rejected = 'rejected' in info && Array.isArray(info.rejected) ? info.rejected.map(String) : [];
  const answer = inertText(String(info.response), ANSWER_CHARS);
  return rejected.length === 0 ? answer : `${answer}; refused for ${inertText(rejected.join(', '), ANSWER_CHARS)}`;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
