import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A TCP proxy that can break a connection in the middle of what goes through it. */
export class CuttingProxy {
  readonly #server = createServer((client) => this.#join(client));
  readonly #target: { host: string; port: number };
  /** Which way the bytes go that are counted. */
  readonly #direction: 'to-target' | 'to-client';
  readonly #sockets = new Set<Socket>();
  #bytesLeft = Number.POSITIVE_INFINITY;
  #port = 0;
  cuts = 0;

  constructor(targetUrl: string, direction: 'to-target' | 'to-client') {
    const { hostname, port } = new URL(targetUrl);
    this.#target = { host: hostname, port: Number(port) };
    this.#direction = direction;
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('the proxy has no port');
    this.#port = address.port;
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Lets so many bytes more through, then breaks every connection, once. */
  cutAfter(bytes: number): void {
    this.#bytesLeft = bytes;
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    const target = connect(this.#target);
    for (const socket of [client, target]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        target.destroy();
      });
    }
    const counted = this.#direction === 'to-target' ? client : target;
    client.on('data', (bytes) => this.#pass(bytes, target, counted === client));
    target.on('data', (bytes) => this.#pass(bytes, client, counted === target));
  }

  #pass(bytes: Buffer, to: Socket, isCounted: boolean): void {
    if (!isCounted || bytes.length <= this.#bytesLeft) {
      if (isCounted) this.#bytesLeft -= bytes.length;
      to.write(bytes);
      return;
    }
    const part = bytes.subarray(0, this.#bytesLeft);
    this.#bytesLeft = Number.POSITIVE_INFINITY;
    this.cuts++;
    to.write(part, () => {
      for (const socket of this.#sockets) socket.destroy();
    });
  }
}
