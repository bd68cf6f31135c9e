import { expect, it } from 'vitest';
import type { IncomingRecord, Intake } from '../../../../src/api/port.js';
import { OverloadError } from '../../../../src/lib/overload.js';
import type { RefusedRecord } from '../../../../src/model/wire.js';
import { topicSourceSchema } from '../../../../src/model/source-settings.js';
import { AgentPartitions } from '../../../../src/sources/kafka/agent-partitions.js';
import { InOrder } from '../../../../src/sources/kafka/in-order.js';
import { SliceTaker, type Reading } from '../../../../src/sources/kafka/slice-taker.js';

const settings = topicSourceSchema.parse({
  id: 'src',
  kafka: { brokers: ['127.0.0.1:1'] },
  topics: ['calls'],
  format: 'native',
  principal: 'p',
});

interface Taken {
  records: readonly IncomingRecord[];
  refused: readonly RefusedRecord[];
}

function takerOver(accept: (taken: Taken) => void) {
  const taken: Taken[] = [];
  const intake: Intake = {
    accept: (records, refused) => {
      accept({ records, refused });
      taken.push({ records, refused });
      return Promise.resolve({ accepted: records.length, refused: [...refused] });
    },
  };
  const errors: unknown[] = [];
  const taker = new SliceTaker({
    settings,
    principal: { id: 'p', role: 'ingest', tenant: 't', streams: new Set(), agents: ['*'] },
    doors: {
      intake,
      json: (value) => ({
        records: [{ index: 0, value: JSON.parse(value.toString()) as unknown, bytes: value.length }],
        refused: [],
      }),
      cloudEvent: () => undefined,
      exports: () => Promise.resolve(),
    },
    agents: new AgentPartitions(),
    failed: (error) => errors.push(error),
    notice: () => {},
  });
  return { taker, taken, errors };
}

function reading(): Reading {
  return {
    topic: 'calls',
    partition: 0,
    position: 0,
    highWatermark: 0,
    over: new AbortController(),
    isWaiting: false,
    taking: new InOrder(),
  };
}

const slice = (...values: unknown[]) => ({
  records: values.map((value, offset) => ({
    offset,
    time: 0,
    key: null,
    value: Buffer.from(JSON.stringify(value)),
    headers: {},
  })),
  format: 'native',
  tombstones: 0,
  next: values.length,
  time: 0,
});

it('offers a slice again, as it is, until it is taken', async () => {
  let tries = 0;
  const { taker, taken, errors } = takerOver(() => {
    if (tries++ === 0) throw new OverloadError('full', 429, 0);
    if (tries === 2) throw Object.assign(new Error('away'), { code: 'KAFKA_UNAVAILABLE' });
  });
  const own = reading();
  expect(await taker.take(slice(1, 2), own)).toBe(true);
  expect(taken.map(({ records }) => records.map(({ value }) => value))).toEqual([[1, 2]]);
  expect(errors).toHaveLength(2);
  expect([own.isWaiting, taker.counters]).toEqual([false, { accepted: 2, refused: 0, waits: 2 }]);
});

it('gives up waiting when the partition is others’', async () => {
  const own = reading();
  const { taker, taken } = takerOver(() => {
    setImmediate(() => own.over.abort());
    throw new OverloadError('full', 503, 60);
  });
  expect(await taker.take(slice(1), own)).toBe(false);
  expect(taken).toEqual([]);
});

it('lets a record that brings the program to a fault cost only itself', async () => {
  const { taker, taken } = takerOver(({ records }) => {
    if (records.some(({ value }) => value === 'bad')) throw new TypeError('cannot read x of undefined');
  });
  expect(await taker.take(slice(1, 'bad', 3), reading())).toBe(true);
  expect(
    taken.map(({ records, refused }) => [records.map(({ value }) => value), refused.map(({ place }) => place?.name)]),
  ).toEqual([
    [[1], []],
    [[], ['topic calls, partition 0, offset 1']],
    [[3], []],
  ]);
});

it('offers what the log will never take once, and keeps it as a dead letter', async () => {
  const { taker, taken } = takerOver(({ records }) => {
    if (records.length > 0) throw Object.assign(new Error('too large'), { code: 'KAFKA_REFUSED' });
  });
  expect(await taker.take(slice('huge'), reading())).toBe(true);
  expect(taken).toMatchObject([{ refused: [{ reason: expect.stringMatching(/KAFKA_REFUSED/) }] }]);
});
