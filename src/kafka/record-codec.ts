import type { RawRecord } from '../log/port.js';
import type { LogRecordType } from '../model/log-record.js';
import type { ReceivedRecord } from './port.js';

/** Name of the header that says what a record is. */
export const TYPE_HEADER = 't';

/** Closed under the type: a new type of record does not compile before it stands here. */
const TYPES: Record<LogRecordType, Uint8Array> = {
  observation: Buffer.from('observation'),
  payload: Buffer.from('payload'),
  tick: Buffer.from('tick'),
  verdict: Buffer.from('verdict'),
  ack: Buffer.from('ack'),
  order: Buffer.from('order'),
  activation: Buffer.from('activation'),
  'source-trouble': Buffer.from('source-trouble'),
  'dead-letter': Buffer.from('dead-letter'),
  'content-read': Buffer.from('content-read'),
  erasure: Buffer.from('erasure'),
  lease: Buffer.from('lease'),
};

/** A record of the log, or why it is none. */
export type DecodedRecord = RawRecord | { poison: string };

/** Value and headers of a log record in Kafka. @throws RangeError when the type is unknown */
export function toKafka({ type, data }: RawRecord): { value: Uint8Array; headers: Record<string, Uint8Array> } {
  const name = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  if (name === undefined) throw new RangeError(`unknown type of record: ${type}`);
  return { value: data, headers: { [TYPE_HEADER]: name } };
}

/** What {@link toKafka} wrote. Anything may lie in a topic, so that a record which is none of ours is an answer. */
export function fromKafka({ value, headers }: ReceivedRecord): DecodedRecord {
  const header = headers[TYPE_HEADER];
  if (header === undefined) return { poison: `no header "${TYPE_HEADER}": not written by Parallax` };
  const type = Buffer.from(header).toString('latin1');
  if (!isType(type)) return { poison: `a record of unknown type ${JSON.stringify(type.slice(0, 64))}` };
  if (value === null) return { poison: `a record of type ${type} without a value` };
  return { type, data: value };
}

function isType(text: string): text is LogRecordType {
  return Object.hasOwn(TYPES, text);
}
