import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { openCore } from '../../src/core.js';
import { ManualClock } from '../../src/lib/clock.js';
import type { WireObservation } from '../../src/model/wire.js';
import type { Scored } from '../../src/pipeline.js';
import { SPEAKERS, type Speaker } from '../../src/sources/recorded-session.js';
import { fixInstallSeed } from '../support/service-process.js';
import { spread, timeMoves, type Said } from '../support/session-traffic.js';
import { syntheticSession } from '../support/synthetic-sessions.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SEED = 20_250_113;
const START = Date.parse('2025-01-06T00:00:00Z');
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const AGENTS = ['agent-a', 'agent-b', 'agent-c'];

interface Event extends Said {
  tenant: string;
}

/** Draws which of several sequences goes on next, so that each keeps its own order. */
const interleaving = fc.array(fc.nat(1_000), { minLength: 12, maxLength: 40 });

function merge(sequences: readonly (readonly Event[])[], draws: readonly number[]): Event[] {
  const places = sequences.map(() => 0);
  const merged: Event[] = [];
  for (let n = 0; ; n++) {
    const open = sequences.flatMap((sequence, i) => ((places[i] ?? 0) < sequence.length ? [i] : []));
    const chosen = open[(draws[n % draws.length] ?? 0) % open.length];
    if (chosen === undefined) return merged;
    const at = places[chosen] ?? 0;
    const next = sequences[chosen]?.[at];
    if (next !== undefined) merged.push(next);
    places[chosen] = at + 1;
  }
}

/** Each agent's day: sessions at the same times as the others'; one is hijacked at the end. */
function dayOf(tenant: string, agentId: string, hijacked: boolean): Event[] {
  const sessions = [500, 530, 561].map((n, i) =>
    syntheticSession(n, { agentId, startMs: 0, hijacked: hijacked && i === 2 }),
  );
  return spread(sessions, START + 2 * DAY_MS, 2 * MINUTE_MS).flatMap(({ said }) =>
    said.map((one) => ({ ...one, tenant })),
  );
}

/**
 * Learns each agent's history, then scores the events in the order given.
 *
 * @returns by observation what was made of it
 */
async function score(tenants: readonly string[], events: readonly Event[]): Promise<Map<string, string>> {
  const directory = temporaryDirectory();
  fixInstallSeed(directory.path, SEED);
  const defaults = loadConfig(undefined, {});
  const scored: Scored[] = [];
  const clock = new ManualClock(START + 300 * DAY_MS);
  const core = openCore({
    // Wide enough that nothing of the day is late in any order.
    config: { ...defaults, dataDir: directory.path, join: { ...defaults.join, outOfOrderMs: DAY_MS } },
    clock,
    isTemporary: true,
    notice: () => {},
    failed: (error) => {
      throw error;
    },
    scored: (result) => scored.push(result),
  });
  const send = async (tenant: string, speaker: Speaker, observation: WireObservation) => {
    const { role, stream } = SPEAKERS[speaker];
    const principal = { id: speaker, role, tenant, streams: new Set([stream]), agents: ['*'] };
    const { refused } = await core.intake.accept([{ index: 0, value: observation, bytes: 0 }], [], principal);
    expect(refused).toEqual([]);
  };
  const activate = (tenant: string, what: 'learning' | 'calibrate', value: string) =>
    core.record({ type: 'activation', value: { time: clock.now(), tenant, what, value } });
  try {
    for (const tenant of tenants) {
      await activate(tenant, 'learning', 'vouched');
      for (const agentId of AGENTS) {
        const sessions = Array.from({ length: 15 }, (_, n) => syntheticSession(n * 3, { agentId, startMs: 0 }));
        for (const { said } of spread(sessions, START, MINUTE_MS)) {
          await Promise.all(said.map(({ speaker, observation }) => send(tenant, speaker, observation)));
        }
      }
      for (const { speaker, observation } of timeMoves(START + 1.9 * DAY_MS)) await send(tenant, speaker, observation);
      await activate(tenant, 'calibrate', '');
      await activate(tenant, 'learning', 'frozen');
    }
    await core.settled();
    scored.length = 0;
    await Promise.all(events.map(({ tenant, speaker, observation }) => send(tenant, speaker, observation)));
    await core.settled();
  } finally {
    await core.close();
    directory.remove();
  }
  const results = scored.map(({ observation, signals, callNats, incident, opened }): [string, string] => [
    `${observation.tenant}/${observation.id}`,
    JSON.stringify({ signals, callNats, opened, incident: incident && [incident.id, incident.riskNats] }),
  ]);
  return new Map(results.sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('scores', () => {
  it('do not depend on the order in which independent agents of a tenant act', async () => {
    const days = AGENTS.map((agentId) => dayOf('one', agentId, agentId === 'agent-b'));
    const expected = await score(['one'], days.flat());
    expect(expected.size).toBe(days.flat().length);
    expect([...expected.values()].filter((result) => result.includes('"opened":true'))).toHaveLength(1);
    await fc.assert(
      fc.asyncProperty(interleaving, async (draws) => {
        expect(await score(['one'], merge(days, draws))).toEqual(expected);
      }),
      { numRuns: 4, endOnFailure: true },
    );
  }, 120_000);

  it('do not depend on what other tenants do meanwhile', async () => {
    const tenants = ['one', 'two'];
    const days = tenants.map((tenant) => dayOf(tenant, 'agent-a', true));
    const expected = await score(tenants, days.flat());
    expect([...expected.values()].filter((result) => result.includes('"opened":true'))).toHaveLength(2);
    await fc.assert(
      fc.asyncProperty(interleaving, async (draws) => {
        expect(await score(tenants, merge(days, draws))).toEqual(expected);
      }),
      { numRuns: 4, endOnFailure: true },
    );
  }, 120_000);
});
