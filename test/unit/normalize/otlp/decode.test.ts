import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentKey, decodeJson, decodeProtobuf, OtlpError } from '../../../../src/normalize/otlp/decode.js';
import { OTLP_SIGNALS, type OtlpRecord, type OtlpSignal } from '../../../../src/normalize/otlp/model.js';
import {
  collectExports,
  otelContext,
  realSdk,
  SpanKind,
  SpanStatusCode,
  trace,
  type Encoding,
} from '../../../support/emitters/otel-sdk.js';

const LIMITS = { maxRecordBytes: 1024 * 1024, maxRecords: 20_000 };
const AT = 1_764_000_000_000;

/** Every kind of value, the same in both encodings: times and ids are set by the test where the SDK allows it. */
async function exported(encoding: Encoding): Promise<Map<OtlpSignal, OtlpRecord[]>> {
  const collector = await collectExports();
  const sdk = realSdk(collector.url, encoding);
  const root = sdk.tracer.startSpan('invoke_agent travel', { startTime: AT, kind: SpanKind.INTERNAL });
  const child = sdk.tracer.startSpan(
    'execute_tool book',
    {
      startTime: AT + 1,
      attributes: { 'gen_ai.tool.name': 'book', price: 12.5, count: 3, paid: true, tags: ['a', 'b'] },
    },
    trace.setSpan(otelContext.active(), root),
  );
  child.addEvent('gen_ai.choice', { index: 0 }, AT + 2);
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'no seats' });
  child.end(AT + 3);
  root.end(AT + 4);
  sdk.logger.emit({
    eventName: 'gen_ai.user.message',
    timestamp: AT,
    observedTimestamp: AT,
    severityText: 'INFO',
    body: { role: 'user', content: [{ type: 'text', text: 'Pay £5 ✓' }], n: 1 },
    attributes: { 'gen_ai.provider.name': 'local' },
  });
  sdk.meter.createHistogram('gen_ai.client.operation.duration', { unit: 's' }).record(0.25, { model: 'm' });
  sdk.meter.createCounter('gen_ai.calls').add(7);
  sdk.meter.createObservableGauge('load').addCallback((result) => result.observe(-1.5));
  await sdk.close();
  await collector.close();
  const found = new Map<OtlpSignal, OtlpRecord[]>(OTLP_SIGNALS.map((signal) => [signal, []]));
  for (const { path, body } of collector.sent) {
    const signal = OTLP_SIGNALS.find((one) => path === `/v1/${one}`);
    if (signal === undefined) throw new Error(`an export to ${path}`);
    const batch =
      encoding === 'protobuf'
        ? decodeProtobuf(signal, body, LIMITS)
        : decodeJson(signal, JSON.parse(body.toString('utf8')), LIMITS);
    expect(batch.refused).toEqual([]);
    found.get(signal)?.push(...batch.records.map(({ value }) => value));
  }
  return found;
}

/** Ids and times of metrics are the SDK's own and differ between two runs. */
const comparable = (records: readonly OtlpRecord[]) => {
  const same = { traceId: '', spanId: '', parentSpanId: '', startMs: 0 };
  return records
    .map((record) => (record.signal === 'metrics' ? { ...record, ...same, timeMs: 0 } : { ...record, ...same }))
    .map((record) => contentKey(record))
    .sort();
};

describe('OTLP of the real SDK', () => {
  let proto: Map<OtlpSignal, OtlpRecord[]>;
  let json: Map<OtlpSignal, OtlpRecord[]>;
  beforeAll(async () => {
    proto = await exported('protobuf');
    json = await exported('json');
  });
  afterAll(() => trace.disable());

  it('reads spans with their times, ids, values and events', () => {
    const spans = proto.get('traces') ?? [];
    const [tool, agent] = spans;
    if (tool?.signal !== 'traces' || agent?.signal !== 'traces') throw new Error('two spans were sent');
    expect(tool).toMatchObject({ name: 'execute_tool book', startMs: AT + 1, endMs: AT + 3, statusCode: 2 });
    expect(tool.statusMessage).toBe('no seats');
    expect(tool.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(tool.parentSpanId).toBe(agent.spanId);
    expect(agent.parentSpanId).toBe('');
    expect(Object.fromEntries(tool.attributes)).toEqual({
      'gen_ai.tool.name': 'book',
      price: 12.5,
      count: 3,
      paid: true,
      tags: ['a', 'b'],
    });
    expect(tool.events).toMatchObject([{ name: 'gen_ai.choice', timeMs: AT + 2 }]);
    expect(tool.resource.get('service.name')).toBe('travel-agent');
    expect(tool.scope).toBe('travel-agent');
  });

  it('reads log records with structured bodies', () => {
    expect(proto.get('logs')).toMatchObject([
      {
        eventName: 'gen_ai.user.message',
        timeMs: AT,
        severityText: 'INFO',
        body: { role: 'user', content: [{ type: 'text', text: 'Pay £5 ✓' }], n: 1 },
      },
    ]);
  });

  it('reads each data point of a metric', () => {
    expect(proto.get('metrics')).toMatchObject([
      { name: 'gen_ai.client.operation.duration', kind: 'histogram', unit: 's', count: 1, sum: 0.25 },
      { name: 'gen_ai.calls', kind: 'sum', isMonotonic: true, isDelta: false, value: 7 },
      { name: 'load', kind: 'gauge', value: -1.5 },
    ]);
  });

  it('finds the same in protobuf and in JSON', () => {
    for (const signal of OTLP_SIGNALS) {
      const records = proto.get(signal) ?? [];
      expect(records.length).toBeGreaterThan(0);
      expect(comparable(json.get(signal) ?? [])).toEqual(comparable(records));
    }
  });
});

describe('OTLP that is broken', () => {
  const log = (change: object = {}) => ({ timeUnixNano: '1764000000000000000', body: { stringValue: 'x' }, ...change });
  const logs = (...logRecords: object[]) => ({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] });

  it('refuses a record by its index and takes its neighbours', () => {
    const { records, refused } = decodeJson('logs', logs(log(), { body: { stringValue: 'no time' } }, log()), LIMITS);
    expect(records.map(({ index }) => index)).toEqual([0, 2]);
    expect(refused).toMatchObject([{ index: 1, field: 'timeUnixNano' }]);
  });

  it('numbers equal log records, so that each is an event of its own', () => {
    const { records } = decodeJson('logs', logs(log(), log(), log({ severityText: 'WARN' }), log()), LIMITS);
    expect(records.map(({ value }) => value.signal === 'logs' && value.ordinal)).toEqual([0, 1, 0, 2]);
  });

  it('takes 64-bit numbers as text or number, and passes over what it does not know', () => {
    const as = (timeUnixNano: unknown) =>
      decodeJson('logs', logs(log({ timeUnixNano, color: 'green', attributes: 7 })), LIMITS).records[0]?.value;
    expect(as('1764000000123456789')).toMatchObject({ timeMs: 1_764_000_000_123.456 });
    expect(as(1_764_000_000_000_000_000)).toMatchObject({ timeMs: 1_764_000_000_000 });
  });

  it('refuses what is no OTLP, as a whole', () => {
    expect(() => decodeJson('traces', [], LIMITS)).toThrow(OtlpError);
    expect(() => decodeProtobuf('traces', Buffer.from('hello, this is no protobuf'), LIMITS)).toThrow(OtlpError);
    expect(() => decodeProtobuf('traces', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f]), LIMITS)).toThrow(OtlpError);
  });

  it('is not talked into objects without number by a small body', () => {
    const empty = Buffer.alloc(400_000);
    for (let i = 0; i < empty.length; i += 2) empty[i] = 0x0a;
    expect(() => decodeProtobuf('traces', empty, { ...LIMITS, maxRecords: 1_000 })).toThrow(/too many groups/);
    const many = Array.from({ length: 11 }, () => log());
    expect(() => decodeJson('logs', logs(...many), { ...LIMITS, maxRecords: 10 })).toThrow(/more than 10 records/);
  });
});
