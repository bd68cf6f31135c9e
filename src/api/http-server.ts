import { createServer, Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import type { Api } from './create-api.js';

/** A slower sender gives up its place, ms. */
const REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 15_000;
const KEEP_ALIVE_MS = 30_000;
const MAX_HEADER_BYTES = 16 * 1024;

export interface HttpServer {
  /** Port it listens on; the one that was given out where 0 was asked for. */
  readonly port: number;
  readonly url: string;
  /** Takes no more requests, ends the streams, waits for requests under way, at most `graceMs`. */
  close(graceMs?: number): Promise<void>;
}

/** The address cannot be listened on; the message says why and what to change. */
export class ListenError extends Error {
  override name = 'ListenError';
}

/** Serves the API. Resolves when it listens. @throws ListenError when it cannot, for example because the port is taken */
export async function listen(
  api: Pick<Api, 'app' | 'endStreams'>,
  at: { host: string; port: number },
): Promise<HttpServer> {
  const server = createAdaptorServer({
    fetch: api.app.fetch,
    createServer,
    serverOptions: {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
  });
  if (!(server instanceof Server)) throw new TypeError('expected a plain HTTP server');
  await new Promise<void>((resolve, reject) => {
    const onError = (error: Error) => reject(listenError(error, at));
    server.once('error', onError);
    server.listen(at.port, at.host, () => {
      server.off('error', onError);
      resolve();
    });
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : at.port;
  const host = at.host.includes(':') ? `[${at.host}]` : at.host;
  return { port, url: `http://${host}:${port}`, close: (graceMs = 5_000) => close(server, api, graceMs) };
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there; stop it, or set another http.port',
  EACCES: 'this user may not use that port; set an http.port above 1023',
  EADDRNOTAVAIL: 'this machine has no such address; set http.host to one of its own',
  ENOTFOUND: 'no address is known for that name; set http.host to an address of this machine',
};

function listenError(error: Error, { host, port }: { host: string; port: number }): ListenError {
  const reason = ('code' in error ? REASONS[String(error.code)] : undefined) ?? error.message;
  return new ListenError(`cannot listen on ${host}:${port}: ${reason}`, { cause: error });
}

async function close(server: Server, api: Pick<Api, 'endStreams'>, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  api.endStreams();
  server.closeIdleConnections();
  const grace = setTimeout(() => server.closeAllConnections(), graceMs);
  try {
    await closed;
  } finally {
    clearTimeout(grace);
  }
}
