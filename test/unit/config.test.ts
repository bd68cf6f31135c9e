import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

describe('the configuration', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => directory.remove());

  function file(text: string): string {
    const path = join(directory.path, 'parallax.yaml');
    writeFileSync(path, text);
    return path;
  }

  it('takes the environment over the file, and leaves reserved names alone', () => {
    const env = { PARALLAX_HTTP__PORT: '8080', PARALLAX_JOIN__ALLOWED_LATENESS_MS: '7', PARALLAX_KEY: 'secret' };
    const { http, join: joining } = loadConfig(file('http: { port: 1, host: 0.0.0.0 }'), env);
    expect([http.host, http.port, joining.allowedLatenessMs]).toEqual(['0.0.0.0', 8080, 7]);
  });

  it('takes a cluster, and the password of Kafka for no setting', () => {
    const sasl = 'sasl: { mechanism: scram-sha-512, username: px, passwordEnv: PARALLAX_KAFKA_SECRET }';
    const yaml = (kafka: string) => file(`cluster: { kafka: { brokers: ["kafka-1:9092", "[::1]:9093"], ${kafka} } }`);
    const env = { PARALLAX_KAFKA_SECRET: 'geheim', PARALLAX_CLUSTER__NODE__ID: 'node-7' };
    const { cluster } = loadConfig(yaml(sasl), env);
    expect(cluster).toMatchObject({
      topicPrefix: 'parallax',
      partitions: 12,
      replicationFactor: 3,
      node: { id: 'node-7' },
    });
    expect(JSON.stringify(cluster)).not.toContain('geheim');
    expect(loadConfig(file('mode: act'), {}).cluster).toBeUndefined();
    expect(() => loadConfig(yaml('tls: { certFile: a.pem }'), {})).toThrow(/give certFile and keyFile together/);
    expect(() => loadConfig(file('cluster: { kafka: { brokers: ["http://kafka:9092"] } }'), {})).toThrow(
      /use host:port/,
    );
  });

  it('names the file for what stands there, and the variable for what stands in it', () => {
    const path = file('htpp: {}\nhttp: { prot: 1 }\nmode: maybe');
    const env = { PARALLAX_HTTP__PORT: 'abc', PARALLAX_HTTP_PORT: '1' };
    let message = '';
    try {
      loadConfig(path, env);
    } catch (error) {
      message = String(error);
    }
    expect(message).toMatch(new RegExp(`${path}: htpp: is no setting`));
    expect(message).toMatch(new RegExp(`${path}: http.prot: is no setting`));
    expect(message).toMatch(new RegExp(`${path}: mode: `));
    expect(message).toMatch(/PARALLAX_HTTP__PORT: http\.port: /);
    expect(message).toMatch(/PARALLAX_HTTP_PORT: httpPort: is no setting/);
  });

  it.each(['embedded', 'http://127.0.0.1:8123', 'https://clickhouse.example.org/'])('takes %s as the store', (url) => {
    expect(loadConfig(undefined, { PARALLAX_CLICKHOUSE__URL: url }).clickhouse.url).toBe(url);
  });

  it.each([
    ['embeded', /must be "embedded", or the URL/],
    ['ftp://clickhouse', /must be "embedded", or the URL/],
    ['http://me:geheim@clickhouse:8123', /passwordEnv/],
    ['http://clickhouse:8123?password=geheim', /passwordEnv/],
  ])('refuses %s as the store, without repeating it', (url, reason) => {
    const load = () => loadConfig(undefined, { PARALLAX_CLICKHOUSE__URL: url });
    expect(load).toThrow(reason);
    expect(load).not.toThrow(/geheim/);
  });

  const webhook = (more: string) =>
    `deliver: { webhooks: [{ id: edge, url: "https://g.example.com/", secretEnv: PARALLAX_EDGE, ${more} }] }`;

  it('takes a webhook, and its secret for no setting', () => {
    const { deliver } = loadConfig(file(webhook('allowAddresses: [10.1.0.0/16]')), { PARALLAX_EDGE: 'whsec_x' });
    expect(deliver.webhooks).toMatchObject([{ id: 'edge', tenant: 'default', allowAddresses: ['10.1.0.0/16'] }]);
  });

  it.each([
    ['url: "ftp://g.example.com/"', /webhooks.0.url: must be a URL such as "https:/],
    ['url: "https://me:geheim@g.example.com/"', /webhooks.0.url: must hold no user/],
    ['secretFile: x', /give exactly one of secretEnv, secretFile/],
    ['id: "a/b"', /webhooks.0.id: use lower-case letters/],
    ['allowAddresses: [localhost]', /allowAddresses.0: use a range such as/],
    ['allowAddresses: [10.1.2.3]', /allowAddresses.0: use a range such as/],
    ['redirects: 3', /webhooks.0.redirects: is no setting/],
  ])('refuses a webhook with %s', (more, reason) => {
    const [name = ''] = more.split(':');
    const good = ['id: edge', 'url: "https://g/"', 'secretEnv: X'].filter((line) => !line.startsWith(`${name}:`));
    const path = file(`deliver: { webhooks: [{ ${[...good, more].join(', ')} }] }`);
    const load = () => loadConfig(path, {});
    expect(load).toThrow(reason);
    expect(load).not.toThrow(/geheim/);
  });

  it('refuses two webhooks of one name', () => {
    const one = 'id: edge, url: "https://g/", secretEnv: X';
    expect(() => loadConfig(file(`deliver: { webhooks: [{ ${one} }, { ${one} }] }`), {})).toThrow(
      /give each its own id/,
    );
  });
});
