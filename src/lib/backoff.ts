/** Waiting times between tries: doubling, capped, jittered so that many gateways do not return at once. */
export interface Backoff {
  baseMs: number;
  maxMs: number;
  /** Uniform in [0, 1). */
  random: () => number;
}

/** Wait before try number `attempt` (from 0), ms: between half and the whole of min(maxMs, baseMs x 2^attempt). */
export function backoffMs(attempt: number, { baseMs, maxMs, random }: Backoff): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling / 2 + (ceiling / 2) * random());
}

/** Waits; returns early, without error, when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
