import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../../src/store/store.js';
import { ArchivedCore, DAY_MS, FIRST_DAY } from '../support/archived-core.js';
import { syntheticSession } from '../support/synthetic-sessions.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SEED = 20_250_112;
const TENANT = 'default';
const AGENT = 'agent-again';

const directory = temporaryDirectory();
let store: Store;
let core: ArchivedCore;
const sessions = (from: number, count: number, change: { hijacked?: boolean; agentId?: string } = {}) =>
  Array.from({ length: count }, (_, n) => syntheticSession(from + n, { agentId: AGENT, startMs: 0, ...change }));

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
  core = new ArchivedCore(SEED, store);
  await core.activate({ what: 'learning', value: 'vouched' });
  await core.live([...sessions(0, 45), ...sessions(200, 20, { agentId: 'agent-beside' })], 0);
  await core.activate({ what: 'calibrate', value: '' });
  await core.activate({ what: 'learning', value: 'on' });
  await core.live(sessions(400, 20), 2);
}, 120_000);

afterAll(async () => {
  await store.close();
  directory.remove();
});

/** All that the agent's calls are scored by. */
function learned(): object {
  const { published } = core.fed.core.baselines;
  const snapshot = published.snapshot(TENANT, AGENT);
  if (snapshot === undefined) throw new Error('nothing was learned');
  const { version: _version, changes: _changes, requests, ...baseline } = snapshot.baseline;
  // When a request was learned is counted in changes, which only ever rise; their order is what matters.
  const ordered = [...requests].sort((a, b) => a.learnedAt - b.learnedAt);
  return { ...baseline, requests: ordered.map((request) => ({ ...request, learnedAt: 0 })) };
}

describe('a baseline made anew from ClickHouse', () => {
  it('is the one that was learned live, and scores the same', async () => {
    const before = learned();
    const first = await core.probe(syntheticSession(700, { agentId: AGENT, startMs: 0, hijacked: true }), 4);
    expect(first.some((result) => 'opened' in result && result.opened === true)).toBe(true);
    await core.stored();
    const status = await core.rebuilt({ agentId: AGENT });
    expect(status.message).toBeUndefined();
    expect(status).toMatchObject({ state: 'done', sessions: 65, leftOut: 1, expected: status.observations });
    expect(learned()).toEqual(before);
    const { published } = core.fed.core.baselines;
    expect(published.kept(TENANT, AGENT).at(-1)).toMatchObject({
      sessionCount: 65,
      rebuild: { sessions: 65, leftOut: 1, by: 'ann', reason: 'to see' },
    });
    const weights = (results: object[]) =>
      results.map((result) => ('callNats' in result && 'signals' in result ? [result.callNats] : []));
    const again = await core.probe(syntheticSession(700 + 900, { agentId: AGENT, startMs: 0, hijacked: true }), 6);
    const live = new ArchivedCore(SEED, undefined);
    await live.activate({ what: 'learning', value: 'vouched' });
    await live.live([...sessions(0, 45), ...sessions(200, 20, { agentId: 'agent-beside' })], 0);
    await live.activate({ what: 'calibrate', value: '' });
    await live.activate({ what: 'learning', value: 'on' });
    await live.live(sessions(400, 20), 2);
    const never = await live.probe(syntheticSession(700 + 900, { agentId: AGENT, startMs: 0, hijacked: true }), 6);
    await live.close();
    expect(weights(again)).toEqual(weights(never));
  }, 60_000);

  it('leaves out what a person judged true or nobody judged yet, and takes in what was harmless', async () => {
    const { core: inner, clock } = core.fed;
    const open = inner.incidents.list({ tenant: TENANT, agentId: AGENT, limit: 10 });
    expect(open.map(({ status }) => status)).toEqual(['open', 'open']);
    const judge = (incidentId: string, verdict: 'true-positive' | 'false-positive') =>
      inner.record({ type: 'verdict', value: { time: clock.now(), tenant: TENANT, incidentId, verdict, by: 'ann' } });
    await judge(open[0]?.id ?? '', 'true-positive');
    await judge(open[1]?.id ?? '', 'false-positive');
    await core.stored();
    expect(await core.rebuilt({ agentId: AGENT })).toMatchObject({ state: 'done', sessions: 66, leftOut: 1 });
  });

  it('is limited to a time, and refused where too little is left', async () => {
    expect(
      await core.rebuilt({ agentId: AGENT, since: FIRST_DAY + 2 * DAY_MS, until: FIRST_DAY + 3 * DAY_MS }),
    ).toMatchObject({ state: 'done', sessions: 20, leftOut: 0 });
    const kept = core.fed.core.baselines.published.kept(TENANT, AGENT).length;
    expect(await core.rebuilt({ agentId: AGENT, since: FIRST_DAY + 20 * DAY_MS })).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('fewer than the 10'),
    });
    expect(await core.rebuilt({ agentId: 'agent-unheard' })).toMatchObject({ state: 'failed' });
    expect(core.fed.core.baselines.published.kept(TENANT, AGENT)).toHaveLength(kept);
  });

  it('comes back in every replay and after every restart, from the log alone', async () => {
    expect(
      await core.closeAndReplay({ restartsAt: [700, 1_000], sliceRecords: 11, lostCheckpoints: [2] }),
    ).toBeUndefined();
  }, 60_000);
});
