import { backoffMs, pause, type Backoff } from '../lib/backoff.js';
import { bodyChunks } from './body-chunks.js';
import { pollCommands } from './command-poll.js';
import { describeFault, type ObserverAddress } from './observer-http.js';
import type { GatewayEvent } from './port.js';
import { SseParser, type StreamEvent } from './sse-parser.js';

/** Streams in a row that opened and brought nothing, after which polls take their place. */
const MAX_FRUITLESS = 3;

/** How the observer's commands come. `auto`: by stream, and by poll where streams do not get through. */
export type CommandDelivery = 'auto' | 'stream' | 'poll';

export interface EventStreamOptions {
  delivery: CommandDelivery;
  /** Longest wait for the answer to a poll beyond its own waiting time, ms. */
  requestMs: number;
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
  #isPolling: boolean;
  #connects = 0;
  #losses = 0;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#isPolling = options.delivery === 'poll';
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
    let fruitless = 0;
    while (!closing.aborted) {
      let applied = false;
      const connects = this.#connects;
      let cause = 'the observer ended the stream';
      try {
        const onApplied = (): void => {
          applied = true;
        };
        await (this.#isPolling ? this.#poll(onApplied) : this.#follow(onApplied));
      } catch (fault) {
        cause = describeFault(fault);
      }
      if (closing.aborted) return;
      failures = applied ? 0 : failures + 1;
      if (applied) fruitless = 0;
      else if (this.#connects > connects) fruitless++;
      if (fruitless >= MAX_FRUITLESS && this.#options.delivery === 'auto') this.#isPolling = true;
      const retryMs = backoffMs(failures, this.#options.backoff);
      this.#losses++;
      this.#options.report({ type: 'stream-lost', cause, retryMs });
      await pause(retryMs, closing);
    }
  }

  /** Asks again and again until something goes wrong. */
  async #poll(onApplied: () => void): Promise<void> {
    const { address, requestMs, maxEventChars, apply, report } = this.#options;
    for (let isFirst = true; ; isFirst = false) {
      const signal = this.#closing.signal;
      const { events, cursor } = await pollCommands({
        address,
        after: this.#lastId,
        requestMs,
        maxBytes: maxEventChars,
        signal,
      });
      if (isFirst) {
        this.#connects++;
        report({ type: 'stream-connected', resumedAfter: this.#lastId });
      }
      try {
        for (const event of events) {
          await apply(event);
          onApplied();
        }
      } catch (fault) {
        // Something could not be read or applied: only the full state makes up for it.
        this.#lastId = undefined;
        throw fault;
      }
      this.#lastId = cursor;
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
