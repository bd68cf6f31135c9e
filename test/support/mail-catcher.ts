import type { AddressInfo } from 'node:net';
import { simpleParser, type ParsedMail } from 'mailparser';
import { SMTPServer } from 'smtp-server';

export interface CaughtMail extends ParsedMail {
  /** As it came over the wire. */
  raw: string;
  recipients: string[];
}

/** A real SMTP server that keeps what it is given. */
export class MailCatcher {
  readonly mails: CaughtMail[] = [];
  /** Logins seen, `user:password`. */
  readonly logins: string[] = [];
  /** Asked before a message is taken; an error refuses it. */
  refuse: (raw: string) => (Error & { responseCode?: number }) | undefined = () => undefined;
  #server: SMTPServer | undefined;
  #port = 0;
  /** One after the other, so that mails stand in the order in which they came. */
  #parsing: Promise<void> = Promise.resolve();

  get port(): number {
    return this.#port;
  }

  /** Listens; after a stop on the same port as before. */
  async start(): Promise<void> {
    const server = new SMTPServer({
      authOptional: true,
      allowInsecureAuth: true,
      disabledCommands: ['STARTTLS'],
      logger: false,
      onAuth: ({ username, password }, _session, done) => {
        this.logins.push(`${username}:${password}`);
        done(null, { user: username });
      },
      onData: (stream, session, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          const raw = Buffer.concat(chunks).toString('latin1');
          const refusal = this.refuse(raw);
          if (refusal !== undefined) {
            done(refusal);
            return;
          }
          const recipients = session.envelope.rcptTo.map(({ address }) => address);
          this.#parsing = this.#parsing.then(() => this.#keep(Buffer.concat(chunks), raw, recipients));
          done(null);
        });
      },
    });
    server.on('error', () => {});
    this.#server = server;
    await new Promise<void>((resolve) => {
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    const address: AddressInfo | string | null = server.server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
  }

  /** Resolves when everything that was taken is in `mails`. */
  parsed(): Promise<void> {
    return this.#parsing;
  }

  async #keep(bytes: Buffer, raw: string, recipients: string[]): Promise<void> {
    const mail = await simpleParser(bytes);
    this.mails.push({ ...mail, raw, recipients });
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(resolve);
    });
  }
}

/** A refusal as an SMTP server says it. */
export function smtpRefusal(responseCode: number, message: string): Error & { responseCode: number } {
  return Object.assign(new Error(message), { responseCode });
}
