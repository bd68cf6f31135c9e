import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Clock } from '../../lib/clock.js';
import type { Connecting } from './gateway.js';
import type { Report } from './port.js';
import type { ClientKeys } from './secrets.js';
import type { McpSession } from './session.js';

export interface HttpServerOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  clients: ClientKeys;
  /** Names under which the gateway may be asked for, beside its own address. */
  hosts: readonly string[];
  /** Pages that may call it from a browser. */
  origins: readonly string[];
  maxBodyBytes: number;
  maxSessions: number;
  /** A session without a request for so long is closed, ms. */
  idleMs: number;
  open: (transport: StreamableHTTPServerTransport, who: Connecting) => Promise<McpSession>;
  clock: Clock;
  report: Report;
}

interface HttpSession {
  clientId: string;
  transport: StreamableHTTPServerTransport;
  /** Requests and streams that are open now. */
  open: number;
  lastAt: number;
}

export const MCP_PATH = '/mcp';
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];
const MAX_SWEEP_MS = 30_000;

/**
 * The gateway's Streamable HTTP side. A key says who the client is, and so which agent it stands for; a session belongs
 * to the key that opened it. Pages of other origins, and names that are not ours (DNS rebinding), are turned away
 * before anything is read.
 */
export class McpHttpServer {
  readonly #options: HttpServerOptions;
  readonly #server: Server;
  readonly #hosts: ReadonlySet<string>;
  readonly #sessions = new Map<string, HttpSession>();
  readonly #sweep: NodeJS.Timeout;
  #url = '';

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#hosts = new Set([...LOOPBACK, bracketed(options.host), ...options.hosts].map((host) => host.toLowerCase()));
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch(() => {
        this.#options.report({ type: 'client-refused', status: 500, cause: 'a request failed' });
        if (response.headersSent) response.destroy();
        else refuse(response, 500, 'the request could not be served');
      });
    });
    this.#sweep = setInterval(() => this.#closeIdle(), Math.min(options.idleMs / 2, MAX_SWEEP_MS)).unref();
  }

  /** Where clients connect; known after `listen`. */
  get url(): string {
    return this.#url;
  }

  /** @throws whatever `listen` meets: a port in use, an address that is not this machine's */
  async listen(): Promise<void> {
    const { host, port } = this.#options;
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    const address = this.#server.address();
    const actual = typeof address === 'object' && address !== null ? address.port : port;
    this.#url = `http://${bracketed(host)}:${actual}${MCP_PATH}`;
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    this.#server.close();
    await Promise.all([...this.#sessions.values()].map(({ transport }) => transport.close()));
    this.#server.closeAllConnections();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const turnedAway = (status: number, cause: string): void => {
      this.#options.report({ type: 'client-refused', status, cause });
      refuse(response, status, cause);
    };
    const { clients, origins, maxSessions } = this.#options;
    if (!this.#hosts.has(hostnameOf(request.headers.host))) {
      return turnedAway(403, 'this gateway is not known by the Host that was asked for; add it to http.hosts');
    }
    const { origin } = request.headers;
    if (origin !== undefined && !origins.includes(origin)) {
      return turnedAway(403, 'pages of this Origin may not call; add it to http.origins');
    }
    if ((request.url ?? '').split('?', 1)[0] !== MCP_PATH) return turnedAway(404, `ask for ${MCP_PATH}`);
    const client = clients.holderOf(request.headers.authorization);
    if (client === undefined) {
      response.setHeader('www-authenticate', 'Bearer');
      return turnedAway(401, 'send the key of a client of this gateway as a Bearer token');
    }
    const sessionId = request.headers['mcp-session-id'];
    if (sessionId === undefined) {
      if (this.#sessions.size >= maxSessions) return turnedAway(503, `there are ${maxSessions} sessions already`);
      return this.#begin(request, response, { agentId: client.agentId, clientId: client.id });
    }
    const session = typeof sessionId === 'string' ? this.#sessions.get(sessionId) : undefined;
    // A session of another key is as unknown as none.
    if (session?.clientId !== client.id) return turnedAway(404, 'there is no such session; initialize a new one');
    await this.#serve(session, request, response);
  }

  async #begin(request: IncomingMessage, response: ServerResponse, who: Required<Connecting>): Promise<void> {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      maxRequestBodySize: this.#options.maxBodyBytes,
      onsessioninitialized: (id) => void this.#sessions.set(id, session),
    });
    const session: HttpSession = { clientId: who.clientId, transport, open: 0, lastAt: this.#options.clock.now() };
    await this.#options.open(transport, who);
    const close = transport.onclose;
    transport.onclose = () => {
      if (transport.sessionId !== undefined) this.#sessions.delete(transport.sessionId);
      close?.();
    };
    await this.#serve(session, request, response);
    // Anything but a proper beginning leaves nothing behind.
    if (transport.sessionId === undefined) await transport.close();
  }

  async #serve(session: HttpSession, request: IncomingMessage, response: ServerResponse): Promise<void> {
    session.open++;
    response.once('close', () => {
      session.open--;
      session.lastAt = this.#options.clock.now();
    });
    await session.transport.handleRequest(request, response);
  }

  #closeIdle(): void {
    const before = this.#options.clock.now() - this.#options.idleMs;
    for (const { open, lastAt, transport } of this.#sessions.values()) {
      if (open === 0 && lastAt < before) void transport.close();
    }
  }
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify({ jsonrpc: '2.0', error: { code: -32_000, message }, id: null }));
}

/** `localhost:7800` -> `localhost`; empty where it is no host. */
function hostnameOf(header: string | undefined): string {
  const text = `http://${header ?? ''}`;
  return header !== undefined && URL.canParse(text) ? new URL(text).hostname : '';
}

/** An IPv6 address as URLs write it. */
function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}
