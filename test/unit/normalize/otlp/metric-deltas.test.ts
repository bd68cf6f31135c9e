import { expect, it } from 'vitest';
import { MetricDeltas } from '../../../../src/normalize/otlp/metric-deltas.js';
import type { OtlpPoint } from '../../../../src/normalize/otlp/model.js';

const point = (timeMs: number, value: number, change: Partial<OtlpPoint> = {}): OtlpPoint => ({
  signal: 'metrics',
  resource: new Map(),
  scope: '',
  name: 'tokens',
  unit: '',
  kind: 'sum',
  isDelta: false,
  isMonotonic: true,
  startMs: 1,
  timeMs,
  value,
  count: 0,
  sum: 0,
  attributes: new Map(),
  ...change,
});

it('takes a total that is read again for no new start', () => {
  const deltas = new MetricDeltas();
  const values = [point(10, 5), point(20, 9), point(10, 5), point(20, 9), point(30, 12)].map((one) =>
    deltas.valuesOf(one, 'a'),
  );
  expect(values).toEqual([{}, { tokens: 4 }, {}, {}, { tokens: 3 }]);
});

it('takes a total with a later start, or a later one that fell, for a new start', () => {
  const deltas = new MetricDeltas();
  deltas.valuesOf(point(10, 5), 'a');
  expect(deltas.valuesOf(point(15, 3, { startMs: 12 }), 'a')).toEqual({ tokens: 3 });
  expect(deltas.valuesOf(point(30, 1, { startMs: 12 }), 'a')).toEqual({ tokens: 1 });
});
