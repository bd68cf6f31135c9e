import { BoundedMap } from '../lib/bounded-map.js';
import { backoffMs, pause, type Backoff } from '../lib/backoff.js';
import { withDeadline } from './deadline.js';
import { describeFault, isTransient, postJson, type ObserverAddress } from './observer-http.js';
import type { EffectiveState, GatewayEvent } from './port.js';

export interface AcknowledgerOptions {
  address: ObserverAddress;
  backoff: Backoff;
  /** Most confirmations that wait or are remembered. */
  capacity: number;
  /** Longest wait for one answer, ms. */
  requestMs: number;
  report: (event: GatewayEvent) => void;
}

/** Tells the observer which commands are in force here: once per change, until it has been heard. */
export class Acknowledger {
  readonly #options: AcknowledgerOptions;
  readonly #closing = new AbortController();
  /** The newest effective state wins while an older one still waits. */
  readonly #waiting: BoundedMap<string, { effective: EffectiveState; detail?: string }>;
  readonly #confirmed: BoundedMap<string, EffectiveState>;
  #running: Promise<void> | undefined;
  #acknowledged = 0;
  #dropped = 0;

  constructor(options: AcknowledgerOptions) {
    this.#options = options;
    this.#waiting = new BoundedMap(options.capacity, (commandId) =>
      this.#drop(commandId, 'too many confirmations are waiting'),
    );
    this.#confirmed = new BoundedMap(options.capacity);
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** Confirms what is effective now. Saying the same again does nothing. */
  submit(commandId: string, effective: EffectiveState, detail?: string): void {
    if (this.#closing.signal.aborted) return;
    const waiting = this.#waiting.peek(commandId);
    if ((waiting?.effective ?? this.#confirmed.peek(commandId)) === effective) return;
    this.#waiting.set(commandId, detail === undefined ? { effective } : { effective, detail });
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
    for (const [commandId] of this.#waiting.entries()) this.#drop(commandId, 'the gateway closed');
  }

  async #run(): Promise<void> {
    const closing = this.#closing.signal;
    let failures = 0;
    while (!closing.aborted) {
      const next = this.#waiting.entries().next();
      if (next.done === true) return;
      const [commandId, body] = next.value;
      const { cause, retryAfterMs, final } = await this.#send(commandId, JSON.stringify(body));
      const unchanged = this.#waiting.peek(commandId) === body;
      if (cause === undefined) {
        failures = 0;
        this.#acknowledged++;
        this.#confirmed.set(commandId, body.effective);
        if (unchanged) this.#waiting.delete(commandId);
        this.#options.report({ type: 'acknowledged', commandId, effective: body.effective });
      } else if (final) {
        if (unchanged) this.#waiting.delete(commandId);
        this.#drop(commandId, cause);
      } else if (!closing.aborted) {
        const retryMs = Math.max(retryAfterMs ?? 0, backoffMs(failures++, this.#options.backoff));
        this.#options.report({ type: 'acknowledgement-delayed', commandId, cause, retryMs });
        await pause(retryMs, closing);
      }
    }
  }

  async #send(
    commandId: string,
    body: string,
  ): Promise<{ cause?: string; final: boolean; retryAfterMs?: number | undefined }> {
    const { address, requestMs } = this.#options;
    try {
      const path = `/v1/commands/${encodeURIComponent(commandId)}/ack`;
      const { status, retryAfterMs } = await withDeadline(requestMs, this.#closing.signal, (signal) =>
        postJson(address, path, body, signal),
      );
      if (status >= 200 && status < 300) return { final: true };
      const cause = `the observer answered ${status}`;
      // A key that is refused now may be accepted again; a command that is unknown stays unknown.
      const final = !isTransient(status) && status !== 401 && status !== 403;
      return { cause, final, retryAfterMs };
    } catch (fault) {
      return { cause: describeFault(fault), final: false };
    }
  }

  #drop(commandId: string, cause: string): void {
    this.#dropped++;
    this.#options.report({ type: 'acknowledgement-dropped', commandId, cause });
  }
}
