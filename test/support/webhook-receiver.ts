import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** A webhook as it came. */
export interface ReceivedWebhook {
  headers: IncomingMessage['headers'];
  body: string;
}

/** What a receiver answers: a status, or something that it does with the connection. */
export type ReceiverAnswer =
  | { status: number; body?: string; headers?: Record<string, string> }
  | 'hang'
  | 'break'
  | { delayMs: number };

/** A gateway that takes webhooks over real HTTP. */
export class WebhookReceiver {
  /** Everything that came whole, whatever was answered. */
  readonly received: ReceivedWebhook[] = [];
  /** Answers, used up first in, first out; 204 afterwards. */
  readonly answers: ReceiverAnswer[] = [];
  /** Called for each one; what it returns is answered when `answers` is empty. */
  onWebhook: (webhook: ReceivedWebhook) => ReceiverAnswer = () => ({ status: 204 });
  readonly #server = createServer((request, response) => {
    this.#take(request, response).catch(() => response.destroy());
  });
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** @param port of an earlier receiver, which it takes the place of */
  async start(port = 0): Promise<this> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('the receiver has no port');
    this.#port = address.port;
    return this;
  }

  get port(): number {
    return this.#port;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) if (chunk instanceof Buffer) chunks.push(chunk);
    const webhook = { headers: request.headers, body: Buffer.concat(chunks).toString('utf8') };
    this.received.push(webhook);
    const answer = this.answers.shift() ?? this.onWebhook(webhook);
    if (answer === 'hang') return;
    if (answer === 'break') {
      response.destroy();
      return;
    }
    if ('delayMs' in answer) {
      await new Promise((resolve) => setTimeout(resolve, answer.delayMs));
      response.writeHead(204).end();
      return;
    }
    response.writeHead(answer.status, answer.headers).end(answer.body);
  }
}
