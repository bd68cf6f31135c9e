import { stableId } from '../../lib/hash.js';
import type { GatewayMessage } from '../../model/gateway-message.js';

/** Media type of one event in structured mode. */
export const CLOUD_EVENT_TYPE = 'application/cloudevents+json';
/** Digits of the `sequence` attribute, which is compared as text. */
const SEQUENCE_DIGITS = 16;

/** What stands in an event's `data`. */
export interface EventData {
  /** Media type of the data. */
  contentType: string;
  data: unknown;
}

/**
 * Id of a message for one gateway: the same each time the same change is sent, so that acting on it twice is acting on
 * it once. Every full state has an id of its own: it is as true as it is new.
 *
 * @param now epoch ms
 */
export function messageId({ type, sequence, data }: GatewayMessage, now: number): string {
  if (type === 'state') return `state-${sequence}-${now}`;
  return type === 'command'
    ? `${data.id}-${sequence}`
    : stableId('restriction', data.tenant, data.agentId, data.version, sequence);
}

/** A CloudEvent 1.0 in structured mode. @param now epoch ms */
export function cloudEvent(
  message: GatewayMessage,
  { id, source, tenant, now, content }: { id: string; source: string; tenant: string; now: number; content: EventData },
): string {
  return JSON.stringify({
    specversion: '1.0',
    id,
    source,
    type: `parallax.${message.type}`,
    subject: message.type === 'state' ? tenant : `${tenant}/${message.data.agentId}`,
    time: new Date(now).toISOString(),
    sequence: String(message.sequence).padStart(SEQUENCE_DIGITS, '0'),
    datacontenttype: content.contentType,
    data: content.data,
  });
}
