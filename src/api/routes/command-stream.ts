import { CommandFeed } from '../command-feed.js';
import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError } from '../errors.js';
import { eventStream } from '../sse.js';

/** Signs of life that a reader may fail to take before it is cut off. */
const STALLED_HEARTBEATS = 4;
const RETRY_SECONDS = 5;

/** `GET /v1/commands/stream`: server-sent events; see CommandFeed for what is sent. */
export function getCommandStream({ ports, limits, counters, closing }: ApiDeps) {
  /** Open streams by key; as many entries as there are keys. */
  const open = new Map<string, number>();
  return (c: ApiContext): Response => {
    const { principal } = c.var;
    const count = open.get(principal.id) ?? 0;
    if (count >= limits.maxStreamsPerKey) {
      throw new ApiError(429, 'too-many-streams', `this key has ${count} streams open, which is the most`, {
        fix: 'close one, or share one stream within the gateway',
        retryAfterSeconds: RETRY_SECONDS,
      });
    }
    const after = lastEventId(c);
    open.set(principal.id, count + 1);
    counters.streamsOpened++;
    const gone = new AbortController();
    const feed = new CommandFeed({
      board: ports.commands,
      principal,
      heartbeatMs: limits.heartbeatMs,
      signal: AbortSignal.any([gone.signal, closing]),
      ...(after === undefined ? {} : { after }),
    });
    const { outgoing } = c.env;
    const body = eventStream({
      next: () => feed.next(),
      stallMs: limits.heartbeatMs * STALLED_HEARTBEATS,
      onStall: () => {
        counters.streamsStalled++;
        outgoing.destroy();
      },
      onEnd: () => {
        open.set(principal.id, (open.get(principal.id) ?? 1) - 1);
        gone.abort();
      },
    });
    c.header('Content-Type', 'text/event-stream');
    c.header('X-Accel-Buffering', 'no');
    return c.body(body);
  };
}

/** @throws ApiError 400 for an id that we never gave */
function lastEventId(c: ApiContext): number | undefined {
  const text = c.req.header('last-event-id');
  if (text === undefined || text === '') return undefined;
  if (text.length > 15 || !/^[0-9]+$/.test(text)) {
    throw new ApiError(400, 'invalid', 'must be the id of the last event received, a whole number', {
      field: 'Last-Event-ID',
      fix: 'leave the header out to get the full state',
    });
  }
  return Number(text);
}
