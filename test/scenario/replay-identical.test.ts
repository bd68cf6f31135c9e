import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { decodeRecord } from '../../src/log/record-codec.js';
import type { EffectType } from '../../src/model/effect.js';
import { CONFIG, liveBusily, SEED, type Life } from '../support/busy-life.js';
import { recordedData, recordedDataMissing } from '../support/recorded.js';
import { firstDifference } from '../support/same-effects.js';
import { scoreRecords, type ScoreOptions } from '../support/scored-log.js';
import { recordedSessions, type Session } from '../support/session-traffic.js';
import { syntheticSession } from '../support/synthetic-sessions.js';

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
    life = await liveBusily(train, events);
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

  it('with an end before the first checkpoint, while a sequence is under way', async (context) => {
    const { records, outbox } = present(context);
    // It starts with nothing but the log then, and asks for its detectors once more, just before the last step.
    const restartsAt = [positionOfLastStep(records, outbox) - 1];
    const { difference, lost, restarts } = await again(context, { restartsAt, lostCheckpoints: [1] });
    expect(lost).toBe(1);
    expect(restarts).toBeGreaterThan(0);
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

/** Where the call lies that completed a sequence; where none was completed, the call of the first signal. */
function positionOfLastStep(records: Life['records'], outbox: Life['outbox']): number {
  const signals = outbox.flatMap(({ effect }) => (effect.type === 'signal' ? [effect.value] : []));
  const signal = signals.find(({ detectorId }) => detectorId === 'exfiltration-sequence') ?? signals[0];
  const at = records.findIndex(({ type, data }, i) => {
    if (type !== 'observation') return false;
    const record = decodeRecord({ position: i + 1, type, data });
    return record.type === 'observation' && record.value.id === signal?.causeId;
  });
  if (at < 1) throw new Error('no observation of the log caused a signal');
  return at + 1;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
