import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StoreClient } from '../../src/store/client.js';
import { EmbeddedClickHouse } from '../../src/store/embedded/supervisor.js';
import { migrate } from '../../src/store/migrate.js';
import { packageRoot } from '../../src/lib/package-root.js';
import { HARMLESS_STATEMENTS, HOSTILE_STATEMENTS } from '../support/hostile-statements.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const directory = temporaryDirectory();
let embedded: EmbeddedClickHouse;
let writer: StoreClient;
let reader: StoreClient;

beforeAll(async () => {
  embedded = await EmbeddedClickHouse.start({
    dataDir: directory.path,
    database: 'parallax',
    limits: {
      readerSeconds: 1,
      readerResultRows: 1000,
      maxBodyBytes: 1024 * 1024,
      maxQueued: 4,
      readerLanes: 1,
      readerMemoryBytes: 64 * 1024 * 1024,
    },
  });
  const place = { url: embedded.url, database: 'parallax' };
  writer = new StoreClient({ ...place, ...embedded.writer });
  reader = new StoreClient({ ...place, ...embedded.reader });
  await migrate({ ...place, ...embedded.writer });
});

afterAll(async () => {
  await writer.close();
  await reader.close();
  await embedded.stop();
  directory.remove();
});

/** Would take minutes, and looks at few rows. */
const SLOW =
  'SELECT count() FROM numbers(50000) AS a, numbers(50000) AS b WHERE sipHash64(a.number, b.number, toString(a.number)) = 0';

/** One request as a stranger would make it, without the client's help. */
async function ask(
  user: { username: string; password: string },
  body: string | Uint8Array<ArrayBuffer>,
  options: { query?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; code: string | null; text: string }> {
  const answer = await fetch(`${embedded.url}/?${options.query ?? ''}`, {
    method: 'POST',
    body,
    headers: { 'X-ClickHouse-User': user.username, 'X-ClickHouse-Key': user.password, ...options.headers },
  });
  return { status: answer.status, code: answer.headers.get('x-clickhouse-exception-code'), text: await answer.text() };
}

describe('the HTTP interface', () => {
  it('serves the real client: objects, gzip both ways, 64-bit integers, parameters, errors, ping', async () => {
    const client = createClient({
      url: embedded.url,
      ...embedded.writer,
      database: 'parallax',
      compression: { request: true, response: true },
      log: { level: ClickHouseLogLevel.OFF },
    });
    await client.command({ query: 'CREATE TABLE kinds (a UInt64, b String) ENGINE = MergeTree ORDER BY a' });
    const rows = [
      { a: '18446744073709551615', b: `it's \\ "x"\n\t\u00e9\u{1f600}` },
      { a: '1', b: 'x'.repeat(5000) },
    ];
    const inserted = await client.insert({ table: 'kinds', values: rows, format: 'JSONEachRow' });
    expect(inserted.summary?.written_rows).toBe('2');
    const found = await client.query({
      query: 'SELECT * FROM kinds WHERE b = {b:String} OR a IN {list:Array(UInt64)} ORDER BY a DESC',
      query_params: { b: rows[0]?.b, list: [1, 2] },
      format: 'JSONEachRow',
      query_id: 'query-1',
    });
    expect(found.query_id).toBe('query-1');
    expect(await found.json()).toEqual(rows);
    await expect(client.query({ query: 'SELECT * FROM nowhere' })).rejects.toMatchObject({
      code: '60',
      type: 'UNKNOWN_TABLE',
    });
    await expect(client.query({ query: 'SELEC 1' })).rejects.toMatchObject({ code: '62' });
    expect(await client.ping()).toEqual({ success: true });
    expect(await client.ping({ select: true })).toMatchObject({ success: true });
    await client.command({ query: 'DROP TABLE kinds' });
    await client.close();
  });

  it('keeps a setting or a parameter of one request out of the next', async () => {
    await ask(embedded.writer, "SELECT getSetting('max_block_size'), {p:String}", {
      query: 'max_block_size=7&param_p=secret',
    });
    const after = await ask(embedded.writer, "SELECT getSetting('max_block_size') = 7, {p:String}", {
      query: 'param_q=1',
    });
    expect(after.text).toBe('0\t\n');
  });

  it('takes the statement from URL, body or both, and Basic credentials', async () => {
    expect((await ask(embedded.writer, '', { query: 'query=SELECT+1' })).text).toBe('1\n');
    expect((await ask(embedded.writer, '1 + 1', { query: 'query=SELECT' })).text).toBe('2\n');
    const basic = Buffer.from(`reader:${embedded.reader.password}`).toString('base64');
    const answer = await ask({ username: '', password: '' }, 'SELECT 3', {
      headers: { Authorization: `Basic ${basic}` },
    });
    expect(answer.text).toBe('3\n');
    expect((await ask(embedded.writer, gzipSync('SELECT 4'), { headers: { 'Content-Encoding': 'gzip' } })).text).toBe(
      '4\n',
    );
  });

  it('lets nobody in without the secret', async () => {
    const wrong = [
      { username: 'default', password: '' },
      { username: '', password: '' },
      { username: 'writer', password: embedded.reader.password },
      { username: 'reader', password: embedded.writer.password },
      { username: 'writer', password: `${embedded.writer.password}x` },
    ];
    for (const user of wrong) expect(await ask(user, 'SELECT 1')).toMatchObject({ status: 403, code: '516' });
    const inUrl = await fetch(`${embedded.url}/?user=writer&password=${embedded.writer.password}&query=SELECT+1`);
    expect(inUrl.status).toBe(403);
  });

  it('reads only on GET, whoever asks', async () => {
    const headers = { 'X-ClickHouse-User': 'writer', 'X-ClickHouse-Key': embedded.writer.password };
    const answer = await fetch(`${embedded.url}/?query=CREATE+TABLE+x+(a+Int8)+ENGINE%3DMemory`, { headers });
    expect(answer.status).toBe(403);
  });

  it('refuses bodies that are too large, also after decompression', async () => {
    const large = Buffer.alloc(3 * 1024 * 1024, ' ');
    expect((await ask(embedded.writer, large)).status).toBe(413);
    const bomb = await ask(embedded.writer, gzipSync(large), { headers: { 'Content-Encoding': 'gzip' } });
    expect(bomb.status).toBe(413);
    const broken = await ask(embedded.writer, 'no gzip', { headers: { 'Content-Encoding': 'gzip' } });
    expect(broken.status).toBe(400);
  });

  it('shows its secrets neither in the process list nor in its environment', () => {
    const pid = embedded.state().pid ?? 0;
    if (!existsSync(`/proc/${pid}/cmdline`)) return;
    const shown = readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8');
    expect(shown).toContain('UV_THREADPOOL_SIZE');
    expect(shown).not.toContain(embedded.writer.password);
    expect(shown).not.toContain('HOME=');
  });
});

describe('the reading user', () => {
  it.each(HOSTILE_STATEMENTS)('is refused %s', async (_what, sql) => {
    const answer = await ask(embedded.reader, sql);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.text).not.toContain('root:');
    expect(existsSync('/tmp/parallax-outfile-test')).toBe(false);
  });

  it.each(HARMLESS_STATEMENTS)('may run: %s', async (sql) => {
    const answer = await ask(embedded.reader, sql);
    expect(answer.text).not.toContain('Exception');
    expect(answer.status).toBe(200);
  });

  it('may not change settings or the database by URL', async () => {
    expect(await ask(embedded.reader, 'SELECT 1', { query: 'max_execution_time=0' })).toMatchObject({
      status: 403,
      code: '164',
    });
    expect((await ask(embedded.reader, 'SELECT * FROM processes', { query: 'database=system' })).status).toBe(403);
    const quoted = await ask(embedded.reader, 'SELECT {p:String}', {
      query: `param_p=${encodeURIComponent("x'; SET readonly=0; --\\")}n`,
    });
    expect(quoted.text).not.toContain('Exception');
    expect(await ask(embedded.reader, 'SELECT 1', { query: `param_${encodeURIComponent('a=1;')}=1` })).toMatchObject({
      status: 400,
    });
  });

  it('is stopped at its limits of time, memory and rows', async () => {
    expect(await ask(embedded.reader, SLOW)).toMatchObject({
      status: 408,
      code: '159',
    });
    expect(await ask(embedded.reader, 'SELECT sum(number) FROM numbers(3000000000)')).toMatchObject({
      status: 413,
      code: '158',
    });
    expect(await ask(embedded.reader, 'SELECT number FROM numbers(1001)')).toMatchObject({ status: 413, code: '396' });
    expect(await ask(embedded.reader, 'SELECT length(groupArray(number)) FROM numbers(900000000)')).toMatchObject({
      code: '241',
    });
  });

  it('is told to come back later when too many wait, while the writer goes on', async () => {
    const asked = Array.from({ length: 12 }, () => ask(embedded.reader, SLOW));
    expect((await ask(embedded.writer, 'SELECT 5')).text).toBe('5\n');
    const statuses = (await Promise.all(asked)).map((answer) => answer.status);
    expect(statuses.filter((status) => status === 503).length).toBe(12 - 5);
    expect(statuses.filter((status) => status === 408).length).toBe(5);
  });
});

describe('the supervisor', () => {
  it('replaces a killed child at the same address, with the data it had', async () => {
    await writer.insert({ table: 'payloads', body: Buffer.from('{"id":"kept"}\n'), token: 'kept' });
    const before = embedded.state();
    process.kill(before.pid ?? 0, 'SIGKILL');
    await until(() => embedded.state().restarts === before.restarts + 1 && embedded.state().status === 'ready');
    expect(embedded.state().pid).not.toBe(before.pid);
    expect(await reader.select('SELECT id FROM payloads')).toEqual([{ id: 'kept' }]);
  });

  it('replaces a child that hangs', async () => {
    const own = temporaryDirectory();
    const hung = await EmbeddedClickHouse.start({
      dataDir: own.path,
      database: 'd',
      healthIntervalMs: 50,
      healthFailures: 1,
    });
    try {
      process.kill(hung.state().pid ?? 0, 'SIGSTOP');
      await until(() => hung.state().restarts >= 1 && hung.state().status === 'ready');
      expect(hung.state().lastError).toBe('signal SIGKILL');
    } finally {
      await hung.stop();
      own.remove();
    }
    expect(hung.state().status).toBe('stopped');
  });

  it('does not survive its parent', async () => {
    const own = temporaryDirectory();
    const parent = spawn(process.execPath, [join(packageRoot(), 'dist/test/support/embedded-parent.js'), own.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = await new Promise<number>((resolve) => {
      parent.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString('utf8'))));
    });
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await until(() => !isAlive(pid));
    expect(isAlive(pid)).toBe(false);
    own.remove();
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20);
}
