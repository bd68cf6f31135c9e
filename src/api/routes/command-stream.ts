import type { ApiContext, ApiDeps } from '../context.js';
import { placeOf } from '../query.js';
import { encodeEvent, eventStream } from '../sse.js';
import { resumableFrom, signAlive, signMessages } from '../signed-messages.js';
import type { SubscriberSlots } from '../subscriber-slots.js';

/** Signs of life that a reader may fail to take before it is cut off. */
const STALLED_HEARTBEATS = 4;
/** When a reader should come back after the service ended the stream, ms: a start takes about so long. */
const RETRY_HINT = 'retry: 2000\n\n';

/**
 * `GET /v1/commands/stream`: server-sent events, each a signed message. The full state first, then every change;
 * `Last-Event-ID` continues. A sign of life comes whenever nothing else did for a heartbeat.
 */
export function getCommandStream({ ports, limits, counters, closing }: ApiDeps, slots: SubscriberSlots) {
  return (c: ApiContext): Response => {
    const { principal } = c.var;
    const after = placeOf(c.req.header('last-event-id'), 'Last-Event-ID', 'leave the header out to get the full state');
    const release = slots.take(principal.id);
    counters.streamsOpened++;
    const gone = new AbortController();
    let saidGoodbye = false;
    const signal = AbortSignal.any([gone.signal, closing]);
    const subscription = ports.commands.subscribe({
      rights: principal,
      after: resumableFrom(after, principal.id, ports.signing),
      signal,
    });
    const { outgoing } = c.env;
    const body = eventStream({
      next: async () => {
        const messages = await subscription.next(limits.heartbeatMs);
        if (signal.aborted) {
          // The reader is told once when to come back; an empty text then ends the stream.
          const isFirst = closing.aborted && !saidGoodbye;
          saidGoodbye = true;
          return isFirst ? RETRY_HINT : '';
        }
        if (messages.length > 0) {
          const signed = await signMessages(messages, principal.id, ports.signing);
          return signed.map((message) => encodeEvent(message)).join('');
        }
        const place = subscription.sequence ?? 0;
        return encodeEvent(await signAlive(place, principal.id, ports.signing));
      },
      stallMs: limits.heartbeatMs * STALLED_HEARTBEATS,
      onStall: () => {
        counters.streamsStalled++;
        outgoing.destroy();
      },
      onEnd: () => {
        release();
        gone.abort();
      },
    });
    c.header('Content-Type', 'text/event-stream');
    c.header('X-Accel-Buffering', 'no');
    return c.body(body);
  };
}
