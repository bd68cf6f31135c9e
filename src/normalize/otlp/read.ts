import type { Attributes, OtlpLog, OtlpPoint, OtlpRecord, OtlpSignal, OtlpSpan } from './model.js';
import { anyValue, attributes, field, hexId, list, number, text, timeMs } from './values.js';

/** What is around a record: its resource and the scope that made it. */
export interface Around {
  resource: Attributes;
  scope: string;
}

/** A record that cannot be used, and why. */
export interface Unreadable {
  field: string;
  reason: string;
}

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;
const DELTA = 1;

/** One span, log record or metric as plain data: a metric gives a record a data point. */
export function readRecord(signal: OtlpSignal, message: unknown, around: Around): (OtlpRecord | Unreadable)[] {
  if (signal === 'traces') return [readSpan(message, around)];
  return signal === 'logs' ? [readLog(message, around)] : readMetric(message, around);
}

function readSpan(message: unknown, around: Around): OtlpSpan | Unreadable {
  const traceId = hexId(message, 'traceId', TRACE_ID_BYTES);
  const spanId = hexId(message, 'spanId', SPAN_ID_BYTES);
  if (traceId === '') return { field: 'traceId', reason: 'must be 16 bytes that are not all zero' };
  if (spanId === '') return { field: 'spanId', reason: 'must be 8 bytes that are not all zero' };
  const startMs = timeMs(message, 'startTimeUnixNano');
  const endMs = timeMs(message, 'endTimeUnixNano') || startMs;
  if (!(startMs > 0)) return { field: 'startTimeUnixNano', reason: 'must be a time in nanoseconds since 1970' };
  if (Number.isNaN(endMs)) return { field: 'endTimeUnixNano', reason: 'must be a time in nanoseconds since 1970' };
  const status = field(message, 'status');
  return {
    signal: 'traces',
    ...around,
    traceId,
    spanId,
    parentSpanId: hexId(message, 'parentSpanId', SPAN_ID_BYTES),
    name: text(message, 'name'),
    startMs,
    endMs,
    attributes: attributes(message),
    events: list(message, 'events').map((event) => ({
      name: text(event, 'name'),
      timeMs: timeMs(event, 'timeUnixNano') || startMs,
      attributes: attributes(event),
    })),
    statusCode: number(status, 'code'),
    statusMessage: text(status, 'message'),
  };
}

function readLog(message: unknown, around: Around): OtlpLog | Unreadable {
  const time = timeMs(message, 'timeUnixNano') || timeMs(message, 'observedTimeUnixNano');
  if (!(time > 0)) {
    return { field: 'timeUnixNano', reason: 'this and observedTimeUnixNano are missing or no time in nanoseconds' };
  }
  return {
    signal: 'logs',
    ...around,
    timeMs: time,
    eventName: text(message, 'eventName'),
    severityText: text(message, 'severityText'),
    body: anyValue(field(message, 'body')),
    attributes: attributes(message),
    traceId: hexId(message, 'traceId', TRACE_ID_BYTES),
    spanId: hexId(message, 'spanId', SPAN_ID_BYTES),
    ordinal: 0,
  };
}

/** How each kind of metric stands in a message. */
const KINDS = [
  ['gauge', 'gauge'],
  ['sum', 'sum'],
  ['histogram', 'histogram'],
  ['exponentialHistogram', 'histogram'],
  ['summary', 'summary'],
] as const;

function readMetric(message: unknown, around: Around): (OtlpPoint | Unreadable)[] {
  const name = text(message, 'name');
  if (name === '') return [{ field: 'name', reason: 'a metric must have a name' }];
  for (const [place, kind] of KINDS) {
    const data = field(message, place);
    if (data === undefined || data === null) continue;
    const about = {
      signal: 'metrics' as const,
      ...around,
      name,
      unit: text(message, 'unit'),
      kind,
      isDelta: number(data, 'aggregationTemporality') === DELTA,
      isMonotonic: field(data, 'isMonotonic') === true,
    };
    return list(data, 'dataPoints').map((point) => readPoint(point, about));
  }
  return [{ field: 'data', reason: 'a metric must hold a gauge, sum, histogram or summary' }];
}

function readPoint(
  point: unknown,
  about: Omit<OtlpPoint, 'startMs' | 'timeMs' | 'value' | 'count' | 'sum' | 'attributes'>,
): OtlpPoint | Unreadable {
  const time = timeMs(point, 'timeUnixNano');
  if (!(time > 0)) return { field: 'timeUnixNano', reason: 'must be a time in nanoseconds since 1970' };
  const value = field(point, 'asInt') === undefined ? number(point, 'asDouble') : number(point, 'asInt');
  const read = {
    ...about,
    startMs: timeMs(point, 'startTimeUnixNano') || 0,
    timeMs: time,
    value,
    count: number(point, 'count'),
    sum: number(point, 'sum'),
    attributes: attributes(point),
  };
  if ([read.value, read.count, read.sum].every(Number.isFinite)) return read;
  return { field: 'dataPoints', reason: 'holds a value that is no finite number; leave the point out' };
}
