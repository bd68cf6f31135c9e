import { describe, expect, it } from 'vitest';
import { MetricStreams } from '../../../../src/baseline/metric-series/metric-streams.js';
import { random } from '../../../support/random.js';
import { StoredState } from '../../../support/stored-state.js';

const START = Date.UTC(2026, 0, 5);
const MINUTE = 60_000;

function sample(
  row: number,
  values: Record<string, number>,
  agentId = 'a',
  kind: 'sample' | 'session_summary' = 'sample',
) {
  return { tenant: 't', agentId, time: START + row * MINUTE, kind, values };
}

/** An agent whose latency is known. */
function known(rows: number, agentId = 'a', streams = new MetricStreams(() => undefined)): MetricStreams {
  const chance = random(1);
  for (let row = 0; row < rows; row++) streams.learn(sample(row, { latencyMs: 200 + 10 * chance.normal() }, agentId));
  return streams;
}

describe('the metric streams of agents', () => {
  it('find a value that is out of line, and say so in words', () => {
    const measure = known(400).measure(sample(400, { latencyMs: 4_000 }));
    expect(measure?.nats).toBeGreaterThan(6);
    expect(measure?.sampleSize).toBe(400);
    expect(measure?.observed).toMatch(/^latencyMs: /);
    expect(measure?.expected).toMatch(/^about \d/);
  });

  it('say nothing of a usual value, of an unknown series, or of a session summary', () => {
    const streams = known(400);
    expect(streams.measure(sample(400, { latencyMs: 203 }))).toBeUndefined();
    expect(streams.measure(sample(400, { costUsd: 9_999 }))).toBeUndefined();
    expect(streams.measure(sample(400, { latencyMs: 4_000 }, 'b'))).toBeUndefined();
    expect(streams.measure(sample(400, { latencyMs: 4_000 }, 'a', 'session_summary'))).toBeUndefined();
    streams.learn(sample(400, { latencyMs: 4_000 }, 'b', 'session_summary'));
    expect(streams.size).toBe(1);
  });

  it('weigh a value the less, the more were reported with it', () => {
    const streams = known(400);
    const alone = streams.measure(sample(400, { latencyMs: 4_000 }))?.nats ?? 0;
    const amongFour = streams.measure(sample(400, { latencyMs: 4_000, a: 1, b: 1, c: 1 }))?.nats ?? 0;
    expect(alone - amongFour).toBeCloseTo(Math.log(4));
  });

  it('change nothing when they measure', () => {
    const [asked, unasked] = [known(400), known(400)];
    for (let i = 0; i < 5; i++) asked.measure(sample(400, { latencyMs: 4_000 }));
    expect(asked.measure(sample(401, { latencyMs: 900 }))).toEqual(unasked.measure(sample(401, { latencyMs: 900 })));
  });

  it('are the same after a restart', () => {
    const kept = new StoredState();
    const streams = known(400);
    kept.take(streams);
    const again = new MetricStreams(kept.load);
    again.restore(kept.entries);
    expect(again.size).toBe(1);
    for (let row = 400; row < 420; row++) {
      const next = sample(row, { latencyMs: 200 + 150 * (row - 400) });
      expect(again.measure(next)).toEqual(streams.measure(next));
      again.learn(next);
      streams.learn(next);
    }
  });

  it('let a flood of names push out only its own', () => {
    const streams = known(400);
    for (let i = 0; i < 500; i++) streams.learn(sample(400 + i, { [`made-up-${i}`]: i }));
    expect(streams.size).toBe(16);
    expect(streams.evicted).toBe(500 - 15);
    expect(streams.measure(sample(900, { latencyMs: 4_000 }))?.nats).toBeGreaterThan(6);
    const kept = new StoredState();
    kept.take(streams);
    expect(kept.entries('metric/').length).toBe(16);
  });
});
