import { expect, it } from 'vitest';
import type { ReceivedRecord } from '../../../../src/kafka/port.js';
import { slicesOf } from '../../../../src/sources/kafka/slices.js';

const LIMITS = { maxRecords: 3, maxBytes: 100, maxSpanMs: 1_000 };

function cut(records: Partial<ReceivedRecord & { format: string; size: number }>[]) {
  const received = records.map(({ format = 'native', size = 1, ...change }, i) => ({
    offset: 10 + i,
    time: 0,
    key: null,
    value: new Uint8Array(size),
    headers: { format: new TextEncoder().encode(format) },
    ...change,
  }));
  const formatOf = ({ headers }: ReceivedRecord) => new TextDecoder().decode(headers['format']);
  return [...slicesOf(received, formatOf, LIMITS)].map(({ records: held, ...slice }) => ({
    offsets: held.map(({ offset }) => offset),
    ...slice,
  }));
}

it('cuts by number, size and time', () => {
  expect(cut([{}, {}, {}, {}]).map(({ offsets }) => offsets)).toEqual([[10, 11, 12], [13]]);
  expect(cut([{ size: 60 }, { size: 60 }, { size: 500 }, {}]).map(({ offsets }) => offsets)).toEqual([
    [10],
    [11],
    [12],
    [13],
  ]);
  const spread = cut([{ time: 0 }, { time: 900 }, { time: 1_100 }, { time: 500 }]);
  expect(spread).toMatchObject([
    { offsets: [10, 11], next: 12, time: 900 },
    { offsets: [12, 13], next: 14, time: 1_100 },
  ]);
});

it('cuts where the format changes, and counts records without a value wherever they stand', () => {
  const slices = cut([
    { value: null },
    { format: 'a' },
    { value: null },
    { format: 'b' },
    { format: 'b', value: null },
  ]);
  expect(slices).toMatchObject([
    { offsets: [11], format: 'a', tombstones: 2, next: 13 },
    { offsets: [13], format: 'b', tombstones: 1, next: 15 },
  ]);
  expect(cut([{ value: null }])).toMatchObject([{ offsets: [], tombstones: 1, next: 11 }]);
  expect(cut([])).toEqual([]);
});
