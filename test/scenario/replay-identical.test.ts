import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { loadConfig, type Config } from '../../src/config.js';
import { overlayResponse } from '../../src/model/response-policy.js';
import type { RawRecord } from '../../src/log/port.js';
import type { EffectType, OutboxEntry } from '../../src/model/effect.js';
import { openFedCore } from '../support/fed-core.js';
import { recordedData, recordedDataMissing } from '../support/recorded.js';
import { firstDifference } from '../support/same-effects.js';
import { readDataDirectory, scoreRecords, type ScoreOptions } from '../support/scored-log.js';
import { recordedSessions, sendSessions, spread, timeMoves, type Session } from '../support/session-traffic.js';
import { syntheticSession } from '../support/synthetic-sessions.js';

const SEED = 20_250_106;
const START = Date.parse('2025-01-06T00:00:00Z');
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

const defaults = loadConfig(undefined, {});
/** Commands are sent, expire and go unacknowledged; few are allowed a minute, so that the cap is met as well. */
const CONFIG: Partial<Config> = {
  mode: 'act',
  join: { ...defaults.join, outOfOrderMs: 5 * MINUTE_MS, sessionTimeoutMs: 10 * MINUTE_MS },
  detection: { ...defaults.detection, falseAlarmBudget: 0.05 },
  respond: {
    ...defaults.respond,
    ...overlayResponse(defaults.respond, {
      'freeze-tool': { toolSessions: 2, containMs: 10 * MINUTE_MS, proposalMs: 10 * MINUTE_MS },
      'revoke-session': { severity: 'low', containMs: 10 * MINUTE_MS, proposalMs: 10 * MINUTE_MS },
      'suspend-agent': { containMs: 10 * MINUTE_MS, proposalMs: 10 * MINUTE_MS },
    }),
    acknowledgeMs: MINUTE_MS,
    caps: { ...defaults.respond.caps, commandsPerMinute: 5 },
  },
};

/** A log with everything in it that changes scoring, and what was made of it when it was written. */
interface Life {
  records: RawRecord[];
  outbox: OutboxEntry[];
}

const SOURCES: { name: string; sessions: (() => Promise<{ train: Session[]; events: Session[] }>) | undefined }[] = [
  {
    name: 'made-up sessions',
    sessions: async () => ({
      train: range(90).map((n) => syntheticSession(n, { agentId: `agent-${n % 3}`, startMs: 0 })),
      events: range(90).map((n) =>
        syntheticSession(500 + n, { agentId: `agent-${n % 3}`, startMs: 0, hijacked: n % 5 === 0 }),
      ),
    }),
  },
  {
    name: 'recorded sessions',
    sessions:
      recordedData === undefined
        ? undefined
        : async () => {
            const folder = recordedData ?? '';
            const train = await recordedSessions(join(folder, 'agentdojo', 'train.jsonl.gz'));
            const dev = await recordedSessions(join(folder, 'agentdojo', 'dev.jsonl.gz'));
            return { train: train.filter((_, i) => i % 3 === 0), events: dev.filter((_, i) => i % 20 === 0) };
          },
  },
];

describe.each(SOURCES)('the same log scored again: $name', ({ name, sessions }) => {
  let life: Life | undefined;

  beforeAll(async () => {
    if (sessions === undefined) return;
    const { train, events } = await sessions();
    life = await live(train, events);
  }, 120_000);

  afterAll(() => {
    life = undefined;
  });

  const present = (context: TestContext): Life => life ?? context.skip(recordedDataMissing);

  /** Scores the log again. @returns where the effects part from those of its life, and how often it was disturbed */
  const again = async (context: TestContext, options: Omit<ScoreOptions, 'seed' | 'config'>) => {
    const { records, outbox } = present(context);
    const scored = await scoreRecords(records, { seed: SEED, config: CONFIG, ...options });
    return { difference: firstDifference(scored.outbox, outbox), lost: scored.lost, restarts: scored.restarts };
  };

  it('has everything in it that scoring gives', (context) => {
    const { records, outbox } = present(context);
    const counts: Partial<Record<EffectType, number>> = {};
    for (const { effect } of outbox) counts[effect.type] = (counts[effect.type] ?? 0) + 1;
    console.log(`${name}: ${records.length} records, ${JSON.stringify(counts)}`);
    const types = ['baseline', 'command', 'command-event', 'incident', 'restriction', 'signal', 'window'];
    expect(Object.keys(counts).sort()).toEqual(types);
    const states = new Set(outbox.flatMap(({ effect }) => (effect.type === 'command' ? [effect.value.state] : [])));
    const lives = ['acknowledged', 'expired', 'failed', 'proposed', 'sent', 'undone'];
    expect([...states].sort()).toEqual(lives);
  });

  it.for([1, 7, 64, 1_000, 100_000])('in slices of %i', async (sliceRecords, context) => {
    const { difference } = await again(context, { sliceRecords });
    expect(difference).toBeUndefined();
  });

  it('with a checkpoint after every slice', async (context) => {
    const { difference } = await again(context, { eagerCheckpoints: true, sliceRecords: 11 });
    expect(difference).toBeUndefined();
  });

  it('with a restart in the middle', async (context) => {
    const middle = Math.floor(present(context).records.length / 2);
    const { difference, restarts } = await again(context, { restartsAt: [middle] });
    expect(restarts).toBe(1);
    expect(difference).toBeUndefined();
  });

  it('with checkpoints that are encoded while other records are scored', async (context) => {
    const options = { checkpointRecords: 100, sliceRecords: 3, lostEffects: [2, 4, 7], lostCheckpoints: [9, 20] };
    const { difference, restarts } = await again(context, options);
    expect(restarts).toBeGreaterThan(2);
    expect(difference).toBeUndefined();
  });

  it('with ends between scoring and checkpoint', async (context) => {
    const options = { lostCheckpoints: [1, 2, 4], sliceRecords: 50, eagerCheckpoints: true };
    const { difference, lost } = await again(context, options);
    expect(lost).toBeGreaterThan(1);
    expect(difference).toBeUndefined();
  });

  it('with ends between effects and checkpoint, and before either', async (context) => {
    const options = { lostCheckpoints: [1, 2, 3, 6], lostEffects: [2, 3, 8], sliceRecords: 9, checkpointRecords: 150 };
    const { difference, lost, restarts } = await again(context, options);
    // Two may be lost by one end.
    expect(lost).toBeGreaterThan(3);
    expect(restarts).toBeGreaterThan(2);
    expect(difference).toBeUndefined();
  });

  it('with anything at any place', async (context) => {
    const place = fc.nat({ max: present(context).records.length });
    const disturbance = fc.record({
      sliceRecords: fc.oneof(fc.integer({ min: 5, max: 20 }), fc.integer({ min: 20, max: 1_000 })),
      eagerCheckpoints: fc.boolean(),
      restartsAt: fc.array(place, { maxLength: 3 }),
      checkpointRecords: fc.integer({ min: 20, max: 2_000 }),
      lostCheckpoints: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 3 }),
      lostEffects: fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(disturbance, async (options) => {
        expect((await again(context, options)).difference).toBeUndefined();
      }),
      { numRuns: 8, endOnFailure: true },
    );
  }, 120_000);
});

/** Writes a log as a busy install would: learning, sessions, doubles, late and future events, people and gateways. */
async function live(train: readonly Session[], events: readonly Session[]): Promise<Life> {
  const fed = openFedCore(SEED, CONFIG);
  const { core, clock } = fed;
  const base = () => ({ time: clock.now(), tenant: 'default' });
  let batches = 0;
  const send = async (sessions: readonly Session[]) =>
    sendSessions(sessions, {
      groupSize: 3,
      inFlight: 2,
      post: async (speaker, batch) => {
        await fed.observe(speaker, batch);
        // Every tenth batch comes again, and time goes on.
        if (++batches % 10 === 0) await fed.observe(speaker, batch);
        if (batches % 5 === 0) await fed.tick(2_000);
      },
    });
  const activate = (what: 'learning' | 'calibrate', value: string) =>
    core.record({ type: 'activation', value: { ...base(), what, value } });
  const moveTo = async (timeMs: number) => {
    for (const { speaker, observation } of timeMoves(timeMs)) await fed.observe(speaker, [observation]);
    await fed.tick(1_000);
  };
  try {
    await activate('learning', 'vouched');
    await send(spread(train, START, MINUTE_MS));
    await moveTo(START + DAY_MS);
    await activate('calibrate', '');
    await activate('learning', 'on');

    const half = Math.floor(events.length / 2);
    const placed = spread(events, START + 2 * DAY_MS, MINUTE_MS);
    await send(placed.slice(0, half));
    await core.settled();
    await judge();
    await send(placed.slice(half));
    await send(spread(train.slice(0, 3), START + DAY_MS, MINUTE_MS));
    const [future] = timeMoves(clock.now() + DAY_MS);
    if (future !== undefined) await fed.observe(future.speaker, [future.observation]);
    await core.settled();
    await judge();
    await moveTo(START + 10 * DAY_MS);
    for (let minute = 0; minute < 15; minute++) await fed.tick(MINUTE_MS);
    await core.settled();
  } finally {
    await fed.close();
  }
  const left = await readDataDirectory(fed.dataDir);
  fed.remove();
  return left;

  /** People close incidents and contain by hand; a gateway confirms and refuses. */
  async function judge(): Promise<void> {
    // Incidents about containment itself have no commands of their own to undo.
    const open = core.incidents.list({ tenant: 'default', status: 'open', limit: 1_000 });
    const [first, second] = open.filter(({ commandIds }) => commandIds.length > 0);
    if (first === undefined || second === undefined) throw new Error('there were no incidents to judge');
    const sent = core.commands.list({ tenant: 'default', limit: 100 }).filter(({ state }) => state === 'sent');
    for (const [i, { id }] of sent.slice(0, 4).entries()) {
      const effective = i % 2 === 0 ? 'enforced' : 'rejected';
      await core.record({ type: 'ack', value: { ...base(), commandId: id, gatewayId: 'gateway', effective } });
    }
    await core.record(
      { type: 'verdict', value: { ...base(), incidentId: first.id, verdict: 'false-positive', by: 'anna' } },
      { type: 'verdict', value: { ...base(), incidentId: second.id, verdict: 'true-positive', by: 'boris' } },
      {
        type: 'order',
        value: {
          ...base(),
          order: 'contain',
          action: 'freeze-tool',
          agentId: second.agentId,
          tool: 'send_money',
          by: 'anna',
          reason: 'to be sure',
        },
      },
    );
    await fed.tick(1_000);
  }
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
