import protobuf, { type Type } from 'protobufjs';
import { LOG_RECORD, METRIC, RESOURCE, SCOPE, SPAN } from './definitions.js';
import type { OtlpRecord, OtlpSignal } from './model.js';
import { readRecord, type Around } from './read.js';
import { attributes, field, list, text } from './values.js';

export interface OtlpLimits {
  maxRecordBytes: number;
  maxRecords: number;
}

/** What a request holds: its records, and those that cannot be used. A metric is a record for each of its points. */
export interface OtlpBatch {
  records: { index: number; value: OtlpRecord; bytes: number }[];
  /** `raw`: for the dead letter, hex where the record came as protobuf. */
  refused: { index: number; field: string; reason: string; raw: string }[];
}

/** A request that is no OTLP at all, or holds too much; nothing of it was read. */
export class OtlpError extends Error {
  override name = 'OtlpError';

  /** HTTP status that tells it. */
  get otlpStatus(): 400 | 413 {
    return this.trouble === 'malformed' ? 400 : 413;
  }

  constructor(
    readonly trouble: 'malformed' | 'too-many-records',
    message: string,
  ) {
    super(message);
  }
}

const RECORDS: Record<OtlpSignal, Type> = { traces: SPAN, logs: LOG_RECORD, metrics: METRIC };
const LENGTH_DELIMITED = 2;
const RAW_BYTES = 2_048;

/**
 * Reads an `ExportTraceServiceRequest`, `...Logs...` or `...Metrics...` in protobuf.
 *
 * The three levels around the records are walked by hand, so that a record that is malformed or too large costs only
 * itself, and so that a small body cannot ask for a large number of objects.
 *
 * @throws OtlpError
 */
export function decodeProtobuf(signal: OtlpSignal, body: Uint8Array, limits: OtlpLimits): OtlpBatch {
  const batch = new BatchBuilder(signal, limits);
  const type = RECORDS[signal];
  // Empty groups hold no record but cost an object each.
  const most = { left: limits.maxRecords * 3 + 1_000 };
  for (const group of messagesIn(body, most).get(1) ?? []) {
    const parts = messagesIn(group, most);
    const resource = attributes(decode(RESOURCE, parts.get(1)?.at(-1)));
    for (const scopeGroup of parts.get(2) ?? []) {
      const inner = messagesIn(scopeGroup, most);
      const around = { resource, scope: text(decode(SCOPE, inner.get(1)?.at(-1)), 'name') };
      for (const bytes of inner.get(2) ?? []) {
        batch.add(bytes.length, around, {
          read: () => type.decode(bytes),
          raw: () => Buffer.from(bytes.subarray(0, RAW_BYTES)).toString('hex'),
        });
      }
    }
  }
  return batch.done();
}

const GROUPS: Record<OtlpSignal, [resource: string, scope: string, record: string]> = {
  traces: ['resourceSpans', 'scopeSpans', 'spans'],
  logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
  metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
};

/** The same from the JSON mapping, parsed. Unknown fields are passed over. @throws OtlpError */
export function decodeJson(signal: OtlpSignal, body: unknown, limits: OtlpLimits): OtlpBatch {
  const [resources, scopes, records] = GROUPS[signal];
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new OtlpError('malformed', `the body must be a JSON object with "${resources}"`);
  }
  const batch = new BatchBuilder(signal, limits);
  for (const group of list(body, resources)) {
    const resource = attributes(field(group, 'resource'));
    for (const scopeGroup of list(group, scopes)) {
      const around = { resource, scope: text(field(scopeGroup, 'scope'), 'name') };
      for (const record of list(scopeGroup, records)) {
        const json = JSON.stringify(record) ?? '';
        batch.add(Buffer.byteLength(json), around, { read: () => record, raw: () => json.slice(0, RAW_BYTES) });
      }
    }
  }
  return batch.done();
}

/** Gathers records in order and sorts out those that cannot be used. */
class BatchBuilder {
  readonly #signal: OtlpSignal;
  readonly #limits: OtlpLimits;
  readonly #batch: OtlpBatch = { records: [], refused: [] };
  /** How often each log record without an id of its own stood in this request already. */
  readonly #seen = new Map<string, number>();
  #index = 0;

  constructor(signal: OtlpSignal, limits: OtlpLimits) {
    this.#signal = signal;
    this.#limits = limits;
  }

  add(bytes: number, around: Around, record: { read: () => unknown; raw: () => string }): void {
    const { maxRecordBytes, maxRecords } = this.#limits;
    const index = this.#index++;
    if (this.#index > maxRecords) throw new OtlpError('too-many-records', `more than ${maxRecords} records`);
    const refuse = (where: string, reason: string) =>
      this.#batch.refused.push({ index, field: where, reason, raw: record.raw() });
    if (bytes > maxRecordBytes) {
      refuse('', `is ${bytes} bytes long; send at most ${maxRecordBytes} bytes a record`);
      return;
    }
    let message: unknown;
    try {
      message = record.read();
    } catch {
      // The decoder's own words may quote the record.
      refuse('', 'is no message of this kind; encode it anew');
      return;
    }
    for (const found of readRecord(this.#signal, message, around)) {
      if ('reason' in found) refuse(found.field, found.reason);
      else this.#batch.records.push({ index, value: this.#numbered(found), bytes });
    }
  }

  done(): OtlpBatch {
    return this.#batch;
  }

  /** Equal log records of one request are different events; sent again, they get the same numbers. */
  #numbered(record: OtlpRecord): OtlpRecord {
    if (record.signal !== 'logs') return record;
    const key = contentKey(record);
    const ordinal = this.#seen.get(key) ?? 0;
    this.#seen.set(key, ordinal + 1);
    return ordinal === 0 ? record : { ...record, ordinal };
  }
}

/** The whole content of a record as text: equal for equal records in either encoding. */
export function contentKey(record: OtlpRecord): string {
  return JSON.stringify(record, (_key, value: unknown) => (value instanceof Map ? [...value] : value));
}

/** The bytes of a message's embedded messages, by field number. @throws OtlpError */
function messagesIn(bytes: Uint8Array, most: { left: number }): Map<number, Uint8Array[]> {
  const found = new Map<number, Uint8Array[]>();
  const reader = protobuf.Reader.create(bytes);
  try {
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      const [number, wireType] = [tag >>> 3, tag & 7];
      if (wireType !== LENGTH_DELIMITED || number > 2) {
        reader.skipType(wireType);
        continue;
      }
      if (most.left-- === 0) break;
      const length = reader.uint32();
      const start = reader.pos;
      reader.skip(length);
      const list_ = found.get(number);
      const part = bytes.subarray(start, start + length);
      if (list_ === undefined) found.set(number, [part]);
      else list_.push(part);
    }
  } catch {
    throw new OtlpError('malformed', 'the body is not OTLP in protobuf');
  }
  if (most.left < 0) throw new OtlpError('too-many-records', 'the body holds too many groups of records');
  return found;
}

function decode(type: Type, bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) return undefined;
  try {
    return type.decode(bytes);
  } catch {
    throw new OtlpError('malformed', 'the body is not OTLP in protobuf');
  }
}
