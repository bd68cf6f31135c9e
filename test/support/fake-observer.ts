import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  wireObservationSchema,
  checkRequestSchema,
  type CheckAnswer,
  type CheckRequest,
} from '../../src/model/wire.js';
import { JWKS_PATH, SIGNED_KINDS } from '../../src/model/signed-message.js';
import { publishedKeys, signMessage, TEST_KEY, type MessageChange } from './message-signing.js';

/** One record as the fake observer took it in. */
export interface Received {
  key: string;
  record: Record<string, unknown>;
}

/** What the next request to a route gets instead of the proper answer. */
export type Fault =
  | { status: number; headers?: Record<string, string>; body?: string }
  | 'hang'
  | 'reset'
  | { delayMs: number };

export interface FakeObserverOptions {
  /** Decides about an attempted call; allow when left out. */
  decide?: (request: CheckRequest) => Partial<CheckAnswer>;
  /** Called after records were taken in. */
  onRecords?: (records: Record<string, unknown>[], observer: FakeObserver) => void;
  incidents?: () => unknown[];
  /** What has become of a held call; waited for as long as it takes. */
  hold?: (id: string) => Promise<Record<string, unknown>>;
}

/** A stand-in for the observer over real HTTP, for tests of what talks to it. Validates against the wire schema. */
export class FakeObserver {
  readonly received: Received[] = [];
  readonly batches: number[] = [];
  readonly checks: CheckRequest[] = [];
  readonly holdsAskedFor: string[] = [];
  readonly acknowledgements: { commandId: string; body: unknown }[] = [];
  readonly subscriptions: { lastEventId: string | undefined }[] = [];
  readonly refused: { record: unknown; field: string; reason: string }[] = [];
  /** Faults by route, used up first in, first out. */
  readonly faults: { observations: Fault[]; check: Fault[]; ack: Fault[]; stream: Fault[]; keys: Fault[] } = {
    observations: [],
    check: [],
    ack: [],
    stream: [],
    keys: [],
  };
  /** Orders about learning, and how many records had come before each. */
  readonly orders: { path: string; body: unknown; after: number }[] = [];
  /** What the next requests for the status say is not scored yet. */
  readonly backlogs: number[] = [];
  /** What it publishes as its public keys, and how often it was asked for them. */
  publicKeys: unknown = publishedKeys(TEST_KEY);
  keyRequests = 0;
  /** Raw text written to every new subscriber. */
  greeting: (lastEventId: string | undefined) => string = () => sse('state', { restrictions: [] }, 0);
  readonly #options: FakeObserverOptions;
  readonly #server = createServer((request, response) => {
    this.#serve(request, response).catch((fault: unknown) =>
      response.destroy(fault instanceof Error ? fault : undefined),
    );
  });
  readonly #streams = new Set<ServerResponse>();
  #url = '';

  constructor(options: FakeObserverOptions = {}) {
    this.#options = options;
  }

  get url(): string {
    return this.#url;
  }

  /** Records of one kind, in the order they came. */
  records(kind?: string): Record<string, unknown>[] {
    return this.received.map((r) => r.record).filter((r) => kind === undefined || r['kind'] === kind);
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('the fake observer has no port');
    this.#url = `http://127.0.0.1:${address.port}`;
    return this;
  }

  /** Writes raw bytes to every subscriber. */
  write(bytes: string | Uint8Array): void {
    for (const stream of this.#streams) stream.write(bytes);
  }

  /** Cuts every subscription without a goodbye. */
  cutStreams(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  async stop(): Promise<void> {
    this.cutStreams();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const path = request.url ?? '';
    const ack = /^\/v1\/commands\/([^/]+)\/ack$/.exec(path);
    if (path === '/v1/observations') {
      if (await this.#faulty(this.faults.observations, response)) return;
      this.#takeIn(request, body, response);
    } else if (path === '/v1/check') {
      if (await this.#faulty(this.faults.check, response)) return;
      this.#check(body, response);
    } else if (path === '/v1/commands/stream') {
      if (await this.#faulty(this.faults.stream, response)) return;
      this.#subscribe(request, response);
    } else if (path === JWKS_PATH) {
      this.keyRequests++;
      if (await this.#faulty(this.faults.keys, response)) return;
      answer(response, 200, this.publicKeys);
    } else if (ack !== null) {
      if (await this.#faulty(this.faults.ack, response)) return;
      this.acknowledgements.push({ commandId: decodeURIComponent(ack[1] ?? ''), body: JSON.parse(body) });
      answer(response, 200, {});
    } else if (path.startsWith('/v1/holds/')) {
      const id = new URL(path, this.#url).pathname.slice('/v1/holds/'.length);
      this.holdsAskedFor.push(id);
      answer(response, 200, { id, ...(await this.#options.hold?.(id)) });
    } else if (path.startsWith('/v1/incidents')) {
      answer(response, 200, { incidents: this.#options.incidents?.() ?? [] });
    } else if (path === '/v1/learning' || path === '/v1/calibrate') {
      this.orders.push({ path, body: JSON.parse(body), after: this.received.length });
      answer(response, 202, { recorded: true });
    } else if (path === '/v1/status') {
      answer(response, 200, { scoring: { backlog: this.backlogs.shift() ?? 0 } });
    } else answer(response, 404, { error: `no ${path}` });
  }

  #takeIn(request: IncomingMessage, body: string, response: ServerResponse): void {
    const records: Record<string, unknown>[] = [];
    const refused: { index: number; field: string; reason: string }[] = [];
    const values: unknown = JSON.parse(body);
    if (!Array.isArray(values)) throw new Error('the fake observer takes JSON arrays');
    for (const [index, value] of values.entries()) {
      const parsed = wireObservationSchema.safeParse(value);
      if (parsed.success) records.push({ ...parsed.data });
      else {
        const issue = parsed.error.issues[0];
        const refusal = { field: issue?.path.join('.') ?? '', reason: issue?.message ?? '' };
        refused.push({ index, ...refusal });
        this.refused.push({ record: value, ...refusal });
      }
    }
    const key = (request.headers.authorization ?? '').replace('Bearer ', '');
    this.batches.push(values.length);
    this.received.push(...records.map((record) => ({ key, record })));
    this.#options.onRecords?.(records, this);
    answer(response, 202, { accepted: records.length, refused });
  }

  #check(body: string, response: ServerResponse): void {
    const request = checkRequestSchema.parse(JSON.parse(body));
    this.checks.push(request);
    const decided = this.#options.decide?.(request) ?? {};
    const decision = decided.decision ?? 'allow';
    const reason = decision === 'allow' ? 'as usual' : 'unusual';
    const base = { decision, wouldBe: decision, reason, riskNats: 1, thresholdNats: 9, timedOut: false };
    answer(response, 200, { ...base, ...decided });
  }

  #subscribe(request: IncomingMessage, response: ServerResponse): void {
    const header = request.headers['last-event-id'];
    const lastEventId = typeof header === 'string' ? header : undefined;
    this.subscriptions.push({ lastEventId });
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
    response.write(this.greeting(lastEventId));
  }

  async #faulty(faults: Fault[], response: ServerResponse): Promise<boolean> {
    const fault = faults.shift();
    if (fault === undefined) return false;
    if (fault === 'hang') return true;
    if (fault === 'reset') {
      response.destroy();
      return true;
    }
    if ('delayMs' in fault) {
      await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
      return false;
    }
    response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
    response.end(fault.body ?? '{}');
    return true;
  }
}

/** One event of the command stream as text; signed where it is one that is signed. */
export function sse(event: string, value: unknown, id: number, change: MessageChange = {}): string {
  const kind = SIGNED_KINDS.find((known) => known === event);
  const data = kind === undefined ? JSON.stringify(value) : signMessage(kind, value, id, change);
  return rawEvent(event, data, id);
}

export function rawEvent(event: string, data: string, id: number): string {
  return `id: ${id}\nevent: ${event}\ndata: ${data}\n\n`;
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) if (chunk instanceof Buffer) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
