import { isRecord, parsed, textIn } from './genai/attribute-reader.js';
import { given } from './genai/said.js';
import { toolkitDrafts } from './governance-toolkit.js';
import type { Refused } from './port.js';
import { refuse } from './refusal.js';
import { normalizerOf, type Draft } from './translate.js';

/** Type of an event whose data is a record of the native wire format. */
export const NATIVE_EVENT = 'io.parallax.observation';
const TOOLKIT = /^ai\.(?:agentmesh|agentos)\./;

/**
 * CloudEvents 1.0 in the structured form; the binary form becomes one at the door (`fromBinary`). The data says what
 * happened: a native record, or a record of the agent-governance-toolkit. `source` and `id` together are the key by
 * which an event that comes twice is known.
 */
export const cloudEventNormalizer = normalizerOf({ format: 'cloudevents', translate: eventDrafts });

function eventDrafts(event: unknown): (Draft | Refused)[] {
  if (!isRecord(event)) return [refuse('', 'must be a CloudEvent, a JSON object')];
  const version = textIn(event, 'specversion');
  if (version === undefined || !version.startsWith('1.')) return [refuse('specversion', 'must be "1.0"')];
  for (const name of ['id', 'source', 'type']) {
    if (textIn(event, name) === undefined) return [refuse(name, 'is missing; CloudEvents 1.0 requires it')];
  }
  const type = textIn(event, 'type') ?? '';
  const id = `${textIn(event, 'source') ?? ''}/${textIn(event, 'id') ?? ''}`;
  const data = dataOf(event);
  if (type === NATIVE_EVENT) {
    if (!isRecord(data)) return [refuse('data', 'must be one record of the native wire format')];
    const stream = textIn(data, 'stream') ?? '';
    return [{ ...data, stream, id: textIn(data, 'id') ?? id, time: data['time'] ?? timeOf(event['time']) }];
  }
  if (!TOOLKIT.test(type)) {
    return [refuse('type', `"${type}" is no type that is known; write a mapping for it (docs/sources.md)`)];
  }
  const time = timeOf(event['time']) ?? timeOf(isRecord(data) ? (data['timestamp'] ?? data['occurred_at']) : undefined);
  if (time === undefined) return [refuse('time', 'must be a time in RFC 3339')];
  const trace = textIn(event, 'traceid') ?? textIn(event, 'traceparent')?.split('-')[1];
  return toolkitDrafts(type, data, {
    id,
    time,
    source: textIn(event, 'source') ?? '',
    ...given('traceId', trace),
    ...given('sessionId', textIn(event, 'sessionid')),
  });
}

/** Data as it is, or as JSON in text or base64. */
function dataOf(event: Record<string, unknown>): unknown {
  const { data } = event;
  if (typeof data === 'string') return parsed(data) ?? data;
  const encoded = event['data_base64'];
  if (typeof encoded !== 'string') return data;
  return parsed(Buffer.from(encoded, 'base64').toString('utf8'));
}

/** Epoch ms. The toolkit's mesh ends its times with an offset and a Z, which no parser takes. */
function timeOf(value: unknown): number | undefined {
  if (typeof value !== 'string' || value.length > 64) return undefined;
  const ms = Date.parse(value.endsWith('+00:00Z') ? value.slice(0, -1) : value);
  return Number.isNaN(ms) ? undefined : ms;
}

const PREFIX = 'ce-';
const MAX_ATTRIBUTE_CHARS = 4_096;

/**
 * A structured event from the binary form: attributes in `ce-` headers, data in the body.
 *
 * @param headers lower-case names
 */
export function fromBinary(headers: Iterable<readonly [string, string]>, data: unknown): Record<string, unknown> {
  const event: Record<string, unknown> = { data };
  for (const [name, value] of headers) {
    if (!name.startsWith(PREFIX) || value.length > MAX_ATTRIBUTE_CHARS) continue;
    const attribute = name.slice(PREFIX.length);
    if (isAttribute(attribute)) event[attribute] = decoded(value);
  }
  return event;
}

const KAFKA_PREFIX = 'ce_';

/**
 * The same from Kafka's binary form: attributes in `ce_` headers, as they are.
 *
 * @param headers a record's headers
 */
export function fromKafkaBinary(
  headers: Iterable<readonly [string, Uint8Array]>,
  data: unknown,
): Record<string, unknown> {
  const event: Record<string, unknown> = { data };
  for (const [name, value] of headers) {
    if (!name.startsWith(KAFKA_PREFIX) || value.length > MAX_ATTRIBUTE_CHARS) continue;
    const attribute = name.slice(KAFKA_PREFIX.length);
    if (isAttribute(attribute)) event[attribute] = Buffer.from(value).toString('utf8');
  }
  return event;
}

function isAttribute(name: string): boolean {
  return /^[a-z0-9]{1,64}$/.test(name) && name !== 'data';
}

/** A header's value as the HTTP binding writes it: perhaps in quotes, percent-encoded within. */
function decoded(value: string): string {
  const isQuoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"');
  const bare = isQuoted ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1') : value;
  try {
    return decodeURIComponent(bare);
  } catch {
    return bare;
  }
}
