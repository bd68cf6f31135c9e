import * as fc from 'fast-check';
import protobuf, { type Type } from 'protobufjs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { STREAMS } from '../../src/model/observation.js';
import type { Principal } from '../../src/model/principal.js';
import { decodeRecord } from '../../src/log/record-codec.js';
import { EXPORT_RESPONSE, LOG_RECORD, METRIC, RESOURCE, SCOPE, SPAN } from '../../src/normalize/otlp/definitions.js';
import type { OtlpSignal } from '../../src/normalize/otlp/model.js';
import { OtlpIntake } from '../../src/normalize/otlp/otlp-intake.js';
import { otlpReceiver } from '../../src/normalize/otlp/receiver.js';
import { openTrial, TRIAL_TENANT, type Trial } from '../../src/trial.js';
import { CODING_AGENTS } from '../support/emitters/coding-agents.js';

const LIMITS = { maxRecordBytes: 1024 * 1024, maxRecords: 1_000 };
const KEY: Principal = { id: 'key', role: 'ingest', tenant: TRIAL_TENANT, streams: new Set(STREAMS), agents: ['*'] };
const NANOS = 1_764_000_000_000_000_000n;

let trial: Trial;
beforeAll(() => {
  trial = openTrial({ startMs: 1_764_000_000_000 });
});
afterAll(() => trial.close());

/** A request in the JSON mapping: one resource, one scope. */
interface Request {
  signal: OtlpSignal;
  resource: object;
  records: object[];
}

const TYPES: Record<OtlpSignal, Type> = { traces: SPAN, logs: LOG_RECORD, metrics: METRIC };
const NAMES = {
  traces: ['resourceSpans', 'scopeSpans', 'spans'],
  logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
  metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
} as const;
const SCOPE_OF_TESTS = { name: 'encodings' };

function asJson({ signal, resource, records }: Request): Buffer {
  const [groups, scopes, list] = NAMES[signal];
  const inner = { scope: SCOPE_OF_TESTS, [list]: records };
  return Buffer.from(JSON.stringify({ [groups]: [{ resource, [scopes]: [inner] }] }));
}

/** The same in protobuf: all three requests number their levels alike. */
function asProtobuf({ signal, resource, records }: Request): Buffer {
  const message = (...parts: [field: number, bytes: Uint8Array][]) => {
    const writer = protobuf.Writer.create();
    for (const [field, bytes] of parts) writer.uint32((field << 3) | 2).bytes(bytes);
    return writer.finish();
  };
  const encoded = (type: Type, value: object) => type.encode(type.fromObject(value)).finish();
  const list = records.map((record): [number, Uint8Array] => [2, encoded(TYPES[signal], withBytes(record))]);
  const scope = message([1, encoded(SCOPE, SCOPE_OF_TESTS)], ...list);
  return Buffer.from(message([1, message([1, encoded(RESOURCE, resource)], [2, scope])]));
}

/** Ids are hex in the JSON mapping of OTLP and bytes in protobuf. */
function withBytes(record: object): object {
  const entries = Object.entries(record).map(([name, value]: [string, unknown]) =>
    name.endsWith('Id') && typeof value === 'string' ? [name, Buffer.from(value, 'hex')] : [name, value],
  );
  return Object.fromEntries(entries) as object;
}

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const whole = fc.integer({ min: -1_000_000, max: 1_000_000 });
const scalar = fc.oneof(
  text.map((stringValue) => ({ stringValue })),
  fc.boolean().map((boolValue) => ({ boolValue })),
  whole.map((value) => ({ intValue: String(value) })),
  whole.map((value) => ({ doubleValue: value === 0 ? 0.5 : value / 8 })),
  fc.uint8Array({ maxLength: 8 }).map((bytes) => ({ bytesValue: Buffer.from(bytes).toString('base64') })),
);
const anyValue = fc.oneof(
  { weight: 3, arbitrary: scalar },
  fc.array(scalar, { maxLength: 3 }).map((values) => ({ arrayValue: { values } })),
  fc.array(fc.record({ key: text, value: scalar }), { maxLength: 3 }).map((values) => ({ kvlistValue: { values } })),
  fc.jsonValue({ maxDepth: 2 }).map((value) => ({ stringValue: JSON.stringify(value) })),
);
const known: [string, string[]][] = [
  ['gen_ai.operation.name', ['chat', 'execute_tool', 'invoke_agent']],
  ['gen_ai.agent.id', ['a', 'b']],
  ['gen_ai.conversation.id', ['c-1', 'c-2']],
  ['gen_ai.tool.name', ['pay', 'look']],
  ['gen_ai.tool.call.arguments', ['{"to":"Ann"}', '[1]']],
  ['gen_ai.input.messages', ['[{"role":"user","parts":[{"type":"text","content":"Pay £5 ✓"}]}]']],
  ['gen_ai.output.messages', ['[{"role":"assistant","parts":[{"type":"tool_call","name":"pay","id":"1"}]}]']],
  ['gen_ai.usage.output_tokens', ['12']],
];
const named = fc
  .constantFrom(...known)
  .chain(([key, values]) =>
    fc.record({ key: fc.constant(key), value: fc.constantFrom(...values).map((stringValue) => ({ stringValue })) }),
  );
const attributes = fc.array(fc.oneof(named, fc.record({ key: text, value: anyValue })), { maxLength: 10 });
const nanos = fc.oneof({ weight: 9, arbitrary: fc.nat(10_000) }, fc.constant(-1)).map((n) => {
  return n < 0 ? '0' : String(NANOS + BigInt(n) * 1_000_000n);
});
const id = (bytes: number) =>
  fc.oneof(
    { weight: 9, arbitrary: fc.uint8Array({ minLength: bytes, maxLength: bytes, min: 1 }) },
    fc.uint8Array({ minLength: bytes, maxLength: bytes, max: 0 }),
  );
const hexId = (bytes: number) => id(bytes).map((value) => Buffer.from(value).toString('hex'));

const span = fc.record({
  traceId: hexId(16),
  spanId: hexId(8),
  name: fc.constantFrom('chat m', 'execute_tool pay', 'invoke_agent a', 'GET /'),
  startTimeUnixNano: nanos,
  endTimeUnixNano: nanos,
  attributes,
  status: fc.record({ code: fc.constantFrom(0, 1, 2), message: text }),
});
const said = CODING_AGENTS.flatMap(({ events }) => events).map(({ body, attributes: of }) => ({
  body: { stringValue: body },
  attributes: Object.entries(of).map(([key, value]) => ({ key, value: valueOf(value) })),
}));
const log = fc
  .tuple(fc.constantFrom(...said), attributes, nanos, anyValue, fc.boolean())
  .map(([like, more, timeUnixNano, body, isChanged]) => ({
    timeUnixNano,
    body: isChanged ? body : like.body,
    attributes: [...like.attributes, ...more],
  }));
const point = fc.record({ timeUnixNano: nanos, startTimeUnixNano: nanos, asInt: whole.map(String), attributes });
const metric = fc.record({
  name: fc.constantFrom('claude_code.token.usage', 'load', ''),
  unit: text,
  sum: fc.record({
    aggregationTemporality: fc.constantFrom(1, 2),
    isMonotonic: fc.boolean(),
    dataPoints: fc.array(point, { maxLength: 3 }),
  }),
});
const resource = fc.record({
  attributes: fc.constantFrom(
    [{ key: 'service.name', value: { stringValue: 'shop' } }],
    [{ key: 'service.name', value: { stringValue: 'claude-code' } }],
    [],
  ),
});
const request: fc.Arbitrary<Request> = fc.oneof(
  fc.record({ signal: fc.constant('traces' as const), resource, records: fc.array(span, { maxLength: 5 }) }),
  fc.record({ signal: fc.constant('logs' as const), resource, records: fc.array(log, { maxLength: 5 }) }),
  fc.record({ signal: fc.constant('metrics' as const), resource, records: fc.array(metric, { maxLength: 3 }) }),
);

function valueOf(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

it('gives the same observations and refusals in either encoding', { timeout: 120_000 }, async () => {
  const intake = () => new OtlpIntake({ intake: trial.core.intake, waitMs: 0, sleep: () => Promise.resolve() });
  const [json, proto] = [otlpReceiver(intake(), LIMITS), otlpReceiver(intake(), LIMITS)];
  const { log: records } = trial.core;
  const observed = async (take: () => Promise<Uint8Array>) => {
    const from = records.head + 1;
    const answer = await take();
    return { answer, entries: records.read(from, 1_000).map((entry) => decodeRecord(entry)) };
  };
  const seen = { observations: 0, refusals: 0 };
  await fc.assert(
    fc.asyncProperty(request, async (one) => {
      const { signal } = one;
      const first = await observed(() => json.receive({ signal, encoding: 'json', body: asJson(one) }, KEY));
      const second = await observed(() => proto.receive({ signal, encoding: 'protobuf', body: asProtobuf(one) }, KEY));
      const of = ({ entries }: typeof first) =>
        entries.flatMap((entry) => (entry.type === 'observation' ? [entry.value] : []));
      expect(of(second)).toEqual(of(first));
      const decoded = EXPORT_RESPONSE.toObject(EXPORT_RESPONSE.decode(second.answer), { longs: String });
      const { partialSuccess: partial } = decoded as { partialSuccess?: { rejected: string; errorMessage: string } };
      const text_ = Buffer.from(first.answer).toString();
      expect(text_.includes('partialSuccess')).toBe(partial !== undefined);
      expect(text_).toContain(partial === undefined ? '{' : JSON.stringify(partial.errorMessage).slice(1, -1));
      seen.observations += of(first).length;
      seen.refusals += Number(partial?.rejected ?? 0);
    }),
    { numRuns: 300 },
  );
  expect(seen.observations).toBeGreaterThan(200);
  expect(seen.refusals).toBeGreaterThan(20);
});
