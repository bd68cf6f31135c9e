import { readFileSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TlsFiles } from '../../src/model/clickhouse-settings.js';
import { StoreClient } from '../../src/store/client.js';
import { EmbeddedClickHouse } from '../../src/store/embedded/supervisor.js';
import { openStore } from '../../src/store/store.js';
import { TestAuthority, type CertificateFiles } from '../support/certificates.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const directory = temporaryDirectory();
let embedded: EmbeddedClickHouse;
let trusted: TestAuthority;
let other: TestAuthority;
let ours: CertificateFiles;
let server: Server;
/** Wants a certificate of its clients too. */
let mutual: Server;
/** Of each request: whose certificate came with it, and how the user was named. */
const seen: { client: string; certificateLogin: unknown; user: unknown }[] = [];

beforeAll(async () => {
  embedded = await EmbeddedClickHouse.start({ dataDir: join(directory.path, 'data'), database: 'parallax' });
  trusted = new TestAuthority(directory.path, 'trusted');
  other = new TestAuthority(directory.path, 'other');
  ours = trusted.issue('observer', 'DNS:observer');
  const forServer = trusted.issue('server', 'IP:127.0.0.1');
  server = await front(forServer, {});
  mutual = await front(forServer, { ca: readFileSync(trusted.caFile), requestCert: true, rejectUnauthorized: true });
});

afterAll(async () => {
  server.close();
  mutual.close();
  await embedded.stop();
  directory.remove();
});

/** A TLS endpoint before the engine's HTTP interface, as a server's own port 8443. */
async function front(files: CertificateFiles, more: object): Promise<Server> {
  const options = { cert: readFileSync(files.certFile), key: readFileSync(files.keyFile), ...more };
  const made = createServer(options, (request, response) => {
    const socket = request.socket as TLSSocket;
    const { headers, method, url } = request;
    seen.push({
      client: String(socket.getPeerCertificate().subject?.CN ?? ''),
      certificateLogin: headers['x-clickhouse-ssl-certificate-auth'],
      user: headers['x-clickhouse-user'],
    });
    const onward = httpRequest(`${embedded.url}${url}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return made;
}

const urlOf = (to: Server, host = '127.0.0.1') => `https://${host}:${(to.address() as AddressInfo).port}`;

async function firstError(to: string, tls: TlsFiles): Promise<string> {
  const client = new StoreClient({ url: to, database: 'parallax', ...embedded.writer, tls });
  try {
    await client.select('SELECT 1 AS one');
    return 'none';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await client.close();
  }
}

describe('a server behind TLS', () => {
  it('is opened, given its schema and asked, with every setting that matters', async () => {
    const store = await openStore({
      url: urlOf(server),
      database: 'parallax',
      ...embedded.writer,
      tls: { caFile: trusted.caFile },
      dataDir: directory.path,
      observationDays: 30,
      payloadDays: 3,
    });
    const names = ['async_insert', 'output_format_json_quote_64bit_integers', 'select_sequential_consistency'];
    const settings = await store.writer.select<{ name: string; value: string }>(
      'SELECT name, value FROM system.settings WHERE name IN {names:Array(String)} ORDER BY name',
      { names },
    );
    const [big] = await store.writer.select<{ n: unknown }>('SELECT toUInt64(18446744073709551615) AS n');
    expect(await store.queries.distinctObservations('default')).toBe(0);
    await store.close();
    expect(settings.map(({ value }) => value)).toEqual(['0', '1', '0']);
    expect(big?.n).toBe('18446744073709551615');
    expect(seen.length).toBeGreaterThan(10);
  });

  it('is refused when somebody else signed its certificate, and the message names the setting', async () => {
    const before = seen.length;
    expect(await firstError(urlOf(server), { caFile: other.caFile })).toMatch(/not signed by.*clickhouse\.tls\.caFile/);
    expect(await firstError(urlOf(server), {})).toContain('clickhouse.tls.caFile');
    expect(await firstError(urlOf(server, 'localhost'), { caFile: trusted.caFile })).toContain('clickhouse.url');
    expect(seen.length).toBe(before);
  });

  it('is shown our certificate where it asks for one, beside the password', async () => {
    expect(await firstError(urlOf(mutual), { caFile: trusted.caFile })).toContain('clickhouse.tls.certFile');
    expect(await firstError(urlOf(mutual), { caFile: trusted.caFile, ...ours })).toBe('none');
    expect(seen.at(-1)).toEqual({ client: 'observer', certificateLogin: undefined, user: undefined });
  });

  it('is logged in to by certificate where there is no password', async () => {
    const client = new StoreClient({
      url: urlOf(mutual),
      database: 'parallax',
      username: 'observer',
      password: '',
      tls: { caFile: trusted.caFile, ...ours },
    });
    await client.ping();
    await client.close();
    expect(seen.at(-1)).toEqual({ client: 'observer', certificateLogin: 'on', user: 'observer' });
  });

  it('says which file is missing, is no certificate, or does not go with its key', async () => {
    const nothing = join(directory.path, 'nothing.pem');
    const garbage = join(directory.path, 'garbage.pem');
    writeFileSync(garbage, 'not a certificate\n');
    const { keyFile } = other.issue('somebody', 'DNS:somebody');
    const opened = (tls: TlsFiles) => () =>
      new StoreClient({ url: urlOf(server), database: 'parallax', ...embedded.writer, tls });
    expect(opened({ caFile: nothing })).toThrow(`clickhouse.tls.caFile: ${nothing} cannot be read`);
    expect(opened({ caFile: garbage })).toThrow(`clickhouse.tls.caFile: ${garbage} holds no certificate`);
    expect(opened({ certFile: ours.certFile, keyFile })).toThrow('certFile and keyFile do not go together');
  });
});
