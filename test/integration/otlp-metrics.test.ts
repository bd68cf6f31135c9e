import { expect, it } from 'vitest';
import type { Signal } from '../../src/model/signal.js';
import { decodeJson } from '../../src/normalize/otlp/decode.js';
import { openTrial, TRIAL_TENANT } from '../../src/trial.js';

const START_MS = 1_764_000_000_000;
const MINUTE_MS = 60_000;
const LIMITS = { maxRecordBytes: 1_000_000, maxRecords: 1_000 };
const PLATFORM = { id: 'platform', role: 'ingest', tenant: TRIAL_TENANT, agents: ['*'] } as const;

function exported(timeMs: number, depth: number) {
  const point = { timeUnixNano: `${timeMs}000000`, asDouble: depth };
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
  const metrics = [{ name: 'queue.depth', gauge: { dataPoints: [point] } }];
  return decodeJson('metrics', { resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] }, LIMITS);
}

it('metrics that come by OTLP are the metric stream: what is out of line in a series is found', async () => {
  const signals: Signal[] = [];
  const trial = openTrial({ startMs: START_MS, scored: (result) => signals.push(...result.signals) });
  const principal = { ...PLATFORM, streams: new Set(['metric'] as const) };
  const report = async (minute: number, depth: number) => {
    const timeMs = START_MS + minute * MINUTE_MS;
    trial.passTo(timeMs);
    expect(await trial.core.otlp.accept(exported(timeMs, depth), principal)).toEqual([]);
  };
  for (let minute = 1; minute <= 400; minute++) await report(minute, 200 + ((minute * 7_919) % 50));
  expect(signals).toEqual([]);
  await report(401, 5_000);
  await trial.endSessions();
  expect(signals).toMatchObject([{ detectorId: 'metric-anomaly', agentId: 'shop' }]);
  await trial.close();
});
