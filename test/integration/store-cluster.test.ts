import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { packageRoot } from '../../src/lib/package-root.js';
import { clickhouseSchema } from '../../src/model/clickhouse-settings.js';
import { StoreClient } from '../../src/store/client.js';
import { EmbeddedClickHouse } from '../../src/store/embedded/supervisor.js';
import { schemaStatements } from '../../src/store/migrate.js';
import { ClickHouseQueries } from '../../src/store/queries.js';
import { splitStatements } from '../../src/store/sql-tokens.js';
import { StoringReader } from '../../src/store/storing-reader.js';
import { MemoryLog, MemoryStore } from '../support/memory-feed.js';
import { eventually } from '../support/eventually.js';
import { panelsOf, queryVariables, readDashboards } from '../support/grafana/dashboard.js';
import { interpolate } from '../support/grafana/interpolate.js';
import { expandMacros } from '../support/grafana/macros.js';
import { runParallax } from '../support/service-process.js';
import { createdNames, withoutOnCluster } from '../support/sql-form.js';
import { jsonBytes, sampleEffects, sampleObservation, samplePayload } from '../support/store-sample.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SINGLE = { database: 'parallax' };
const CLUSTER = { name: 'fleet', replicated: true, insertQuorum: 'auto' } as const;
const CLUSTERED = { database: 'parallax', cluster: CLUSTER };
/** What one process can run for real: a Distributed table over a shard of its own, without a Keeper. */
const LOCAL = { database: 'sharded', cluster: { ...CLUSTER, replicated: false } };
const REMOTE_SERVERS = `<clickhouse><tcp_port>9000</tcp_port><remote_servers><fleet>
  <shard><replica><host>localhost</host><port>9000</port></replica></shard></fleet></remote_servers></clickhouse>`;

const directory = temporaryDirectory();
let embedded: EmbeddedClickHouse;
let client: StoreClient;

beforeAll(async () => {
  const config = join(directory.path, 'engine.xml');
  writeFileSync(config, REMOTE_SERVERS);
  embedded = await EmbeddedClickHouse.start({
    dataDir: join(directory.path, 'data'),
    database: 'sharded',
    engineArguments: [`--config-file=${config}`],
  });
  client = new StoreClient({ url: embedded.url, database: 'sharded', ...embedded.writer });
  for (const statement of schemaStatements(LOCAL)) await client.command(withoutOnCluster(statement));
});

afterAll(async () => {
  await client.close();
  await embedded.stop();
  directory.remove();
});

async function formatted(statement: string): Promise<string> {
  const [row] = await client.select<{ text: string }>('SELECT formatQuerySingleLine({query:String}) AS text', {
    query: statement,
  });
  return row?.text ?? '';
}

describe('the schema', () => {
  it.each([
    ['for one server', SINGLE],
    ['for a cluster', CLUSTERED],
    ['for a cluster without replicas', LOCAL],
  ])('%s is understood by the engine, statement by statement', async (_, target) => {
    const statements = schemaStatements(target);
    expect(statements.length).toBeGreaterThan(50);
    for (const statement of statements) expect(await formatted(statement)).toMatch(/^(CREATE|ALTER|INSERT) /);
  });

  it('has a local and a distributed form of each table, and each view', () => {
    const tables = createdNames(schemaStatements(SINGLE), 'TABLE').filter((name) => name !== 'schema_migrations');
    expect(tables).toContain('observations');
    const both = [...tables, ...tables.map((name) => `${name}_local`), 'schema_migrations'].sort();
    expect(createdNames(schemaStatements(CLUSTERED), 'TABLE')).toEqual(both);
    expect(createdNames(schemaStatements(CLUSTERED), 'VIEW')).toEqual(createdNames(schemaStatements(SINGLE), 'VIEW'));
  });

  it('is made on every server, with every local table replicated under a path of its own', async () => {
    const statements = schemaStatements(CLUSTERED);
    const paths = new Set<string>();
    let windows = 0;
    for (const statement of statements.filter((text) => !text.startsWith('INSERT'))) {
      const text = await formatted(statement);
      expect(text).toContain('ON CLUSTER fleet');
      const path = /ReplicatedReplacingMergeTree\('([^']+)', '[^']+'(?:, \w+)?\)/.exec(text)?.[1];
      expect(path !== undefined).toBe(text.startsWith('CREATE TABLE') && !text.includes('Distributed('));
      expect(text).not.toContain('non_replicated');
      if (path !== undefined) paths.add(path);
      if (path !== undefined && text.includes('replicated_deduplication_window = 10000')) windows++;
    }
    const rowTables = createdNames(statements, 'TABLE').filter((name) => /_local$|^schema_migrations$/.test(name));
    expect(paths.size).toBe(rowTables.length);
    // All but the table of applied steps.
    expect(windows).toBe(rowTables.length - 1);
  });

  it('names the database of everything that a view reads', async () => {
    const views = schemaStatements(CLUSTERED).filter((text) => / VIEW /.test(text));
    expect(views.some((text) => (text.match(/\bFROM\b/g) ?? []).length > 1)).toBe(true);
    for (const view of views) {
      const sources = [...(await formatted(view)).matchAll(/ FROM (\S+)/g)].map(([, name = '']) => name);
      for (const name of sources) expect(name).toMatch(/^parallax\./);
    }
  });

  it('gives the distributed tables the columns that the single server has', async () => {
    const rows = await client.select<{ table: string; columns: string[] }>(
      `SELECT table, groupArray(concat(name, ' ', type, ' ', default_kind)) AS columns FROM system.columns
       WHERE database = 'sharded' GROUP BY table`,
    );
    const columnsOf = new Map(rows.map(({ table, columns }) => [table, columns]));
    const locals = rows.filter(({ table }) => table.endsWith('_local'));
    expect(locals.length).toBeGreaterThan(10);
    for (const { table, columns } of locals) expect(columnsOf.get(table.replace(/_local$/, ''))).toEqual(columns);
  });
});

describe('every table', () => {
  it('knows an insert again among ten thousand later ones', async () => {
    const rows = await client.select<{ name: string; engine: string }>(
      `SELECT name, engine_full AS engine FROM system.tables
       WHERE database = 'sharded' AND endsWith(name, '_local') ORDER BY name`,
    );
    expect(rows.length).toBeGreaterThan(10);
    const other = rows.filter(({ engine }) => !engine.includes('non_replicated_deduplication_window = 10000'));
    expect(other).toEqual([]);
  });
});

describe('docs/clickhouse.md', () => {
  const text = readFileSync(join(packageRoot(), 'docs/clickhouse.md'), 'utf8');

  it('shows SQL that the engine understands', async () => {
    const scripts = [...text.matchAll(/```sql\n([^`]+)```/g)].map((match) => match[1] ?? '');
    const statements = scripts.flatMap((script) => splitStatements(script));
    expect(statements.length).toBeGreaterThan(8);
    for (const statement of statements) expect(await formatted(statement)).toMatch(/^(CREATE|GRANT|BACKUP|RESTORE) /);
  });

  it('shows settings that are taken, and ways to print the schema that work', async () => {
    const yaml = [...text.matchAll(/```yaml\n([^`]+)```/g)].map((match) => match[1] ?? '');
    const [server, cluster] = yaml.map((part) => z.object({ clickhouse: z.looseObject({}) }).parse(parseYaml(part)));
    const config = { ...server?.clickhouse, ...cluster?.clickhouse };
    expect(clickhouseSchema.parse(config)).toMatchObject({ tls: {}, cluster: { insertQuorum: 'auto' } });
    const commands = [...text.matchAll(/^ {4}parallax (clickhouse ddl[^>\n]*)/gm)].map((match) => match[1] ?? '');
    expect(commands).toHaveLength(3);
    for (const line of commands) {
      const printed = await runParallax(line.trim().split(' '));
      expect(printed).toMatchObject({ code: 0, err: '' });
      const statements = splitStatements(printed.out);
      expect(statements.some((statement) => statement.includes('Replicated'))).toBe(line.trim().endsWith('fleet'));
      expect(statements.length).toBeGreaterThan(50);
    }
  });
});

describe('a cluster of one', () => {
  it('stores through the distributed tables, once however often a batch is sent, and reads it back', async () => {
    const log = new MemoryLog();
    for (let i = 1; i <= 50; i++) log.add({ type: 'observation', data: jsonBytes(sampleObservation(i, Date.now())) });
    log.add({ type: 'payload', data: jsonBytes(samplePayload(1)) });
    const first = new MemoryStore();
    first.add(...sampleEffects(0));
    const again = new MemoryStore();
    again.add(...sampleEffects(0));
    for (const store of [first, again]) {
      const reader = new StoringReader({ log, store, inserter: client, lingerMs: 1 });
      reader.start();
      expect(await reader.drain({ log: log.head, outbox: store.outboxHead }, 30_000)).toBe(true);
      await reader.stop();
      expect(reader.status().refusedRows).toBe(0);
    }
    const [counts] = await client.select<{ rows: string; merged: string; signals: string }>(
      `SELECT (SELECT count() FROM observations_local) AS rows, (SELECT count() FROM observations_v) AS merged,
         (SELECT count() FROM signals) AS signals`,
    );
    expect(counts).toMatchObject({
      rows: '50',
      merged: '50',
      signals: String(sampleEffects(0).filter(({ type }) => type === 'signal').length),
    });
    const queries = new ClickHouseQueries(client);
    const tenant = sampleObservation(1).tenant;
    expect(await queries.distinctObservations(tenant)).toBe(50);
    expect((await queries.incidents({ tenant, limit: 10 })).length).toBeGreaterThan(0);
  });

  it('stores a planned batch once although another worker takes over in the middle, partition by partition', async () => {
    const log = new MemoryLog();
    for (let i = 101; i <= 140; i++)
      log.add({ type: 'observation', data: jsonBytes(sampleObservation(i, Date.now())) });
    const cursors = new MemoryStore();
    // The first worker is gone after the engine took the rows, before anything was noted.
    const lost = new Error('gone');
    const dying = new StoringReader({
      log,
      store: cursors,
      partition: 3,
      maxRows: 15,
      lingerMs: 1,
      inserter: { insert: (request) => client.insert(request).then(() => Promise.reject(lost)) },
    });
    dying.start();
    await eventually('two tries', () => dying.status().retries >= 2);
    await dying.stop();
    expect(dying.status().logPosition).toBe(0);
    // More came meanwhile, and the next worker would make larger batches of it.
    for (const [partition, store] of [
      [3, cursors],
      [4, new MemoryStore()],
    ] as const) {
      const next = new StoringReader({ log, store, partition, inserter: client, lingerMs: 1 });
      next.start();
      expect(await next.drain({ log: log.head, outbox: 0 }, 30_000)).toBe(true);
      await next.stop();
    }
    const rows = await client.select<{ partition: number; rows: string; positions: string }>(
      `SELECT partition, count() AS rows, uniqExact(position) AS positions FROM observations_local
       WHERE partition IN (3, 4) GROUP BY partition ORDER BY partition`,
    );
    expect(rows).toEqual([
      { partition: 3, rows: '40', positions: '40' },
      { partition: 4, rows: '40', positions: '40' },
    ]);
  });

  it('answers every query of the dashboards', { timeout: 120_000 }, async () => {
    const values = new Map([
      ['tenant', 'default'],
      ['class', 'support'],
      ['agent', 'agent-a'],
      ['session', '*'],
    ]);
    const range = { fromMs: 0, toMs: Date.now(), intervalMs: 60_000 };
    const queries = readDashboards().flatMap(({ dashboard }) => [
      ...panelsOf(dashboard).map(({ targets }) => targets[0].rawSql),
      ...queryVariables(dashboard).map(({ query }) => query.rawSql),
      dashboard.annotations.list[1].target.rawSql,
    ]);
    expect(queries.length).toBeGreaterThan(60);
    for (const sql of queries) {
      // Some ask one distributed table about another's rows.
      const asked = `${expandMacros(interpolate(sql, values), range)} SETTINGS distributed_product_mode = 'global'`;
      await expect(client.select<object>(asked)).resolves.toBeInstanceOf(Array);
    }
  });
});
