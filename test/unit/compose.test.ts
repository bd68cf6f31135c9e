import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DCLinter } from 'dclint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadConfig, type Config } from '../../src/config.js';
import { mountOf, readCompose, readDockerfile, xmlFault } from '../support/compose.js';
import { panelsOf, queryVariables, readDashboards } from '../support/grafana/dashboard.js';
import { baseSettings } from '../support/kafka/broker.js';
import { repositoryRoot } from '../support/recorded.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const compose = readCompose();
const services = Object.entries(compose.services).map(([name, service]) => ({ name, ...service }));
const read = (...path: string[]) => readFileSync(join(repositoryRoot, ...path), 'utf8');
const service = (name: string) => {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
};
const isOurs = ({ image }: { image: string }) => image.startsWith('parallax-observer:');
/** Configuration of a node as its container would read it. */
const configOf = (name: string): Config =>
  loadConfig(join(repositoryRoot, 'config', 'compose', 'parallax.yaml'), service(name).environment);

const lintSchema = z.array(z.object({ messages: z.array(z.unknown()) }));

/** Against the schema of the Compose Specification, and the linter's rules. */
function faultsOf(file: string): unknown[] {
  const off = 0;
  const linter = new DCLinter({
    // Services stand in the order in which they start, keys in the order in which one reads them.
    rules: {
      'services-alphabetical-order': off,
      'service-keys-order': off,
      'service-dependencies-alphabetical-order': off,
      // One image for all nodes, built when it is not there.
      'no-build-and-image': off,
    },
    quiet: false,
    debug: false,
    exclude: [],
  });
  return lintSchema.parse(linter.lintFiles([file], false)).flatMap(({ messages }) => messages);
}

describe('compose.yaml', () => {
  it('is what the Compose Specification allows, and good practice', () => {
    expect(faultsOf(join(repositoryRoot, 'compose.yaml'))).toEqual([]);
  });

  it('would be found out if it were not', () => {
    const directory = temporaryDirectory();
    const file = join(directory.path, 'compose.yaml');
    for (const fault of ['imagee: a:1.0.0', 'image: a', "image: a:1.0.0\n    ports: ['80:80']"]) {
      writeFileSync(file, `name: a\n\nservices:\n  a:\n    ${fault}\n`);
      expect(faultsOf(file)).not.toEqual([]);
    }
    directory.remove();
  });

  it.each(services)('$name: has a fixed version, and listens on this machine only', ({ image, ports }) => {
    expect(image).toMatch(/^[\w./-]+:v?\d+\.\d+(\.\d+)?$/);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it('gives every port of the machine out once', () => {
    const published = services.flatMap(({ ports }) => ports.map((port) => port.split(':')[1]));
    expect(published).toHaveLength(3);
    expect(new Set(published)).toEqual(new Set(['3000', '7700', '8025']));
  });

  it('mounts only what is there, and nothing of the repository for writing', () => {
    for (const { volumes } of services) {
      for (const volume of volumes) {
        const { source, isReadOnly } = mountOf(volume);
        const isFolder = source.startsWith('./');
        expect([source, isFolder ? existsSync(join(repositoryRoot, source)) : source in compose.volumes]).toEqual([
          source,
          true,
        ]);
        expect([source, isFolder && !isReadOnly]).toEqual([source, false]);
      }
    }
  });

  it('runs our own image without rights, and waits for what it needs', () => {
    for (const one of services.filter(isOurs)) {
      expect(one).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
      for (const [name, { condition }] of Object.entries(one.depends_on)) {
        expect(Object.keys(compose.services)).toContain(name);
        // Who ends is waited for until it has ended well, everybody else until it is healthy.
        const ends = ['secrets', 'topics'].includes(name);
        expect(condition).toBe(ends ? 'service_completed_successfully' : 'service_healthy');
      }
    }
    expect(service('topics').command).toEqual(['kafka', 'init', '--config', '/config/parallax.yaml']);
    expect(compose.services['worker']).toMatchObject({ deploy: { replicas: '${PARALLAX_WORKERS:-3}' } });
  });
});

describe('the nodes', () => {
  it.each(['api', 'worker', 'topics'])('%s: reach Kafka, ClickHouse and mail where those services are', (name) => {
    const { cluster, clickhouse, notify, http } = configOf(name);
    expect(cluster?.kafka.brokers).toEqual([
      service('kafka').environment['KAFKA_ADVERTISED_LISTENERS']?.replace('PLAINTEXT://', ''),
    ]);
    expect(cluster?.replicationFactor).toBe(Number(service('kafka').environment['KAFKA_DEFAULT_REPLICATION_FACTOR']));
    const clickhouseUrl = new URL(clickhouse.url);
    expect([clickhouseUrl.hostname in compose.services, clickhouseUrl.port]).toEqual([true, '8123']);
    // Mailpit's port for SMTP.
    expect([(notify.mail?.host ?? '') in compose.services, notify.mail?.port]).toEqual([true, 1025]);
    expect(http.publicUrl).toBe(`http://localhost:${service('api').ports[0]?.split(':')[1]}`);
    expect(http.host).toBe('0.0.0.0');
  });

  it('take their parts', () => {
    expect(configOf('api').cluster?.roles).toEqual(['api']);
    expect(configOf('worker').cluster?.roles).toContain('worker');
  });
});

describe('Kafka', () => {
  it('has the settings that the tests run against', () => {
    const listeners = ['PLAINTEXT'];
    const tested = baseSettings(1, 1, { PLAINTEXT: 9092, CONTROLLER: 9093 }, listeners, '1@kafka:9093', '/data');
    const given = Object.entries(service('kafka').environment).map(([name, value]) => {
      return [
        name
          .replace(/^KAFKA_/, '')
          .toLowerCase()
          .replaceAll('_', '.'),
        value,
      ] as const;
    });
    const placed = new Set(['listeners', 'advertised.listeners', 'log.dirs']);
    const untested = new Map([['share.coordinator.state.topic.min.isr', '1']]);
    const others = given.filter(([name]) => !placed.has(name));
    expect(others).toEqual(others.map(([name]) => [name, tested[name] ?? untested.get(name)]));
    expect(given.length).toBeGreaterThan(12);
  });
});

describe('ClickHouse', () => {
  const users = read('config', 'compose', 'clickhouse', 'users.xml');
  const grantedTo = (user: string) => {
    const [, body = ''] = new RegExp(`<${user}>\\s*<password[\\s\\S]*?<grants>([\\s\\S]*?)</grants>`).exec(users) ?? [];
    return [...body.matchAll(/<query>GRANT (.+?) ON (.+?)<\/query>/g)].map(([, what, where]) => `${what} ${where}`);
  };

  it.each(['users.xml', 'config.xml'])('%s is well-formed', (file) => {
    expect(xmlFault(read('config', 'compose', 'clickhouse', file))).toBeUndefined();
  });

  it('knows what is not well-formed', () => {
    for (const text of ['<a><b></a></b>', '<a>', '<a/><b/>', '<a>x & y</a>', '<a><!-- -- --></a>']) {
      expect(xmlFault(text)).toBeDefined();
    }
  });

  it('lets Grafana read what its dashboards read, and nothing else', () => {
    const read_ = new Set<string>();
    for (const { dashboard } of readDashboards()) {
      const texts = [
        ...panelsOf(dashboard).map(({ targets }) => targets[0].rawSql),
        ...queryVariables(dashboard).map(({ query }) => query.rawSql),
        dashboard.annotations.list[1].target.rawSql,
      ];
      for (const sql of texts) {
        const named = new Set([...sql.matchAll(/(\w+) AS\s*\(\s*SELECT/g)].map(([, name]) => name));
        for (const [, name = ''] of sql.matchAll(/\b(?:FROM|JOIN)\s+([\w.]+)/g)) {
          if (!named.has(name)) read_.add(name.includes('.') ? name : `parallax.${name}`);
        }
      }
    }
    // A view is read with the rights of whoever asks.
    read_.add('parallax.agent_classes').add('parallax.agent_classes_v');
    expect(grantedTo('grafana').sort()).toEqual([...read_].map((name) => `SELECT ${name}`).sort());
    expect(grantedTo('grafana').join()).not.toMatch(/payloads|baseline_states|\*/);
    expect(/<grafana>\s*<readonly>1<\/readonly>/.test(users)).toBe(true);
  });

  it('knows the user that nodes come as, and none without a password', () => {
    const { clickhouse } = configOf('worker');
    expect(grantedTo(clickhouse.username)).toContain(`ALL ${clickhouse.database}.*`);
    expect(users).toContain('<default remove="remove"/>');
    expect(users.match(/<password[^_>]*>|<no_password/g)).toBeNull();
  });
});

describe('Grafana', () => {
  it('is given the dashboards, the provisioning, and the password, where they look for them', () => {
    const mounts = service('grafana').volumes.map(mountOf);
    const at = (target: string) => mounts.find((mount) => mount.target === target)?.source;
    const provider = parse(read('dashboards', 'provisioning', 'dashboards', 'parallax.yaml')).providers[0];
    expect(at(provider.options.path)).toBe('./dashboards/json');
    for (const kind of ['datasources', 'dashboards']) {
      expect(at(`/etc/grafana/provisioning/${kind}`)).toBe(`./dashboards/provisioning/${kind}`);
    }
    const [source] = parse(read('dashboards', 'provisioning', 'datasources', 'parallax.yaml')).datasources;
    expect(source.jsonData).toMatchObject({ host: 'clickhouse', port: 8123, protocol: 'http', username: 'grafana' });
    const { environment } = service('grafana');
    for (const file of [source.secureJsonData.password, environment['GF_SECURITY_ADMIN_PASSWORD__FILE']]) {
      expect(file).toContain('/run/parallax-secrets/');
    }
    expect(at('/run/parallax-secrets')).toBe('grafana-secrets');
    expect(environment['GF_PLUGINS_PREINSTALL_SYNC']).toMatch(/^grafana-clickhouse-datasource@\d+\.\d+\.\d+$/);
    const versions = readDashboards().flatMap(({ dashboard }) =>
      panelsOf(dashboard).map(({ targets }) => `grafana-clickhouse-datasource@${targets[0].pluginVersion}`),
    );
    expect(new Set(versions)).toEqual(new Set([environment['GF_PLUGINS_PREINSTALL_SYNC']]));
    const home = environment['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH'] ?? '';
    expect(existsSync(join(repositoryRoot, home.replace('/etc/grafana/dashboards', 'dashboards/json')))).toBe(true);
  });
});

describe('the secrets', () => {
  const directory = temporaryDirectory();
  const file = (...path: string[]) => join(directory.path, ...path);
  const make = () =>
    execFileSync(process.execPath, [join(repositoryRoot, 'config', 'compose', 'make-secrets.js'), directory.path], {
      encoding: 'utf8',
    });
  const all = () =>
    readdirSync(directory.path, { recursive: true, encoding: 'utf8' })
      .filter((path) => statSync(file(path)).isFile())
      .map((path) => [path, readFileSync(file(path), 'utf8')] as const);
  let told = '';

  beforeAll(() => {
    told = make();
  });
  afterAll(() => directory.remove());

  it('are made once, are long, differ, and are not told', () => {
    const before = all();
    make();
    expect(all()).toEqual(before);
    const secrets = before.filter(([path]) => !path.endsWith('.xml')).map(([, text]) => text);
    expect(new Set(secrets).size).toBe(secrets.length);
    for (const text of secrets) {
      expect(text).toMatch(/^[\w-]{43}$/);
      expect(told).not.toContain(text);
    }
  });

  it('are what nodes and Grafana look for', () => {
    const paths = new Set(all().map(([path]) => path));
    const { keys, clickhouse } = configOf('worker');
    const wanted = [clickhouse.passwordFile ?? '', ...keys.map(({ secretFile = '' }) => secretFile)];
    for (const path of wanted) expect(paths).toContain(path.replace('/run/parallax-secrets', 'parallax'));
    expect([...paths].filter((path) => path.startsWith('grafana/')).sort()).toEqual([
      'grafana/admin',
      'grafana/clickhouse-reader',
    ]);
    const mounted = service('secrets').volumes.map(mountOf);
    for (const folder of ['parallax', 'grafana', 'clickhouse']) {
      expect(mounted.map(({ target }) => target)).toContain(`/secrets/${folder}`);
    }
  });

  it('are in ClickHouse as hashes only', () => {
    const users = readFileSync(file('clickhouse', 'users.xml'), 'utf8');
    expect(xmlFault(users)).toBeUndefined();
    const hashes = [...users.matchAll(/<password_sha256_hex>(.*)<\/password_sha256_hex>/g)].map(([, hash]) => hash);
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
    expect(hashes).toEqual(
      [file('parallax', 'clickhouse-writer'), file('grafana', 'clickhouse-reader')].map((path) =>
        sha256(readFileSync(path, 'utf8')),
      ),
    );
  });
});

describe('the Dockerfile', () => {
  const instructions = readDockerfile();
  const last = Math.max(...instructions.map(({ stage }) => stage));
  const final = instructions.filter(({ stage }) => stage === last);
  const copies = instructions
    .filter(({ name }) => name === 'COPY')
    .map(({ stage, rest }) => {
      const [from, ...words] = rest.startsWith('--from=') ? rest.split(/\s+/) : ['', ...rest.split(/\s+/)];
      return { stage, isBuilt: from !== '', sources: words.slice(0, -1) };
    });

  it('says every instruction in a form that is known', () => {
    const known = ['FROM', 'WORKDIR', 'COPY', 'RUN', 'ARG', 'ENV', 'USER', 'VOLUME', 'EXPOSE', 'STOPSIGNAL'];
    const names = [...known, 'HEALTHCHECK', 'ENTRYPOINT', 'CMD'];
    for (const { name, rest } of instructions) expect([names.includes(name), rest !== '']).toEqual([true, true]);
  });

  it('builds on one fixed version with glibc, and ends as a user without rights', () => {
    const bases = instructions.filter(({ name }) => name === 'FROM').map(({ rest }) => rest.split(' ')[0]);
    expect(new Set(bases).size).toBe(1);
    expect(bases[0]).toMatch(/^node:2[02]\.\d+\.\d+-bookworm-slim$/);
    const users = final.filter(({ name }) => name === 'USER').map(({ rest }) => rest);
    expect(users).toEqual(['10001:10001']);
    const afterUser = final.slice(final.findIndex(({ name }) => name === 'USER') + 1).map(({ name }) => name);
    expect(afterUser).not.toContain('COPY');
    expect(afterUser).not.toContain('RUN');
  });

  it('copies what is there and what is let through to it', () => {
    const allowed = new Set(
      read('.dockerignore')
        .split('\n')
        .filter((line) => line.startsWith('!'))
        .map((line) => line.slice(1)),
    );
    for (const { isBuilt, sources } of copies.filter(({ isBuilt }) => !isBuilt)) {
      for (const source of sources) {
        expect([source, isBuilt || existsSync(join(repositoryRoot, source))]).toEqual([source, true]);
        expect(allowed).toContain(source.split('/')[0]);
      }
    }
  });

  it('holds all that the package holds', () => {
    const { files } = JSON.parse(read('package.json'));
    const held = new Set(copies.filter(({ stage }) => stage === last).flatMap(({ sources }) => sources));
    const inImage = [...held].map((source) => source.replace(/^\/app\//, ''));
    const papers = ['README.md', 'CHANGELOG.md'];
    expect(inImage).toEqual(expect.arrayContaining(files.filter((name: string) => !papers.includes(name))));
  });

  it('asks for its health where the node listens, and keeps data where the configuration puts it', () => {
    const { http, dataDir } = configOf('worker');
    const rest = (name: string) => final.find((one) => one.name === name)?.rest ?? '';
    expect(rest('HEALTHCHECK')).toContain(`http://127.0.0.1:${http.port}/healthz`);
    expect(rest('EXPOSE')).toBe(String(http.port));
    expect(rest('VOLUME')).toBe(dataDir);
    expect(rest('CMD')).toContain('"/config/parallax.yaml"');
  });
});
