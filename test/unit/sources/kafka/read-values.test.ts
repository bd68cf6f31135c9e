import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { holdsLines, readBatch } from '../../../../src/api/batch.js';
import { fromKafkaBinary } from '../../../../src/normalize/cloud-events.js';
import { placedValue, readValues } from '../../../../src/sources/kafka/read-values.js';

const LIMITS = { maxDepth: 8, maxRecordBytes: 1_000, maxRecords: 10 };
const doors = {
  json: (value: Buffer) => readBatch(value, holdsLines(value), LIMITS),
  cloudEvent: fromKafkaBinary,
};
const bytes = (text: string) => new TextEncoder().encode(text);

function read(format: string, ...values: { text: string; headers?: Record<string, string> }[]) {
  const placed = values.map(({ text, headers = {} }, i) => {
    const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, bytes(value)]));
    return placedValue(
      { value: bytes(text), headers: own, offset: 40 + i },
      { sourceId: 'src', topic: 'calls', partition: 2 },
    );
  });
  return readValues(placed, { format, doors, maxBytes: 500 });
}

it('reads one record, an array or lines out of a value, each with its place', () => {
  const { records, refused } = read(
    'native',
    { text: '{"a":1}' },
    { text: '[{"a":2},{"a":' },
    { text: '{"a":3}\n{"a":4}' },
  );
  expect(records.map(({ index, value, place }) => [index, value, place?.key])).toEqual([
    [0, { a: 1 }, 'src/calls/2/40'],
    [1, { a: 2 }, 'src/calls/2/41/0'],
    [3, { a: 3 }, 'src/calls/2/42/0'],
    [4, { a: 4 }, 'src/calls/2/42/1'],
  ]);
  expect(refused.map(({ index, place }) => [index, place?.name])).toEqual([
    [2, 'topic calls, partition 2, offset 41, record 1'],
  ]);
  expect(records[0]?.place?.hash()).toBe(createHash('sha256').update('{"a":1}').digest('hex'));
});

it('refuses a value that is too large without reading it', () => {
  const { records, refused } = read('native', { text: `{"a":"${'x'.repeat(600)}"}` }, { text: '{}' });
  expect(records.map(({ index }) => index)).toEqual([1]);
  expect(refused).toMatchObject([{ index: 0, reason: expect.stringMatching(/maxMessageBytes/) }]);
});

it('hands exports over whole, without a part in their ids', () => {
  const { exports } = read('otlp_proto/logs', { text: 'bytes' });
  expect(exports).toMatchObject([
    { signal: 'logs', encoding: 'protobuf', place: { name: 'topic calls, partition 2, offset 40' } },
  ]);
  expect(exports[0]?.place).not.toHaveProperty('key');
});

describe('CloudEvents', () => {
  const binary = { ce_specversion: '1.0', ce_id: '1', ce_source: 's', ce_type: 't' };
  const event = { specversion: '1.0', id: '1', source: 's', type: 't', data: { a: 1 } };

  it('takes the form that the content type names', () => {
    const { records } = read(
      'cloudevents',
      { text: JSON.stringify(event), headers: { 'content-type': 'application/cloudevents+json; charset=UTF-8' } },
      { text: '{"a":1}', headers: { ...binary, 'content-type': 'application/json' } },
      { text: '{"a":1}', headers: binary },
      { text: JSON.stringify(event) },
      { text: JSON.stringify([event]), headers: { 'content-type': 'application/cloudevents-batch+json' } },
    );
    expect(records.map(({ value }) => value)).toEqual(Array.from({ length: 5 }, () => event));
  });

  it('refuses what is not JSON, and several events in one binary form', () => {
    const { records, refused } = read(
      'cloudevents',
      { text: 'Obj', headers: { 'content-type': 'application/cloudevents+avro' } },
      { text: '<a/>', headers: { ...binary, 'content-type': 'text/xml' } },
      { text: '[{"a":1},{"a":2}]', headers: binary },
      { text: '{"a":', headers: binary },
    );
    expect(records).toEqual([]);
    expect(refused.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/no CloudEvent in JSON/),
      expect.stringMatching(/data is not JSON/),
      expect.stringMatching(/one event/),
      expect.stringMatching(/not valid JSON/),
    ]);
  });
});
