import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeArchiveRoom } from '../../src/store/archive-room.js';
import { openStore, type Store } from '../../src/store/store.js';
import { ArchivedCore } from '../support/archived-core.js';
import { syntheticSession } from '../support/synthetic-sessions.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SEED = 20_250_111;
const TENANT = 'default';
const AGENT = 'agent-kept';
const OTHER = 'agent-beside';

const directory = temporaryDirectory();
let store: Store;
let first: ArchivedCore;
/** What the first install made of a theft, right after version 1, and later. */
let before: object[] = [];
let poisoned: object[] = [];
const sessions = (agentId: string, from: number, count: number, hijacked = false) =>
  Array.from({ length: count }, (_, n) => syntheticSession(from + n, { agentId, startMs: 0, hijacked }));
const theft = (n: number) => syntheticSession(n, { agentId: AGENT, startMs: 0, hijacked: true });
const order = { tenant: TENANT, agentId: AGENT, by: 'ann', reason: 'the disk broke' };

/** Two agents learn, a theft is tried; then the theft is taught, until version 1 is kept in ClickHouse alone. */
beforeAll(async () => {
  store = await openStore({
    url: 'embedded',
    database: 'parallax',
    username: '',
    password: '',
    dataDir: directory.path,
    observationDays: 10_000,
    payloadDays: 10_000,
  });
  first = new ArchivedCore(SEED, store);
  await first.activate({ what: 'learning', value: 'vouched' });
  await first.live([...sessions(AGENT, 0, 45), ...sessions(OTHER, 200, 30)], 0);
  await first.activate({ what: 'calibrate', value: '' });
  await first.activate({ what: 'learning', value: 'on' });
  before = await first.probe(theft(700), 2);
  await first.activate({ what: 'learning', value: 'vouched' });
  await first.live(sessions(AGENT, 300, 30, true), 4);
  await first.stored();
  for (let n = 0; n < 9; n++) {
    await first.activate({ what: 'calibrate', value: '' });
    await first.desk.catchUp();
  }
  await first.activate({ what: 'learning', value: 'on' });
  poisoned = await first.probe(theft(701), 6);
}, 240_000);

afterAll(async () => {
  await first.close();
  await store.close();
  directory.remove();
});

const weights = (results: object[]) => results.map((result) => ('callNats' in result ? result.callNats : undefined));

describe('whole baselines in ClickHouse', () => {
  it('are all there, long after the scoring store let go of them', async () => {
    const kept = first.fed.core.baselines.published.kept(TENANT, AGENT).map(({ version }) => version);
    const archived = (await first.desk.archived(TENANT, AGENT)) ?? [];
    const numbers = archived.map(({ version }) => version).sort((a, b) => a - b);
    expect(kept).not.toContain(1);
    expect(numbers).toEqual(Array.from({ length: kept.at(-1) ?? 0 }, (_, i) => i + 1));
    expect(first.desk.archiveStatus()).toMatchObject({ pending: 0, refused: 0, oversized: 0, retries: 0 });
    expect(new Set(archived.map(({ seedPrint }) => seedPrint)).size).toBe(1);
  });

  it('give exactly the scores, signals and incidents again in a data directory that was begun anew', async () => {
    expect(before.filter((result) => 'opened' in result && result.opened === true)).toHaveLength(1);
    const second = new ArchivedCore(SEED, store);
    try {
      const version = await versionAtCalibration();
      expect(await second.desk.restore({ ...order, version })).toEqual({ ok: true, recorded: true });
      await second.activate({ what: 'learning', value: 'on' });
      expect(await second.probe(theft(700), 2)).toEqual(before);
      const [now] = second.fed.core.baselines.published.kept(TENANT, AGENT);
      expect(now).toMatchObject({ version: version + 1, restore: { fromVersion: version, by: 'ann' } });
    } finally {
      await second.close();
    }
  }, 60_000);

  it('come back in every replay and after every restart, from the log alone', async () => {
    const second = new ArchivedCore(SEED, store);
    await second.activate({ what: 'learning', value: 'on' });
    await second.desk.restore({ ...order, version: await versionAtCalibration() });
    await second.probe(theft(700), 2);
    await second.live(sessions(AGENT, 400, 3), 4);
    await second.activate({ what: 'calibrate', value: '' });
    expect(
      await second.closeAndReplay({ restartsAt: [2, 3, 4, 60], sliceRecords: 7, lostCheckpoints: [2] }),
    ).toBeUndefined();
  }, 60_000);

  it('survive what the fresh directory has learned itself, and a restore of a second agent', async () => {
    const second = new ArchivedCore(SEED, store);
    try {
      await second.activate({ what: 'learning', value: 'vouched' });
      await second.live(sessions(AGENT, 300, 15, true), 1);
      await second.activate({ what: 'learning', value: 'on' });
      const version = await versionAtCalibration();
      for (const agentId of [AGENT, OTHER]) {
        expect(
          await second.desk.restore({ ...order, agentId, version: agentId === AGENT ? version : 1 }),
        ).toMatchObject({
          ok: true,
        });
      }
      expect(await second.probe(theft(700), 2)).toEqual(before);
    } finally {
      await second.close();
    }
  }, 60_000);

  it('undo in the same install what an intruder taught', async () => {
    expect(weights(poisoned)).not.toEqual(weights(before));
    const version = await versionAtCalibration();
    expect(await first.desk.restore({ ...order, version })).toMatchObject({ ok: true });
    await first.fed.core.settled();
    const again = await first.probe(theft(700 + 90 * 10), 8);
    const fresh = new ArchivedCore(SEED, store);
    await fresh.desk.restore({ ...order, version });
    expect(weights(again)).toEqual(weights(await fresh.probe(theft(700 + 90 * 10), 8)));
    await fresh.close();
  }, 60_000);

  it('are refused under another install secret, with the way out', async () => {
    const stranger = new ArchivedCore(SEED + 1, store);
    try {
      const refused = await stranger.desk.restore({ ...order, version: 1 });
      expect(refused).toMatchObject({ ok: false, cause: 'foreign', fix: expect.stringContaining('install-seed') });
      expect(stranger.fed.core.log.head).toBeLessThan(2);
    } finally {
      await stranger.close();
    }
  });

  it('are refused where they were changed, are not there, or are several', async () => {
    expect(await first.desk.restore({ ...order, version: 99 })).toMatchObject({ ok: false, cause: 'unknown' });
    const [about] = (await first.desk.archived(TENANT, AGENT)) ?? [];
    const { version = 0, stateId = '' } = about ?? {};
    const state = await store.queries.archive.state({ tenant: TENANT, agentId: AGENT, version, stateId });
    if (state === undefined) throw new Error('the state is not there');
    const forged = { ...state, tenant: TENANT, agentId: 'agent-forged', origin: '{}', partition: 0 };
    const insert = (row: object) =>
      store.writer.insert({
        table: 'baseline_states',
        body: Buffer.from(`${JSON.stringify(row)}\n`),
        token: JSON.stringify(row).slice(0, 200),
      });
    await insert(forged);
    expect(await first.desk.restore({ ...order, agentId: 'agent-forged', version })).toMatchObject({
      ok: false,
      cause: 'damaged',
    });
    await insert({ ...forged, seal: `00${state.seal.slice(2)}` });
    expect(await first.desk.restore({ ...order, agentId: 'agent-forged', version })).toMatchObject({
      ok: false,
      cause: 'ambiguous',
      message: expect.stringContaining(stateId),
    });
  });

  it('give way by the week, oldest first, where all of it is too large, but never the latest', async () => {
    const weekMs = 7 * 24 * 60 * 60_000;
    const ids = async () => {
      const rows = await store.writer.select<{ id: string; bytes: string }>(
        `SELECT partition_id AS id, sum(bytes_on_disk) AS bytes FROM system.parts
         WHERE database = currentDatabase() AND table = 'baseline_states' AND active GROUP BY id ORDER BY id`,
      );
      return rows.map(({ id, bytes }) => ({ id, bytes: Number(bytes) }));
    };
    for (const weeks of [1, 2, 3]) {
      const row = { tenant: 'old', agentId: 'a', version: weeks, archivedAt: Date.now() - weeks * weekMs, state: 'A' };
      await store.writer.insert({
        table: 'baseline_states',
        body: Buffer.from(`${JSON.stringify(row)}\n`),
        token: `old-${weeks}`,
      });
    }
    const before = await ids();
    expect(before.length).toBeGreaterThanOrEqual(4);
    const total = before.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(await makeArchiveRoom(store.writer, total)).toBe(true);
    expect(await ids()).toEqual(before);
    expect(await makeArchiveRoom(store.writer, total - 1)).toBe(true);
    expect(await ids()).toEqual(before.slice(1));
    expect(await makeArchiveRoom(store.writer, 1)).toBe(false);
    expect(await ids()).toEqual(before.slice(-1));
    expect((await first.desk.archived(TENANT, AGENT))?.length).toBeGreaterThan(0);
  });
});

/** The version of the agent that was published with the first calibration. */
async function versionAtCalibration(): Promise<number> {
  const archived = (await first.desk.archived(TENANT, AGENT)) ?? [];
  return Math.min(...archived.filter(({ sessionCount }) => sessionCount === 45).map(({ version }) => version));
}
