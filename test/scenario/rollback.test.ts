import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RawRecord } from '../../src/log/port.js';
import type { BaselineVersion } from '../../src/model/baseline.js';
import type { OutboxEntry } from '../../src/model/effect.js';
import { openFedCore } from '../support/fed-core.js';
import { firstDifference } from '../support/same-effects.js';
import { readDataDirectory, scoreRecords } from '../support/scored-log.js';
import { sendSessions, spread, timeMoves } from '../support/session-traffic.js';
import { syntheticSession } from '../support/synthetic-sessions.js';

const SEED = 20_250_107;
const START = Date.parse('2025-01-06T00:00:00Z');
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const AGENT = 'agent-turned';

/** An agent learns, is taught something else, is taken back and learns on; all of it in one log. */
describe('a rollback in the log', () => {
  let fed: ReturnType<typeof openFedCore>;
  let outbox: OutboxEntry[] = [];
  let records: RawRecord[] = [];

  const versions = (number: number): BaselineVersion[] =>
    outbox.flatMap(({ effect }) =>
      effect.type === 'baseline' && effect.value.agentId === AGENT && effect.value.version === number
        ? [effect.value]
        : [],
    );
  const states = (number: number) =>
    versions(number)
      .filter(({ feature }) => feature !== 'rollback')
      .map(({ feature, sampleCount, state }) => [feature, sampleCount, state]);

  beforeAll(async () => {
    fed = openFedCore(SEED);
    const { core, clock } = fed;
    const activation = (what: 'learning' | 'calibrate', value: string) =>
      core.record({ type: 'activation', value: { time: clock.now(), tenant: 'default', what, value } });
    const rollBack = (version: string) =>
      core.record({
        type: 'activation',
        value: {
          time: 1,
          tenant: 'default',
          what: 'rollback',
          value: version,
          agentId: AGENT,
          by: 'ann',
          reason: 'odd',
        },
      });
    const live = async (day: number, first: number, count: number) => {
      const sessions = Array.from({ length: count }, (_, n) =>
        syntheticSession(first + n, { agentId: AGENT, startMs: 0 }),
      );
      await sendSessions(spread(sessions, START + day * DAY_MS, MINUTE_MS), {
        groupSize: 3,
        inFlight: 2,
        post: async (speaker, batch) => {
          await fed.observe(speaker, batch);
        },
      });
      for (const { speaker, observation } of timeMoves(START + (day + 1) * DAY_MS)) {
        await fed.observe(speaker, [observation]);
      }
      await fed.tick(1_000);
    };
    await activation('learning', 'vouched');
    await live(0, 0, 20);
    await activation('calibrate', '');
    await live(2, 500, 20);
    await activation('calibrate', '');
    await rollBack('1');
    await rollBack('99');
    await live(4, 900, 5);
    await activation('calibrate', '');
    await core.settled();
    await fed.close();
    ({ records, outbox } = await readDataDirectory(fed.dataDir));
  }, 120_000);
  afterAll(() => fed.remove());

  it('publishes what was, under a new number, with who asked for it', () => {
    const back = outbox.flatMap(({ effect }) =>
      effect.type === 'baseline' && effect.value.feature === 'rollback' ? [effect.value] : [],
    );
    expect(back.map(({ state }) => JSON.parse(state) as object)).toEqual([{ toVersion: 1, by: 'ann', reason: 'odd' }]);
    const { version = 0 } = back[0] ?? {};
    expect(version).toBe(4);
    expect(states(version)).toEqual(states(1));
    expect(states(3)).not.toEqual(states(1));
    expect(versions(version + 1)[0]?.sessionCount).toBe((versions(1)[0]?.sessionCount ?? 0) + 5);
  });

  it('survives restarts around it: the same log gives the same effects', async () => {
    const at = records.findIndex(({ type, data }) => type === 'activation' && Buffer.from(data).includes('rollback'));
    expect(at).toBeGreaterThan(0);
    const restartsAt = [Math.floor(at / 2), at, at + 1, at + 2];
    const again = await scoreRecords(records, { seed: SEED, restartsAt });
    expect(again.restarts).toBe(restartsAt.length);
    expect(firstDifference(again.outbox, outbox)).toBeUndefined();
  }, 120_000);

  it('survives ends between scoring and checkpoint', async () => {
    const options = { lostCheckpoints: [2, 4], sliceRecords: 50, eagerCheckpoints: true };
    const again = await scoreRecords(records, { seed: SEED, ...options });
    expect(again.lost).toBe(2);
    expect(firstDifference(again.outbox, outbox)).toBeUndefined();
  }, 120_000);
});
