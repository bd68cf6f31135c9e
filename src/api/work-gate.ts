import type { MiddlewareHandler } from 'hono';
import type { ApiCounters, Env } from './context.js';
import { ApiError } from './errors.js';

/** When a client that is turned away should come back: a restart takes about so long. */
const RETRY_AFTER_SECONDS = 5;
/** What is answered to the end: whoever watches must see that the process is stopping. */
const TO_THE_END: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics', '/v1/heartbeat', '/v1/status']);

/** Lets work in until it is shut, and knows when the last of it is answered. */
export class WorkGate {
  readonly #counters: Pick<ApiCounters, 'turnedAway'>;
  #underWay = 0;
  #isShut = false;
  #wake: (() => void)[] = [];

  constructor(counters: Pick<ApiCounters, 'turnedAway'>) {
    this.#counters = counters;
  }

  guard(): MiddlewareHandler<Env> {
    return async (c, next) => {
      if (TO_THE_END.has(c.req.path)) return next();
      if (this.#isShut) {
        this.#counters.turnedAway++;
        // The connection would only be cut a moment later.
        throw new ApiError(503, 'stopping', 'the service is stopping', {
          fix: `send again after ${RETRY_AFTER_SECONDS} s`,
          retryAfterSeconds: RETRY_AFTER_SECONDS,
          headers: { Connection: 'close' },
        });
      }
      this.#underWay++;
      try {
        await next();
      } finally {
        this.#underWay--;
        if (this.#underWay === 0) for (const wake of this.#wake.splice(0)) wake();
      }
    };
  }

  /** From now on everything but signs of health is answered 503. */
  shut(): void {
    this.#isShut = true;
  }

  /** Resolves when nothing is under way, or after `graceMs`. */
  async idle(graceMs: number): Promise<void> {
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.#wake.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
