import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { Clock } from '../../lib/clock.js';
import { SqlTextError } from '../sql-tokens.js';
import { badRequest, engineException, HttpException, refused, unauthenticated } from './exception.js';
import type { Lane, LaneResult, LaneTask } from './lane.js';
import type { EmbeddedLimits } from './limits.js';
import { guardReaderStatement, StatementRefused, type GuardRules } from './reader-guard.js';
import { parseRawInsert, parseUrl, readBody, type ByteBudget, type ParsedUrl } from './request.js';

export interface EmbeddedUser {
  username: string;
  password: string;
}

export interface HttpServerParts {
  writer: EmbeddedUser;
  reader: EmbeddedUser;
  writerLane: Lane;
  readerLanes: readonly Lane[];
  /** Where requests without a database go. */
  database: string;
  limits: EmbeddedLimits;
  rules: GuardRules;
  clock: Clock;
}

/** Settings a reader may send because they change nothing: the server's own values, or those of the transport. */
const READER_SETTINGS_IGNORED = new Set([
  'output_format_json_quote_64bit_integers',
  'readonly',
  'date_time_input_format',
]);

/** Parameters and settings travel in the URL. */
const MAX_HEADER_BYTES = 128 * 1024;

/** The ClickHouse HTTP interface over the engine's connections, as far as clients and Grafana use it. */
export function createEmbeddedServer(parts: HttpServerParts): Server {
  const budget: ByteBudget = { held: 0, max: parts.limits.maxHeldBytes };
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
    answer(parts, budget, request, response).catch((error: unknown) => fail(response, error));
  });
  // Longer than the clients keep an idle socket, so that the client is always the one who closes it.
  server.keepAliveTimeout = 60_000;
  server.headersTimeout = 65_000;
  server.maxConnections = 128;
  return server;
}

async function answer(
  parts: HttpServerParts,
  budget: ByteBudget,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0];
  if (request.method === 'GET' && (path === '/ping' || path === '/replicas_status')) {
    response.setHeader('X-Parallax-Busy-Ms', longestRunMs(parts));
    response.end('Ok.\n');
    return;
  }
  if (path !== '/') throw new HttpException(404, 36, 'BAD_ARGUMENTS', 'there is nothing at this path');
  if (request.method !== 'POST' && request.method !== 'GET') throw badRequest('use POST or GET');
  const role = authenticate(parts, request);
  const url = parseUrl(request, parts.database);
  if (url.queryId !== '') response.setHeader('X-ClickHouse-Query-Id', url.queryId);
  const body = await readBody(request, parts.limits.maxBodyBytes, budget);
  try {
    const abandoned = (): boolean => response.destroyed;
    // As with a server, GET can only read, whoever asks.
    const reading = role === 'reader' || request.method === 'GET';
    const result = reading
      ? await read(parts, url, body, abandoned)
      : await parts.writerLane.submit(writerTask(url, body, abandoned));
    succeed(response, url, result);
  } finally {
    budget.held -= body.length;
  }
}

async function read(
  parts: HttpServerParts,
  url: ParsedUrl,
  body: Buffer,
  abandoned: () => boolean,
): Promise<LaneResult> {
  for (const name of url.settings.keys()) {
    if (!READER_SETTINGS_IGNORED.has(name)) {
      throw new HttpException(403, 164, 'READONLY', `Cannot modify '${name}' setting in readonly mode.`);
    }
  }
  if (url.database !== parts.database) throw refused(`database ${url.database} is not allowed for this user`);
  const sql = guardReaderStatement(statementText(url, body), parts.rules);
  const lane = parts.readerLanes.reduce((best, next) => (load(next) < load(best) ? next : best));
  return lane.submit({ ...taskBase(url, abandoned), settings: new Map(), sql });
}

function writerTask(url: ParsedUrl, body: Buffer, abandoned: () => boolean): LaneTask {
  const base = { ...taskBase(url, abandoned), settings: url.settings };
  const insert = url.query === '' ? undefined : parseRawInsert(url.query, body);
  return insert === undefined ? { ...base, sql: statementText(url, body) } : { ...base, sql: '', insert };
}

function taskBase(url: ParsedUrl, abandoned: () => boolean): Omit<LaneTask, 'sql' | 'settings'> {
  return { database: url.database, params: url.params, format: url.format, abandoned };
}

function statementText(url: ParsedUrl, body: Buffer): string {
  const text = [url.query, body.toString('utf8')].filter((part) => part !== '').join('\n');
  if (text.trim() === '') throw badRequest('the request holds no statement');
  return text;
}

function authenticate(parts: HttpServerParts, request: IncomingMessage): 'writer' | 'reader' {
  let user = String(request.headers['x-clickhouse-user'] ?? '');
  let password = String(request.headers['x-clickhouse-key'] ?? '');
  const authorization = request.headers.authorization ?? '';
  if (authorization.startsWith('Basic ')) {
    const text = Buffer.from(authorization.slice('Basic '.length), 'base64').toString('utf8');
    const colon = text.indexOf(':');
    user = text.slice(0, Math.max(colon, 0));
    password = text.slice(colon + 1);
  }
  for (const role of ['writer', 'reader'] as const) {
    if (user === parts[role].username && sameSecret(password, parts[role].password)) return role;
  }
  throw unauthenticated();
}

/** Compares digests, so that neither content nor length shows in the time it takes. */
function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

function succeed(response: ServerResponse, url: ParsedUrl, result: LaneResult): void {
  const summary = {
    read_rows: String(result.readRows),
    read_bytes: String(result.readBytes),
    written_rows: String(result.writtenRows),
    written_bytes: String(result.writtenBytes),
    total_rows_to_read: '0',
    result_rows: '0',
    result_bytes: String(result.bytes.length),
    elapsed_ns: String(Math.round(result.elapsedSeconds * 1e9)),
  };
  response.setHeader('X-ClickHouse-Summary', JSON.stringify(summary));
  response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
  const zipped = url.gzipAnswer && result.bytes.length > 1024;
  if (zipped) response.setHeader('Content-Encoding', 'gzip');
  response.end(zipped ? gzipSync(result.bytes) : result.bytes);
}

function fail(response: ServerResponse, error: unknown): void {
  const exception = toException(error);
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  response.statusCode = exception.status;
  response.setHeader('X-ClickHouse-Exception-Code', String(exception.code));
  response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
  if (exception.status === 503) response.setHeader('Retry-After', '1');
  // A body that was not read to its end would be taken for the next request.
  if (!response.req.complete) response.setHeader('Connection', 'close');
  response.end(exception.body());
}

function toException(error: unknown): HttpException {
  if (error instanceof HttpException) return error;
  if (error instanceof StatementRefused) return refused(error.message);
  if (error instanceof SqlTextError) return badRequest(error.message);
  return engineException(error);
}

const load = (lane: Lane): number => lane.waiting + (lane.busySince === undefined ? 0 : 1);

function longestRunMs(parts: HttpServerParts): number {
  const now = parts.clock.now();
  return Math.max(0, ...[parts.writerLane, ...parts.readerLanes].map((lane) => now - (lane.busySince ?? now)));
}
