import { describe, expect, it } from 'vitest';
import type { LogEntry } from '../../../src/log/port.js';
import { decodeRecord, encodeRecord } from '../../../src/log/record-codec.js';
import type { LogRecord } from '../../../src/model/log-record.js';
import { SCHEMA_VERSION } from '../../../src/model/observation.js';

const OBSERVATION: LogRecord = {
  type: 'observation',
  value: {
    id: 'obs_1',
    schemaVersion: SCHEMA_VERSION,
    stream: 'metric',
    kind: 'sample',
    time: 1,
    observedAt: 2,
    tenant: 'tenant',
    agentId: 'agent "ü" \u0000 \u2028',
    principalId: 'key-1',
    values: { latencyMs: 1.5 },
  },
};

const RECORDS: LogRecord[] = [
  OBSERVATION,
  { type: 'payload', value: { id: 'o', tenant: 't', agentId: 'a', sessionId: 's', time: 1, content: '{"a":"€"}' } },
  { type: 'tick', value: { now: 5 } },
  { type: 'activation', value: { time: 1, tenant: 't', what: 'learning', value: 'frozen' } },
];

function entry(type: string, data: string | Uint8Array): LogEntry {
  // The type comes from storage: a damaged or newer one is what these tests are about.
  return { position: 42, type: type as LogEntry['type'], data: typeof data === 'string' ? Buffer.from(data) : data };
}

describe('the record codec', () => {
  it.each(RECORDS)('gives back a record of type $type', (record) => {
    const raw = encodeRecord(record);
    expect(decodeRecord({ ...raw, position: 1 })).toEqual(record);
    // Any view on bytes will do, not only the library's Buffer.
    expect(decodeRecord({ position: 1, type: raw.type, data: new Uint8Array(raw.data) })).toEqual(record);
  });

  it.each([
    ['an unknown type', entry('noise', '{}'), /position 42: unknown type "noise"/],
    ['a type that only the prototype has', entry('toString', '{}'), /position 42: unknown type "toString"/],
    ['cut text', entry('tick', '{"now":'), /position 42: a record of type tick is not valid JSON/],
    ['no text', entry('verdict', ''), /position 42: a record of type verdict is not valid JSON/],
    ['a bare number', entry('tick', '5'), /position 42: a record of type tick must hold an object/],
    ['bytes that are not UTF-8', entry('tick', Buffer.from([0x22, 0xff, 0x22])), /position 42.*not valid UTF-8/],
    ['another version of the shape', entry('observation', '{"schemaVersion":99}'), /position 42: an observation of/],
  ])('refuses %s by position and type', (_, damaged, message) => {
    expect(() => decodeRecord(damaged)).toThrow(message);
  });
});
