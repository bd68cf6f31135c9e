import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { createServer as createPlainServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AddressRules } from '../../../../src/respond/webhook/address-rules.js';
import {
  DestinationError,
  GuardedPost,
  type GuardedPostOptions,
  type Resolve,
} from '../../../../src/respond/webhook/guarded-post.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';
import { WebhookReceiver } from '../../../support/webhook-receiver.js';

const LOOPBACK = ['127.0.0.0/8', '::1/128'];

describe('a post to a gateway', () => {
  let receiver: WebhookReceiver;
  const posts: GuardedPost[] = [];
  beforeEach(async () => {
    receiver = await new WebhookReceiver().start();
  });
  afterEach(async () => {
    for (const post of posts.splice(0)) post.close();
    await receiver.stop();
  });

  function open(url: string, allowed: string[] = LOOPBACK, change: Partial<GuardedPostOptions> = {}) {
    const post = new GuardedPost({ url, rules: new AddressRules(allowed), timeoutMs: 2_000, ...change });
    posts.push(post);
    return (body = '{}', signal = new AbortController().signal) => post.post({ 'x-test': 'yes' }, body, signal);
  }
  const to = (hostname: string) => `http://${hostname}:${receiver.port}/hook`;
  const resolvesTo = (...addresses: string[]): { resolve: Resolve } => ({
    resolve: (_, callback) =>
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      ),
  });

  it('arrives, with its headers, and brings back the answer', async () => {
    receiver.answers.push({ status: 202, body: 'taken', headers: { 'retry-after': '3' } });
    expect(await open(to('127.0.0.1'))('{"a":1}')).toEqual({ status: 202, text: 'taken', retryAfterMs: 3_000 });
    expect(receiver.received[0]).toMatchObject({ body: '{"a":1}', headers: { 'x-test': 'yes' } });
  });

  /** All of these are this machine, a neighbour or a cloud's credentials, however they are written. */
  const CORPUS = [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '0x7f.0.0.1',
    '017700000001',
    '127.0.0.1.',
    '%31%32%37.0.0.1',
    '①②⑦.⓪.⓪.①',
    '0',
    '0.0.0.0',
    'localhost',
    '[::1]',
    '[::]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
    '[64:ff9b::127.0.0.1]',
    '[2002:7f00:1::]',
    '10.0.0.1',
    '192.168.0.1',
    '0xc0a80001',
    '169.254.169.254',
    '2852039166',
    '0xA9FEA9FE',
    '[::ffff:169.254.169.254]',
    '[fd00:ec2::254]',
    '[fe80::1]',
    '100.100.100.200',
    '168.63.129.16',
    '255.255.255.255',
  ];

  it.each(CORPUS.flatMap((host) => [`http://${host}`, `https://${host}`]))(
    'is not sent to %s, with a reason and the way out',
    async (origin) => {
      const post = open(`${origin}:${receiver.port}/hook`, []);
      await expect(post()).rejects.toThrow(DestinationError);
      await expect(post()).rejects.toThrow(/ is .+; if the gateway is there, list it in allowAddresses$/);
      expect(receiver.received).toEqual([]);
    },
  );

  it.each([
    [['10.0.0.1']],
    [['93.184.216.34', '127.0.0.1']],
    [['::1', '2606:4700::1111']],
    [['::ffff:169.254.169.254']],
  ])('is not sent to a name that stands for %j', async (addresses) => {
    const post = open('https://gateway.example.com/hook', [], resolvesTo(...addresses));
    await expect(post()).rejects.toThrow(/ is .*list it in allowAddresses/);
  });

  it('is sent where a name points when it connects, and no more once that is elsewhere', async () => {
    // First a listed address, then one that is not: what a hostile name server would answer.
    const answers = ['127.0.0.1', '127.0.0.2'];
    const asked: string[] = [];
    const post = open(to('rebinding.example.com'), ['127.0.0.1/32'], {
      resolve: (name, callback) => {
        asked.push(name);
        callback(null, [{ address: answers[Math.min(asked.length - 1, 1)] ?? '', family: 4 }]);
      },
    });
    expect(await post()).toMatchObject({ status: 204 });
    // The connection is kept: nothing is looked up, and it goes where it was checked.
    expect(await post()).toMatchObject({ status: 204 });
    expect(asked).toEqual(['rebinding.example.com']);
    // A connection that has to be made again is checked again.
    receiver.answers.push({ status: 200, headers: { connection: 'close' } });
    await post();
    await expect(post()).rejects.toThrow('127.0.0.2 is this machine');
    expect(receiver.received).toHaveLength(3);
    expect(asked.length).toBeGreaterThan(1);
  });

  it('goes without TLS only where somebody listed the address', async () => {
    await expect(open('http://gateway.example.com/hook', [], resolvesTo('93.184.216.34'))()).rejects.toThrow(
      '93.184.216.34 is reached without TLS; use https, or list it in allowAddresses',
    );
    await expect(open('http://93.184.216.34/hook', [])()).rejects.toThrow(/without TLS/);
  });

  it.each([301, 302, 303, 307, 308])('does not follow a redirect with %i', async (status) => {
    const other = await new WebhookReceiver().start();
    receiver.answers.push({ status, headers: { location: other.url } });
    expect((await open(to('127.0.0.1'))()).status).toBe(status);
    expect(other.received).toEqual([]);
    await other.stop();
  });

  it('reads no more of an answer than it needs, and waits no longer than it may', async () => {
    const post = open(to('127.0.0.1'), LOOPBACK, { timeoutMs: 300 });
    receiver.answers.push({ status: 200, body: 'x'.repeat(5_000_000) });
    expect(await post()).toEqual({ status: 200, text: '' });
    receiver.answers.push('hang', 'break');
    await expect(post()).rejects.toThrow('no whole answer within 300 ms');
    await expect(post()).rejects.toThrow(/^(ECONNRESET|the answer broke off)/);
    const stopping = new AbortController();
    receiver.answers.push('hang');
    const stopped = post('{}', stopping.signal);
    stopping.abort();
    await expect(stopped).rejects.toThrow('the observer is stopping');
  });

  it('tells nothing of what the other side wrote when it is no HTTP', async () => {
    const server = createPlainServer((socket) => socket.resume().end('SECRET-OF-ANOTHER-SERVICE\r\n\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // It listens on a port.
    const { port } = server.address() as AddressInfo;
    const failed = await open(`http://127.0.0.1:${port}/`)().catch((error: unknown) => String(error));
    expect(failed).toMatch(/^Error: HPE_/);
    expect(failed).not.toContain('SECRET');
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('a post with TLS', () => {
  const directory = temporaryDirectory();
  let server: Server;
  let port = 0;
  beforeEach(async () => {
    const [key, cert] = [join(directory.path, 'key.pem'), join(directory.path, 'cert.pem')];
    const subject = ['-subj', '/CN=gateway.example.com', '-addext', 'subjectAltName=DNS:gateway.example.com'];
    const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    execFileSync('openssl', [...make, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
    server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) => response.end('ok'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // It listens on a port.
    port = (server.address() as AddressInfo).port;
  });
  afterEach(async () => {
    await new Promise((resolve) => server.close(resolve));
    directory.remove();
  });

  it('trusts the certificates that were named, for the name that was asked', async () => {
    const ca = readFileSync(join(directory.path, 'cert.pem'), 'utf8');
    const post = (hostname: string, trusted?: string) => {
      const target = new GuardedPost({
        url: `https://${hostname}:${port}/`,
        rules: new AddressRules(['127.0.0.1/32']),
        timeoutMs: 5_000,
        ca: trusted,
        resolve: (_, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]),
      });
      return target.post({}, '{}', new AbortController().signal).finally(() => target.close());
    };
    expect(await post('gateway.example.com', ca)).toEqual({ status: 200, text: 'ok' });
    await expect(post('gateway.example.com')).rejects.toThrow(/SELF_SIGNED|UNABLE_TO_VERIFY/);
    await expect(post('another.example.com', ca)).rejects.toThrow('ERR_TLS_CERT_ALTNAME_INVALID');
  });
});
