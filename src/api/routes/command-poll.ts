import type { ApiContext, ApiDeps } from '../context.js';
import { placeOf, waitMsOf } from '../query.js';
import { resumableFrom, signAlive, signMessages } from '../signed-messages.js';
import type { SubscriberSlots } from '../subscriber-slots.js';

const DEFAULT_WAIT_MS = 25_000;

/**
 * `GET /v1/commands/poll`: the same signed messages as the stream, for gateways that no stream reaches. Answers at once when
 * there is something to tell, else with a sign of life after `waitMs`; `cursor` is what the next request gives as `after`.
 * Without it, or with one that is not held any more, the first message is the full state.
 */
export function getCommandPoll({ ports, counters, closing }: ApiDeps, slots: SubscriberSlots) {
  return async (c: ApiContext): Promise<Response> => {
    const { principal } = c.var;
    const after = placeOf(c.req.query('after'), 'after', 'leave it out to get the full state');
    const waitMs = waitMsOf(c, DEFAULT_WAIT_MS);
    const release = slots.take(principal.id);
    counters.polls++;
    const gone = new AbortController();
    const { outgoing } = c.env;
    const leave = (): void => gone.abort();
    outgoing.once('close', leave);
    try {
      const signal = AbortSignal.any([gone.signal, closing]);
      const subscription = ports.commands.subscribe({
        rights: principal,
        after: resumableFrom(after, principal.id, ports.signing),
        signal,
      });
      const messages = await subscription.next(waitMs);
      const place = subscription.sequence;
      const signed = await signMessages(messages, principal.id, ports.signing);
      if (signed.length === 0 && place !== undefined) signed.push(await signAlive(place, principal.id, ports.signing));
      // Ended before anything was told: the caller is where it was.
      return c.json({ cursor: String(place ?? after ?? ''), messages: signed.map(({ jws }) => jws) });
    } finally {
      outgoing.off('close', leave);
      release();
    }
  };
}
