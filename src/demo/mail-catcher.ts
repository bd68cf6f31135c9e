import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { inertText } from '../lib/text/inert-text.js';

/** A mail that arrived. */
export interface CaughtMail {
  subject: string;
  to: string[];
  file: string;
}

/** A mail server of our own on a free port: keeps every message as a file and remembers its subject. */
export class MailCatcher {
  readonly mails: CaughtMail[] = [];
  readonly #dir: string;
  readonly #server: SMTPServer;

  /** @param dir where the messages are put, `1.eml` and so on */
  constructor(dir: string) {
    this.#dir = dir;
    this.#server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS', 'AUTH'],
      logger: false,
      size: MAX_MAIL_BYTES,
      onData: (stream, session, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          const to = session.envelope.rcptTo.map(({ address }) => address);
          void this.#take(Buffer.concat(chunks), to, done);
        });
      },
    });
    // A client that goes away in the middle is no concern of the catcher.
    this.#server.on('error', () => {});
  }

  /** @returns the port */
  async start(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    const address = this.#server.server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #take(message: Buffer, to: string[], done: (fault?: Error | null) => void): Promise<void> {
    try {
      await this.#keep(message, to);
      done(null);
    } catch (fault) {
      done(fault instanceof Error ? fault : new Error(String(fault)));
    }
  }

  async #keep(message: Buffer, to: string[]): Promise<void> {
    const file = join(this.#dir, `${this.mails.length + 1}.eml`);
    this.mails.push({ subject: subjectOf(message.toString('latin1')), to, file });
    await writeFile(file, message, { mode: 0o600 });
  }
}

const MAX_MAIL_BYTES = 4 * 1024 * 1024;
const MAX_SUBJECT_CHARS = 160;
const MAX_HEADER_CHARS = 2_000;

/** The subject of a message as a person reads it: unfolded, decoded (RFC 2047), made inert. */
export function subjectOf(message: string): string {
  const [head = ''] = message.split('\r\n\r\n', 1);
  const lines = head.split('\r\n');
  const at = lines.findIndex((line) => line.toLowerCase().startsWith('subject:'));
  if (at < 0) return '(no subject)';
  let text = (lines[at] ?? '').slice('subject:'.length);
  for (const line of lines.slice(at + 1)) {
    if (!line.startsWith(' ') && !line.startsWith('\t')) break;
    text += line;
  }
  return inertText(decodeWords(text.trim().slice(0, MAX_HEADER_CHARS)), MAX_SUBJECT_CHARS);
}

/** `=?UTF-8?Q?...?=` and `=?UTF-8?B?...?=`; white space between two of them is not part of the text. */
function decodeWords(text: string): string {
  return text
    .replace(/(\?=)\s+(=\?)/g, '$1$2')
    .replace(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_whole, how: string, what: string) => {
      if (how.toLowerCase() === 'b') return Buffer.from(what, 'base64').toString('utf8');
      const bytes = what
        .replaceAll('_', ' ')
        .replace(/=([0-9a-f]{2})/gi, (_code, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
      return Buffer.from(bytes, 'latin1').toString('utf8');
    });
}
