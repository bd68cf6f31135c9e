import type { WireObservation } from '../model/wire.js';
import { backoffMs, pause, type Backoff } from '../lib/backoff.js';
import { withDeadline } from './deadline.js';
import { parseJson } from './json.js';
import { readIntakeReport } from './messages.js';
import { describeFault, isTransient, postJson, type ObserverAddress } from './observer-http.js';
import type { GatewayEvent } from './port.js';

export interface AuditSenderOptions {
  address: ObserverAddress;
  backoff: Backoff;
  maxRecords: number;
  maxChars: number;
  batchRecords: number;
  batchChars: number;
  /** Longest wait for one answer, ms. */
  requestMs: number;
  report: (event: GatewayEvent) => void;
}

interface Pending {
  ordinal: number;
  json: string;
  /** Result texts go first when there is no room: the calls themselves matter more. */
  sheddable: boolean;
}

/**
 * Sends audit records in order, at least once, one batch at a time. Records keep their ids over retries, so that the
 * observer can drop doubles. What cannot be kept or is refused is counted and reported.
 */
export class AuditSender {
  readonly #options: AuditSenderOptions;
  readonly #closing = new AbortController();
  #queue: Pending[] = [];
  #queuedChars = 0;
  #inFlight: Pending[] = [];
  #ordinal = 0;
  #running: Promise<void> | undefined;
  #waiters: { upTo: number; resolve: () => void }[] = [];
  #delivered = 0;
  #dropped = 0;
  #refused = 0;

  constructor(options: AuditSenderOptions) {
    this.#options = options;
  }

  get pending(): number {
    return this.#queue.length + this.#inFlight.length;
  }

  get delivered(): number {
    return this.#delivered;
  }

  /** Records that never reached the observer. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Records that the observer did not accept. */
  get refused(): number {
    return this.#refused;
  }

  enqueue(records: readonly WireObservation[]): void {
    for (const record of records) {
      if (this.#closing.signal.aborted) {
        this.#drop(1, 'the gateway is closed');
        continue;
      }
      const json = serialise(record);
      if (json === undefined) {
        this.#drop(1, 'the record cannot be written as JSON');
        continue;
      }
      this.#queue.push({ ordinal: ++this.#ordinal, json, sheddable: record.kind === 'tool_result' });
      this.#queuedChars += json.length;
      this.#makeRoom();
    }
    this.#start();
  }

  /** Resolves when everything handed over so far is settled or `withinMs` passed; see GatewayClient.flush. */
  async flush(withinMs: number): Promise<boolean> {
    const lostBefore = this.#dropped + this.#refused;
    const upTo = this.#ordinal;
    if (this.#oldest() <= upTo) {
      const waiter = { upTo, resolve: () => {} };
      const settled = new Promise<void>((resolve) => {
        waiter.resolve = resolve;
      });
      this.#waiters.push(waiter);
      const timer = setTimeout(waiter.resolve, withinMs);
      await settled;
      clearTimeout(timer);
      this.#waiters = this.#waiters.filter((w) => w !== waiter);
    }
    return this.#oldest() > upTo && this.#dropped + this.#refused === lostBefore;
  }

  async close(withinMs: number): Promise<void> {
    await this.flush(withinMs);
    this.#closing.abort();
    await this.#running;
    const left = this.pending;
    this.#queue = [];
    this.#inFlight = [];
    this.#queuedChars = 0;
    if (left > 0) this.#drop(left, 'the gateway closed before the observer acknowledged them');
    this.#settle();
  }

  #start(): void {
    if (this.#running !== undefined || this.#queue.length === 0) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (!this.#closing.signal.aborted) this.#start();
    });
  }

  async #run(): Promise<void> {
    const closing = this.#closing.signal;
    let failures = 0;
    let largest = this.#options.batchRecords;
    while (!closing.aborted) {
      if (this.#inFlight.length === 0) this.#inFlight = this.#take(largest);
      if (this.#inFlight.length === 0) return;
      const { status, cause, retryAfterMs } = await this.#send();
      if (cause === undefined) {
        failures = 0;
        largest = this.#options.batchRecords;
        this.#inFlight = [];
        this.#settle();
      } else if (status === 413 && this.#inFlight.length > 1) {
        // Too much at once: the same records again, in halves.
        largest = Math.max(1, this.#inFlight.length >> 1);
        this.#queue.unshift(...this.#inFlight);
        this.#queuedChars += charsOf(this.#inFlight);
        this.#inFlight = [];
      } else if (status !== undefined && !isTransient(status) && status !== 401 && status !== 403) {
        this.#drop(this.#inFlight.length, cause);
        this.#inFlight = [];
        this.#settle();
      } else if (!closing.aborted) {
        const retryMs = Math.max(retryAfterMs ?? 0, backoffMs(failures++, this.#options.backoff));
        this.#options.report({ type: 'audit-delayed', records: this.pending, cause, retryMs });
        await pause(retryMs, closing);
      }
    }
  }

  async #send(): Promise<{ status?: number; cause?: string; retryAfterMs?: number | undefined }> {
    const { address, requestMs } = this.#options;
    const body = `[${this.#inFlight.map((p) => p.json).join(',')}]`;
    try {
      const { status, text, retryAfterMs } = await withDeadline(requestMs, this.#closing.signal, (signal) =>
        postJson(address, '/v1/observations', body, signal),
      );
      if (status < 200 || status >= 300) return { status, cause: `the observer answered ${status}`, retryAfterMs };
      const refusals = readIntakeReport(parseJson(text))?.refused ?? [];
      this.#refused += refusals.length;
      this.#delivered += this.#inFlight.length - refusals.length;
      for (const { field, reason } of refusals) {
        this.#options.report({ type: 'audit-refused', field, cause: reason });
      }
      return { status };
    } catch (fault) {
      return { cause: describeFault(fault) };
    }
  }

  #take(most: number): Pending[] {
    let chars = 0;
    let count = 0;
    for (const { json } of this.#queue) {
      if (count >= most || (count > 0 && chars + json.length > this.#options.batchChars)) break;
      chars += json.length;
      count++;
    }
    this.#queuedChars -= chars;
    return this.#queue.splice(0, count);
  }

  #makeRoom(): void {
    let shed = 0;
    while (this.#queue.length > this.#options.maxRecords || this.#queuedChars > this.#options.maxChars) {
      const at = Math.max(
        0,
        this.#queue.findIndex((p) => p.sheddable),
      );
      this.#queuedChars -= charsOf(this.#queue.splice(at, 1));
      shed++;
    }
    if (shed > 0) {
      this.#drop(shed, 'the buffer is full: the observer has not answered for too long');
      this.#settle();
    }
  }

  /** Ordinal of the oldest record that is not settled yet. */
  #oldest(): number {
    return this.#inFlight[0]?.ordinal ?? this.#queue[0]?.ordinal ?? Number.POSITIVE_INFINITY;
  }

  #settle(): void {
    const oldest = this.#oldest();
    for (const waiter of this.#waiters) if (oldest > waiter.upTo) waiter.resolve();
  }

  #drop(records: number, cause: string): void {
    this.#dropped += records;
    this.#options.report({ type: 'audit-dropped', records, cause });
  }
}

function charsOf(records: readonly Pending[]): number {
  return records.reduce((sum, { json }) => sum + json.length, 0);
}

function serialise(record: WireObservation): string | undefined {
  try {
    return JSON.stringify(record);
  } catch {
    return undefined;
  }
}
