import { backoffMs, pause, type Backoff } from '../lib/backoff.js';
import { bodyChunks } from './body-chunks.js';
import { describeFault, type ObserverAddress } from './observer-http.js';
import type { GatewayEvent } from './port.js';
import { SseParser, type StreamEvent } from './sse-parser.js';

export interface EventStreamOptions {
  address: ObserverAddress;
  path: string;
  backoff: Backoff;
  /** Silence (heartbeats included) after which the connection counts as dead, ms. */
  silenceMs: number;
  maxEventChars: number;
  /**
   * Applies one event; the next one waits for it. What it throws drops the connection, and the next one starts from the
   * full state.
   */
  apply: (event: StreamEvent) => Promise<void>;
  report: (event: GatewayEvent) => void;
}

/** Keeps a subscription alive: reconnects, resumes after the last applied event, notices silence. */
export class EventStream {
  readonly #options: EventStreamOptions;
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;
  #lastId: string | undefined;
  #connects = 0;
  #losses = 0;

  constructor(options: EventStreamOptions) {
    this.#options = options;
  }

  get connects(): number {
    return this.#connects;
  }

  get losses(): number {
    return this.#losses;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const closing = this.#closing.signal;
    let failures = 0;
    while (!closing.aborted) {
      let applied = false;
      let cause = 'the observer ended the stream';
      try {
        await this.#follow(() => {
          applied = true;
        });
      } catch (fault) {
        cause = describeFault(fault);
      }
      if (closing.aborted) return;
      failures = applied ? 0 : failures + 1;
      const retryMs = backoffMs(failures, this.#options.backoff);
      this.#losses++;
      this.#options.report({ type: 'stream-lost', cause, retryMs });
      await pause(retryMs, closing);
    }
  }

  async #follow(onApplied: () => void): Promise<void> {
    const { address, path, silenceMs, maxEventChars, apply, report } = this.#options;
    const connection = new AbortController();
    const abort = (): void => connection.abort(this.#closing.signal.reason);
    this.#closing.signal.addEventListener('abort', abort);
    const watchdog = setTimeout(
      () => connection.abort(new Error(`nothing came from the observer for ${silenceMs} ms`)),
      silenceMs,
    );
    try {
      const headers: Record<string, string> = {
        authorization: `Bearer ${address.key}`,
        accept: 'text/event-stream',
      };
      if (this.#lastId !== undefined) headers['last-event-id'] = this.#lastId;
      const response = await address.fetch(address.url + path, {
        headers,
        signal: connection.signal,
        redirect: 'error',
      });
      const type = response.headers.get('content-type') ?? 'nothing';
      if (response.status !== 200 || !type.startsWith('text/event-stream') || response.body === null) {
        await response.body?.cancel();
        throw new Error(`the observer answered ${response.status} with ${type}`);
      }
      this.#connects++;
      report({ type: 'stream-connected', resumedAfter: this.#lastId });
      const arrived: StreamEvent[] = [];
      const parser = new SseParser(maxEventChars, (event) => void arrived.push(event));
      for await (const chunk of bodyChunks(response, connection.signal)) {
        watchdog.refresh();
        try {
          try {
            parser.push(chunk);
          } finally {
            // What came whole before something that cannot be read counts.
            for (const event of arrived.splice(0)) {
              await apply(event);
              onApplied();
            }
          }
        } catch (fault) {
          // Something could not be read or applied: only the full state makes up for it.
          this.#lastId = undefined;
          throw fault;
        }
        if (parser.lastId !== '') this.#lastId = parser.lastId;
      }
    } finally {
      clearTimeout(watchdog);
      this.#closing.signal.removeEventListener('abort', abort);
      connection.abort();
    }
  }
}
