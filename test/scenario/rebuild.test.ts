import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import type { Core } from '../../src/core.js';
import { decodeRecord } from '../../src/log/record-codec.js';
import type { Observation } from '../../src/model/observation.js';
import { rebuildBaseline, type RebuildCounts } from '../../src/scoring/rebuild.js';
import type { ObservationReads } from '../../src/store/port.js';
import { openFedCore } from '../support/fed-core.js';
import { sendSessions, spread, timeMoves, type Session } from '../support/session-traffic.js';
import { syntheticSession } from '../support/synthetic-sessions.js';

const SEED = 20_250_114;
const START = Date.parse('2025-01-06T00:00:00Z');
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const TENANT = 'default';
const AGENT = 'agent-a';

/** Observations as ClickHouse would give them, out of the log itself. */
function historyOf(core: Core): ObservationReads {
  const found: { position: number; value: Observation }[] = [];
  for (let from = core.log.tail; from <= core.log.head;) {
    const entries = core.log.read(from, 1_000);
    for (const entry of entries) {
      const record = decodeRecord(entry);
      if (record.type === 'observation' && record.value.agentId === AGENT) {
        found.push({ position: entry.position, value: record.value });
      }
    }
    from += entries.length;
  }
  return {
    hours: async () => [{ from: 0, observations: found.length }],
    page: async ({ after, limit }) => {
      const rows = found.filter(({ position }) => position > after.position).slice(0, limit);
      const next = rows.at(-1)?.position ?? after.position;
      return { observations: rows.map(({ value }) => value), next: { minute: 0, position: next } };
    },
  };
}

const sessions = (from: number, count: number, agentId = AGENT): Session[] =>
  Array.from({ length: count }, (_, n) => syntheticSession(from + n, { agentId, startMs: 0 }));

describe('learning the stored observations again', () => {
  it('gives the baseline that was learned live, of sessions that ran beside each other and came twice', async () => {
    const fed = openFedCore(SEED);
    const { core } = fed;
    try {
      let batches = 0;
      const live = async (several: readonly Session[], day: number) => {
        await sendSessions(spread(several, START + day * DAY_MS, 1_500), {
          groupSize: 4,
          inFlight: 3,
          post: async (speaker, batch) => {
            await fed.observe(speaker, batch);
            if (++batches % 7 === 0) await fed.observe(speaker, batch);
            if (batches % 5 === 0) await fed.tick(1_000);
          },
        });
        for (const { speaker, observation } of timeMoves(START + (day + 1) * DAY_MS)) {
          await fed.observe(speaker, [observation]);
        }
        await fed.tick(1_000);
      };
      await live([...sessions(0, 40), ...sessions(200, 20, 'agent-b')], 0);
      await live(sessions(60, 30), 2);
      await core.settled();
      const { published } = core.baselines;
      const progress: RebuildCounts[] = [];
      const rebuild = (isFlagged: (sessionId: string) => boolean, signal = new AbortController().signal) =>
        rebuildBaseline({
          tenant: TENANT,
          agentId: AGENT,
          since: 0,
          until: Number.MAX_SAFE_INTEGER,
          hours: [{ from: 0, observations: 1 }],
          history: historyOf(core),
          setup: core.setup,
          join: { ...loadConfig(undefined, {}).join, seed: SEED },
          isFlagged: ({ sessionId = '' }) => isFlagged(sessionId),
          watermark: core.join.watermark(TENANT),
          progress: (counts) => progress.push({ ...counts }),
          signal,
        });
      const rebuilt = await rebuild(() => false);
      const learned = published.snapshot(TENANT, AGENT);
      // A calibration takes requests out and puts them back behind the others: their order is kept by when each was learned.
      const ordered = (snapshot: typeof learned) => {
        const requests = [...(snapshot?.baseline.requests ?? [])].sort((a, b) => a.learnedAt - b.learnedAt);
        return { ...snapshot, baseline: { ...snapshot?.baseline, version: 0, requests } };
      };
      expect(learned?.baseline.sessions).toBe(70);
      expect(ordered(rebuilt)).toEqual(ordered(learned));
      expect(progress.at(-1)).toMatchObject({ sessions: 70, leftOut: 0 });
      expect(progress.length).toBeGreaterThan(2);

      const without = await rebuild((sessionId) => sessionId === `${AGENT}-s3` || sessionId === `${AGENT}-s61`);
      expect(without?.baseline.sessions).toBe(68);
      expect(progress.at(-1)).toMatchObject({ sessions: 68, leftOut: 2 });
      expect(await rebuild(() => true)).toBeUndefined();
      await expect(rebuild(() => false, AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped');
    } finally {
      await fed.close();
      fed.remove();
    }
  }, 120_000);
});
