/**
 * Chunks of a response's body until it ends or the signal aborts.
 *
 * Cancels the body itself: the signal given to `fetch` loses its hold on a body that is still being read as soon as
 * the garbage collector has taken fetch's inner request (seen on Node 20), and a stream would then never end.
 *
 * @throws the signal's reason
 */
export async function* bodyChunks(response: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  const onAbort = (): void => {
    reader.cancel(signal.reason).catch(() => {});
  };
  signal.addEventListener('abort', onAbort);
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    await reader.cancel().catch(() => {});
  }
}
