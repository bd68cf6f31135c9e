import { createGunzip } from 'node:zlib';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { tokenizeSql } from '../sql-tokens.js';
import { badRequest, tooLarge } from './exception.js';
import type { LaneTask, RawFormat } from './lane.js';

/** Parameters of the URL that steer the HTTP interface itself and are no settings. */
const INTERFACE_PARAMETERS = new Set(
  words(`
  query database query_id default_format session_id session_timeout session_check role user password
  quota_key compress decompress enable_http_compression wait_end_of_query send_progress_in_http_headers
  http_headers_progress_interval_ms buffer_size client_protocol_version
  cancel_http_readonly_queries_on_client_close http_write_exception_in_output_format`),
);

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const RAW_FORMATS = new Map<string, RawFormat>([
  ['jsoneachrow', 'JSONEachRow'],
  ['jsoncompacteachrow', 'JSONCompactEachRow'],
  ['tabseparated', 'TabSeparated'],
  ['tsv', 'TabSeparated'],
  ['csv', 'CSV'],
]);

export interface ParsedUrl {
  query: string;
  database: string;
  queryId: string;
  format: string;
  gzipAnswer: boolean;
  params: Map<string, string>;
  settings: Map<string, string>;
}

/** @throws HttpException 400 naming the parameter */
export function parseUrl(request: IncomingMessage, defaultDatabase: string): ParsedUrl {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const search = url.searchParams;
  if (search.has('password') || search.has('user'))
    throw badRequest('give user and password in headers, not in the URL');
  const params = new Map<string, string>();
  const settings = new Map<string, string>();
  for (const [name, value] of search) {
    if (name.startsWith('param_')) params.set(checkedName(name.slice('param_'.length)), value);
    else if (!INTERFACE_PARAMETERS.has(name)) settings.set(checkedName(name), value);
  }
  const accepts = headerText(request, 'accept-encoding') ?? '';
  return {
    query: search.get('query') ?? '',
    database: checkedName(headerText(request, 'x-clickhouse-database') ?? search.get('database') ?? defaultDatabase),
    queryId: (search.get('query_id') ?? '').slice(0, 128).replaceAll(/[^\x21-\x7e]/g, ''),
    format: checkedName(search.get('default_format') ?? headerText(request, 'x-clickhouse-format') ?? 'TabSeparated'),
    gzipAnswer: search.get('enable_http_compression') === '1' && accepts.includes('gzip'),
    params,
    settings,
  };
}

function checkedName(name: string): string {
  if (!NAME.test(name)) throw badRequest(`"${name.slice(0, 128)}" is not a plain name (letters, digits and _)`);
  return name;
}

function headerText(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** Counts the bytes of all bodies held at once. */
export interface ByteBudget {
  held: number;
  readonly max: number;
}

/**
 * The whole body, decompressed. The caller gives `body.length` back to the budget when it is done.
 *
 * @throws HttpException 413 beyond `maxBytes` or when the budget is used up
 */
export async function readBody(request: IncomingMessage, maxBytes: number, budget: ByteBudget): Promise<Buffer> {
  const encoding = headerText(request, 'content-encoding') ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip') throw badRequest(`content-encoding ${encoding} is not supported`);
  const source: Readable = encoding === 'gzip' ? request.pipe(createGunzip()) : request;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of source) {
      const bytes: Buffer = chunk;
      size += bytes.length;
      budget.held += bytes.length;
      if (size > maxBytes) throw tooLarge(`the body is larger than ${maxBytes} bytes`);
      if (budget.held > budget.max) throw tooLarge('too many bytes are waiting; send less at once');
      chunks.push(bytes);
    }
  } catch (error) {
    budget.held -= size;
    throw error instanceof Error && 'status' in error ? error : badRequest(`the body cannot be read: ${String(error)}`);
  }
  return Buffer.concat(chunks, size);
}

/**
 * Recognises `INSERT INTO [TABLE] [db.]table [(columns)] FORMAT name` whose rows come in the body.
 *
 * @returns undefined when the statement is anything else
 * @throws HttpException 400 for a format that cannot be passed through
 */
export function parseRawInsert(sql: string, body: Uint8Array): LaneTask['insert'] {
  const start = sql.slice(0, 32).trimStart().toUpperCase();
  if (!start.startsWith('INSERT')) return undefined;
  const tokens = tokenizeSql(sql);
  let at = 1;
  const word = (expected: string): boolean => {
    if (tokens[at]?.text.toUpperCase() !== expected) return false;
    at++;
    return true;
  };
  if (!word('INTO')) return undefined;
  word('TABLE');
  const path: string[] = [tokens[at++]?.name ?? ''];
  if (word('.')) path.push(tokens[at++]?.name ?? '');
  const columns: string[] = [];
  if (word('(')) {
    do columns.push(tokens[at++]?.name ?? '');
    while (word(','));
    if (!word(')')) return undefined;
  }
  if (!word('FORMAT')) return undefined;
  const name = tokens[at++]?.name ?? '';
  if (at < tokens.length && !word(';')) return undefined;
  const format = RAW_FORMATS.get(name.toLowerCase());
  if (format === undefined) throw badRequest(`the insert format ${name} is not supported; use JSONEachRow`);
  for (const part of [...path, ...columns]) checkedName(part);
  return { table: path.join('.'), columns, format, body };
}

/** A list written as plain text. */
function words(text: string): string[] {
  return text.trim().split(/\s+/);
}
