import { canonicalJson } from '../lib/canonical-json.js';
import { stableId } from '../lib/hash.js';
import { SCHEMA_VERSION, type ObservationBase, type Payload } from '../model/observation.js';
import { cutText, visibleText } from './fold-text.js';
import type { NormalizeContext } from './port.js';

/** Longest content kept of one observation, characters of JSON text. */
export const MAX_PAYLOAD_CHARS = 500_000;

/** The fields that every wire record has. */
export interface GivenBase {
  id?: string;
  time: number | string;
  agentId: string;
  parentAgentId?: string;
  sessionId?: string;
  traceId?: string;
  spanId?: string;
  callId?: string;
  seq?: number;
}

/**
 * The common fields of an observation.
 *
 * The id is the emitter's own with the emitter before it: a key can repeat (and so deduplicate) its own events, and
 * never make somebody else's look like a repetition. Without an id it is made from the record's content and, where it lies
 * somewhere to be read again, its place.
 */
export function baseFields(given: GivenBase, context: NormalizeContext): ObservationBase {
  const { principal, placeKey } = context;
  const base: ObservationBase = {
    id:
      given.id === undefined
        ? stableId('obs', principal.id, canonicalJson(given), ...(placeKey === undefined ? [] : [placeKey]))
        : `${principal.id}/${visibleText(given.id)}`,
    schemaVersion: SCHEMA_VERSION,
    time: epochMs(given.time),
    observedAt: context.observedAt,
    tenant: principal.tenant,
    agentId: visibleText(given.agentId),
    principalId: principal.id,
  };
  if (given.parentAgentId !== undefined) base.parentAgentId = visibleText(given.parentAgentId);
  if (given.sessionId !== undefined) base.sessionId = visibleText(given.sessionId);
  if (given.traceId !== undefined) base.traceId = visibleText(given.traceId);
  if (given.spanId !== undefined) base.spanId = visibleText(given.spanId);
  if (given.callId !== undefined) base.callId = visibleText(given.callId);
  if (given.seq !== undefined) base.seq = given.seq;
  return base;
}

/** Content that may be kept, as the payload of an observation. Longer content is kept in part, and says so. */
export function payloadOf(base: ObservationBase, contentJson: string): Payload {
  return {
    id: base.id,
    tenant: base.tenant,
    agentId: base.agentId,
    sessionId: base.sessionId ?? '',
    time: base.time,
    content:
      contentJson.length <= MAX_PAYLOAD_CHARS
        ? contentJson
        : JSON.stringify({ truncated: true, beginning: cutText(contentJson, MAX_PAYLOAD_CHARS / 4) }),
  };
}

/** Epoch ms of a wire time. */
export function epochMs(time: number | string): number {
  return typeof time === 'number' ? time : Date.parse(time);
}
