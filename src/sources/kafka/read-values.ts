import { createHash } from 'node:crypto';
import type { IncomingRecord, OtlpEncoding, OtlpSignal } from '../../api/port.js';
import type { ReceivedRecord } from '../../kafka/port.js';
import type { RecordPlace } from '../../model/record-place.js';
import type { RefusedRecord } from '../../model/wire.js';
import type { TopicDoors, TopicExport } from './port.js';

/** Bytes kept of a value that cannot be read. */
const RAW_BYTES = 2_048;
/** Longest header that is looked at. */
const MAX_HEADER_BYTES = 1_024;
const CLOUD_EVENT = 'application/cloudevents';

/** A record that has a value, with what is needed to speak of it. */
export interface PlacedValue {
  value: Buffer;
  headers: ReceivedRecord['headers'];
  place: RecordPlace & { key: string };
}

/** @param sourceId goes into ids: other clusters may have a topic of the same name */
export function placedValue(
  { value, headers, offset }: Pick<ReceivedRecord, 'headers' | 'offset'> & { value: Uint8Array },
  { sourceId, topic, partition }: { sourceId: string; topic: string; partition: number },
): PlacedValue {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return {
    value: bytes,
    headers,
    place: {
      name: `topic ${topic}, partition ${partition}, offset ${offset}`,
      key: `${sourceId}/${topic}/${partition}/${offset}`,
      hash: () => createHash('sha256').update(bytes).digest('hex'),
    },
  };
}

/** What values are as one format. */
export interface ReadValues {
  records: IncomingRecord[];
  refused: RefusedRecord[];
  exports: TopicExport[];
}

/** Reads the values of one format. What cannot be read is refused, each for itself. */
export function readValues(
  values: readonly PlacedValue[],
  { format, doors, maxBytes }: { format: string; doors: Pick<TopicDoors, 'json' | 'cloudEvent'>; maxBytes: number },
): ReadValues {
  const out: ReadValues = { records: [], refused: [], exports: [] };
  const otlp = otlpOf(format);
  let index = 0;
  for (const one of values) {
    const { value, place } = one;
    if (value.length > maxBytes) {
      const reason = `is ${value.length} bytes long; raise maxMessageBytes of the source, or write at most ${maxBytes} bytes`;
      out.refused.push(refusal(index++, one, reason));
    } else if (otlp !== undefined) {
      // An export names the ids of its records; where it lies does not matter.
      const { name, hash } = place;
      out.exports.push({ ...otlp, body: value, place: { name, hash } });
    } else {
      const read = format === 'cloudevents' ? readEvent(one, doors) : doors.json(value);
      const isOne = read.records.length + read.refused.length === 1;
      const move = <T extends { index: number }>(record: T): T & { place: RecordPlace } => {
        const { name, key, hash } = place;
        const own = isOne ? place : { name: `${name}, record ${record.index}`, key: `${key}/${record.index}`, hash };
        return { ...record, index: index + record.index, place: own };
      };
      out.records.push(...read.records.map(move));
      out.refused.push(...read.refused.map(move));
      index += read.records.length + read.refused.length;
    }
  }
  return out;
}

/** A value that is refused whole. */
export function refusal(
  index: number,
  { value, place }: PlacedValue,
  reason: string,
): RefusedRecord & { place: RecordPlace } {
  return { index, field: '', reason, raw: value.toString('utf8', 0, RAW_BYTES), place };
}

/** A header's text; undefined where it is missing or too long. */
export function headerOf(headers: ReceivedRecord['headers'], name: string): string | undefined {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  return value === undefined || value.length > MAX_HEADER_BYTES ? undefined : Buffer.from(value).toString('utf8');
}

/** The Kafka protocol binding of CloudEvents 1.0: the content type says which form it is. */
function readEvent(
  one: PlacedValue,
  doors: Pick<TopicDoors, 'json' | 'cloudEvent'>,
): { records: IncomingRecord[]; refused: RefusedRecord[] } {
  const { value, headers } = one;
  const type = (headerOf(headers, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const refused = (reason: string) => ({ records: [], refused: [refusal(0, one, reason)] });
  if (type.startsWith(CLOUD_EVENT)) {
    return type.endsWith('+json') ? doors.json(value) : refused('is no CloudEvent in JSON; write it as JSON');
  }
  // Programs that know nothing of the binding write the JSON alone.
  if (!Object.hasOwn(headers, 'ce_specversion')) return doors.json(value);
  if (type !== '' && type !== 'application/json' && !type.endsWith('+json')) {
    return refused('its data is not JSON; write data as application/json');
  }
  const read = doors.json(value);
  if (read.records.length + read.refused.length > 1) return refused('the binary form holds one event');
  const binary = Object.entries(headers);
  return { ...read, records: read.records.map((one) => ({ ...one, value: doors.cloudEvent(binary, one.value) })) };
}

const ENCODINGS: ReadonlyMap<string, OtlpEncoding> = new Map([
  ['otlp_proto', 'protobuf'],
  ['otlp_json', 'json'],
]);
const SIGNALS: readonly OtlpSignal[] = ['traces', 'logs', 'metrics'];

/** Encoding and signal of a format `otlp_proto/traces`; undefined for others. */
function otlpOf(format: string): { encoding: OtlpEncoding; signal: OtlpSignal } | undefined {
  const [name = '', last] = format.split('/');
  const encoding = ENCODINGS.get(name);
  const signal = SIGNALS.find((one) => one === last);
  return encoding === undefined || signal === undefined ? undefined : { encoding, signal };
}
