import type { SignedMessage } from './signed-messages.js';

const encoder = new TextEncoder();

/** One server-sent event. A compact JWS holds no line break. */
export function encodeEvent({ type, sequence, jws }: SignedMessage): string {
  return `id: ${sequence}\nevent: ${type}\ndata: ${jws}\n\n`;
}

export interface EventStreamOptions {
  /** The next text to send; an empty one closes the stream. Called again only when the last one was taken. */
  next: () => Promise<string>;
  /** The reader has gone, or the stream was closed. Called once. */
  onEnd: () => void;
  /** The reader took nothing for so long, ms. */
  stallMs: number;
  /** Called when that happened; must cut the connection. */
  onStall: () => void;
}

/**
 * A response body that is pulled: nothing is made before the reader has taken what was made before, so a slow reader
 * costs one text and no more; one that takes nothing at all is cut off.
 */
export function eventStream(options: EventStreamOptions): ReadableStream<Uint8Array> {
  let stall: NodeJS.Timeout | undefined;
  let ended = false;
  const end = () => {
    clearTimeout(stall);
    if (ended) return;
    ended = true;
    options.onEnd();
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(stall);
        const text = await options.next().catch(() => '');
        if (ended) return;
        if (text === '') {
          end();
          controller.close();
          return;
        }
        controller.enqueue(encoder.encode(text));
        stall = setTimeout(() => {
          end();
          options.onStall();
        }, options.stallMs);
        stall.unref();
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}
