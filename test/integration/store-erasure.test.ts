import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Effect } from '../../src/model/effect.js';
import type { RawRecord } from '../../src/log/port.js';
import { StoreClient } from '../../src/store/client.js';
import { storageOf } from '../../src/store/cluster.js';
import { EmbeddedClickHouse } from '../../src/store/embedded/supervisor.js';
import { countErasure, erase } from '../../src/store/eraser.js';
import { KEPT_TABLES } from '../../src/store/erasure-plan.js';
import { migrate } from '../../src/store/migrate.js';
import { ClickHouseQueries } from '../../src/store/queries.js';
import { StoringReader } from '../../src/store/storing-reader.js';
import { MemoryLog, MemoryStore } from '../support/memory-feed.js';
import {
  jsonBytes,
  sampleDeadLetter,
  sampleEffects,
  sampleObservation,
  samplePayload,
} from '../support/store-sample.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const PERSON = 'ann@example.com';
/** As the keyed hash of the address would be. */
const HASH = 3_141_592_653;
const directory = temporaryDirectory();
let embedded: EmbeddedClickHouse;
let client: StoreClient;
let made = 0;

beforeAll(async () => {
  embedded = await EmbeddedClickHouse.start({ dataDir: directory.path, database: 'parallax' });
});

afterAll(async () => {
  await client.close();
  await embedded.stop();
  directory.remove();
});

/** Each test has tables of its own. */
beforeEach(async () => {
  const connection = { url: embedded.url, database: `erasure_${made++}`, ...embedded.writer };
  await migrate(connection);
  client = new StoreClient(connection);
});

async function store(records: RawRecord[], effects: Effect[]): Promise<void> {
  const [log, cursors] = [new MemoryLog(), new MemoryStore()];
  log.add(...records);
  cursors.add(...effects);
  const reader = new StoringReader({ log, store: cursors, inserter: client, lingerMs: 1 });
  reader.start();
  expect(await reader.drain({ log: log.head, outbox: cursors.outboxHead }, 30_000)).toBe(true);
  await reader.stop();
  expect(reader.status().refusedRows).toBe(0);
}

/** Everything that a value is in, as somebody else's. */
function as<T>(value: T, change: Record<string, unknown>): T {
  return { ...value, ...change };
}

const record = (type: RawRecord['type'], value: unknown): RawRecord => ({ type, data: jsonBytes(value) });

async function count(sql: string): Promise<number> {
  const [row] = await client.select<{ rows: string }>(`SELECT count() AS rows FROM ${sql}`);
  return Number(row?.rows);
}

describe('erasing an agent', () => {
  it('leaves no row of it in any table, and touches neither other agents nor other tenants', async () => {
    const people = [{}, { agentId: 'agent-b' }, { tenant: 'other' }];
    const records = people.flatMap((who, i) => {
      const observation = as(sampleObservation(2, Date.now()), { agentId: 'agent-a', ...who, id: `obs-${i}` });
      const read = { id: `read-${i}`, time: 1, readBy: 'k', role: 'admin', observationId: 'o', reason: 'r' };
      return [
        record('observation', observation),
        record('payload', as(samplePayload(i), who)),
        record('content-read', { tenant: 'default', agentId: 'agent-a', ...read, ...who }),
      ];
    });
    // A child of the agent, and a dead letter that shows its id: both in words only.
    const child = as(sampleObservation(2, Date.now()), { id: 'child', agentId: 'agent-c', parentAgentId: 'agent-a' });
    const letter = (id: string, agent: string) =>
      record('dead-letter', as(sampleDeadLetter(1), { id, excerpt: `{"agentId":"${agent}","time":"soon"}` }));
    records.push(record('observation', child), letter('dl-a', 'agent-a'), letter('dl-ab', 'agent-ab'));
    await store(
      records,
      people.flatMap((who, i) =>
        sampleEffects(i).map((effect) => ({ ...effect, value: { ...effect.value, ...who } }) as Effect),
      ),
    );
    for (const who of ['agent-a', 'agent-b']) {
      await client.command(
        `INSERT INTO baseline_states (tenant, agentId, version, archivedAt) VALUES ('default', '${who}', 1, now())`,
      );
    }
    const request = { tenant: 'default', subject: { agentId: 'agent-a' }, hash: 0 };
    const tables = await client.select<{ table: string }>(
      `SELECT DISTINCT table FROM system.columns WHERE database = currentDatabase() AND name = 'agentId'
         AND NOT endsWith(table, '_v') ORDER BY table`,
    );
    const held = tables.map(({ table }) => table).filter((table) => !KEPT_TABLES.has(table));
    expect(held.length).toBeGreaterThan(10);

    const counted = await countErasure(client, request);
    const erased = await erase(client, request);
    expect(erased).toEqual(counted);
    expect(erased.map(({ table }) => table)).toEqual([...held, 'dead_letters'].sort());
    expect(erased.find(({ table }) => table === 'observations')).toMatchObject({ deleted: 1, blanked: 1 });
    for (const table of held) {
      // Also what is only marked as deleted would be counted.
      expect(
        await count(`${table} WHERE tenant = 'default' AND agentId = 'agent-a' SETTINGS apply_deleted_mask = 0`),
      ).toBe(0);
      expect(await count(`${table} WHERE agentId = 'agent-b'`)).toBeGreaterThan(0);
    }
    expect(await count("commands WHERE tenant = 'other' AND agentId = 'agent-a'")).toBe(1);
    expect(await count("observations WHERE id = 'child' AND parentAgentId = '[erased]'")).toBe(1);
    expect(await count("dead_letters WHERE id = 'dl-ab'")).toBe(1);
    expect(await count("content_reads WHERE agentId = 'agent-a'")).toBe(2);
    expect(await countErasure(client, request)).toEqual([]);
  });
});

describe('erasing a person', () => {
  it('takes what names them, blanks the name in what stays, and takes no other name for theirs', async () => {
    const observed = (n: number, id: string, change: object) =>
      record('observation', as(sampleObservation(n, Date.now()), { id, ...change }));
    const target = (value: string, hash = 1) => ({
      targets: [{ field: 'to', kind: 'email', value, hash, words: [], origin: 'prompt' }],
    });
    await store(
      [
        observed(2, 'by-target', target('ANN@example.com')),
        observed(2, 'by-hash', target('[hash:bb40e64d]@example.com', HASH)),
        observed(0, 'by-prompt', { values: [1, HASH] }),
        observed(5, 'by-approver', { approverId: PERSON }),
        observed(2, 'joann', target('joann@example.com')),
        observed(2, 'ann-au', target('ann@example.com.au')),
        observed(4, 'a-metric', { stream: 'metric', kind: 'sample', values: { n: HASH } }),
        observed(2, 'elsewhere', { tenant: 'other', ...target(PERSON) }),
        record('payload', as(samplePayload(1), { content: '{"text":"hello,\\nAnn@Example.com."}' })),
        record('payload', as(samplePayload(2), { content: '{"text":"hello, anna@example.com"}' })),
        record('dead-letter', as(sampleDeadLetter(1), { excerpt: `{"user":"${PERSON}"` })),
      ],
      sampleEffects(0).map((effect) => {
        if (effect.type === 'signal') return { ...effect, value: { ...effect.value, observed: `mail to ${PERSON}` } };
        if (effect.type === 'command') {
          return { ...effect, value: { ...effect.value, decidedBy: PERSON, decisionReason: `${PERSON} ${PERSON}!` } };
        }
        if (effect.type !== 'incident') return effect;
        const timeline = [
          { time: 1_700_000_000_123, stream: 'action' as const, text: `it's "${PERSON}"\n`, refId: 'x' },
        ];
        return { ...effect, value: { ...effect.value, timeline, closedBy: PERSON } };
      }),
    );
    const before = await new ClickHouseQueries(client).incident('default', 'inc_0');
    const erased = await erase(client, { tenant: 'default', subject: { person: PERSON }, hash: HASH });
    expect(erased).toEqual([
      { table: 'commands', deleted: 0, blanked: 1 },
      { table: 'dead_letters', deleted: 1, blanked: 0 },
      { table: 'incidents', deleted: 0, blanked: 1 },
      { table: 'observations', deleted: 4, blanked: 0 },
      { table: 'payloads', deleted: 1, blanked: 0 },
      { table: 'signals', deleted: 0, blanked: 1 },
    ]);
    const left = await client.select<{ id: string }>('SELECT id FROM observations ORDER BY id');
    expect(left.map(({ id }) => id)).toEqual(['a-metric', 'ann-au', 'elsewhere', 'joann']);
    const after = await new ClickHouseQueries(client).incident('default', 'inc_0');
    expect(after).toEqual({
      ...before,
      closedBy: '[erased]',
      timeline: [{ time: 1_700_000_000_123, stream: 'action', text: 'it\'s "[erased]"\n', refId: 'x' }],
    });
    expect(
      await client.select('SELECT observed, (SELECT (decidedBy, decisionReason) FROM commands) AS c FROM signals'),
    ).toEqual([{ observed: 'mail to [erased]', c: ['[erased]', '[erased] [erased]!'] }]);
  });

  it('keeps the order and the outcome, and does not take them for words about the person', async () => {
    const order = {
      id: 'e',
      time: 1,
      tenant: 'default',
      subject: 'person',
      name: 'h',
      orderedBy: PERSON,
      role: 'admin',
    };
    await store(
      ['ordered', 'done', 'done'].map((state) => record('erasure', { ...order, reason: PERSON, state, tables: '[]' })),
      [],
    );
    expect(await countErasure(client, { tenant: 'default', subject: { person: PERSON }, hash: HASH })).toEqual([]);
    expect(await count(`erasures_v WHERE orderedBy = '${PERSON}' AND reason = '${PERSON}'`)).toBe(2);
  });

  it('changes the tables of a cluster by statements that the engine understands', async () => {
    const cluster = { name: 'fleet', replicated: true, insertQuorum: 0 } as const;
    const where = storageOf('observations', { database: 'parallax', cluster });
    const [row] = await client.select<{ text: string }>('SELECT formatQuerySingleLine({query:String}) AS text', {
      query: `ALTER TABLE ${where} DELETE WHERE tenant = 'default' AND agentId = 'a'`,
    });
    expect(row?.text).toContain('parallax.observations_local ON CLUSTER fleet');
  });
});
