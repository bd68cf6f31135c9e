import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { AnySchema, SchemaOutput } from '@modelcontextprotocol/sdk/server/zod-compat.js';
import type { RequestOptions } from '@modelcontextprotocol/sdk/shared/protocol.js';
import {
  PromptListChangedNotificationSchema,
  ResourceListChangedNotificationSchema,
  ToolListChangedNotificationSchema,
  type ClientRequest,
} from '@modelcontextprotocol/sdk/types.js';
import { backoffMs, pause, type Backoff } from '../../lib/backoff.js';
import { isConnectionLoss, isNetworkFault, isUntouched, kindOfFault, ServerUnavailable } from './faults.js';
import { pageSchema, readPrompts, readResources, readTemplates, readTools, type OfferLimits } from './offer.js';
import type { ListKind, Report, ServerOffer } from './port.js';
import type { OpenTransport, ServerConnection } from './transport.js';

export interface UpstreamOptions {
  name: string;
  open: OpenTransport;
  version: string;
  /** For start and lists, ms. */
  startMs: number;
  backoff: Backoff;
  limits: OfferLimits;
  report: Report;
  /** Told when what it offers has changed. */
  changed: (kind: ListKind) => void;
  /** Monotonic, ms. */
  elapsedMs: () => number;
}

const MAX_PAGES = 100;
/** A server that was up for so long failed by chance; one that fails sooner is given more and more time. */
const STABLE_MS = 60_000;
/** Notifications that come in a burst are one change. */
const REFRESH_MS = 200;

/**
 * One server behind the gateway: connected, listed, and connected again when it is gone. What it offered stays known
 * while it is away, so that its tools answer with a reason.
 */
export class Upstream {
  readonly name: string;
  readonly #options: UpstreamOptions;
  readonly #closing = new AbortController();
  readonly #settled: Promise<void>;
  #settle: () => void = () => {};
  #running: Promise<void> | undefined;
  #client: Client | undefined;
  #lose: (cause: string) => void = () => {};
  #offer: ServerOffer = { tools: [], resources: [], templates: [], prompts: [] };
  #cause = 'it is still starting';

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.name = options.name;
    this.#settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get offer(): ServerOffer {
    return this.#offer;
  }

  /** Resolves when the first try to reach it has ended, well or badly. */
  get settled(): Promise<void> {
    return this.#settled;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /**
   * Sends a request.
   *
   * @throws ServerUnavailable when it is away; McpError with the server's own refusal
   */
  async request<T extends AnySchema>(
    request: ClientRequest,
    schema: T,
    options: RequestOptions,
  ): Promise<SchemaOutput<T>> {
    await this.#settled;
    const client = this.#client;
    if (client === undefined) throw new ServerUnavailable(this.#cause);
    try {
      return await client.request(request, schema, options);
    } catch (fault) {
      if (!isConnectionLoss(fault)) throw fault;
      if (this.#client === client) this.#lose(kindOfFault(fault));
      throw new ServerUnavailable('the connection was lost', isUntouched(fault) ? {} : { cause: fault });
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#lose('the gateway closes');
    this.#settle();
    await this.#running;
  }

  async #run(): Promise<void> {
    const closing = this.#closing.signal;
    const { report, backoff, elapsedMs, name } = this.#options;
    let failures = 0;
    while (!closing.aborted) {
      const startedAt = elapsedMs();
      const cause = await this.#live();
      this.#cause = 'it ended or cannot be reached, and is being started again';
      this.#settle();
      if (closing.aborted) return;
      if (elapsedMs() - startedAt >= STABLE_MS) failures = 0;
      const retryMs = backoffMs(failures++, backoff);
      report({ type: 'server-down', server: name, cause, retryMs });
      await pause(retryMs, closing);
    }
  }

  /** One connection from its beginning to its end. @returns why it ended */
  async #live(): Promise<string> {
    const { name, open, version, startMs, report, elapsedMs } = this.#options;
    const closing = this.#closing.signal;
    const startedAt = elapsedMs();
    // No capabilities: a server gets neither the client's folders, nor its model, nor its user's attention.
    const client = new Client({ name: 'parallax-gateway', version }, { capabilities: {} });
    const lost = new Promise<string>((resolve) => {
      this.#lose = resolve;
      client.onclose = () => resolve('the connection was closed');
    });
    client.onerror = (fault) => {
      this.#say(fault);
      // The stream of notifications is the first to notice that a server over HTTP has gone.
      if (isNetworkFault(fault) && this.#client === client) this.#lose(kindOfFault(fault));
    };
    let connection: ServerConnection | undefined;
    try {
      connection = open();
      const started = this.#begin(client, connection.transport, startMs).then(
        () => undefined,
        (fault: unknown) => kindOfFault(fault),
      );
      const failed = await Promise.race([started, lost]);
      if (failed !== undefined) return failed;
      this.#client = client;
      const { tools, resources, prompts } = this.#offer;
      const withinMs = Math.round(elapsedMs() - startedAt);
      const counts = { tools: tools.length, resources: resources.length, prompts: prompts.length };
      report({ type: 'server-up', server: name, ...counts, withinMs });
      this.#settle();
      return await lost;
    } catch (fault) {
      return kindOfFault(fault);
    } finally {
      this.#client = undefined;
      if (closing.aborted) await connection?.leave().catch(this.#say);
      await client.close().catch(this.#say);
      // Where the client never took it over.
      await connection?.transport.close().catch(this.#say);
    }
  }

  async #begin(client: Client, transport: Transport, startMs: number): Promise<void> {
    this.#follow(client, ToolListChangedNotificationSchema, 'tools');
    this.#follow(client, ResourceListChangedNotificationSchema, 'resources');
    this.#follow(client, PromptListChangedNotificationSchema, 'prompts');
    await client.connect(transport, { timeout: startMs });
    const lesser = (['resources', 'prompts'] as const).map((kind) => this.#refresh(client, kind).catch(this.#say));
    await Promise.all([this.#refresh(client, 'tools'), ...lesser]);
  }

  readonly #say = (fault: unknown): void => {
    this.#options.report({ type: 'server-fault', server: this.name, cause: kindOfFault(fault) });
  };

  #follow(client: Client, schema: Parameters<Client['setNotificationHandler']>[0], kind: ListKind): void {
    let waiting: NodeJS.Timeout | undefined;
    client.setNotificationHandler(schema, () => {
      waiting ??= setTimeout(() => {
        waiting = undefined;
        this.#refresh(client, kind).catch(this.#say);
      }, REFRESH_MS);
    });
  }

  async #refresh(client: Client, kind: ListKind): Promise<void> {
    if (client.getServerCapabilities()?.[kind] === undefined) {
      this.#take(EMPTY[kind], kind);
      return;
    }
    const { limits } = this.#options;
    const missed = new Map<string, number>();
    const leftOut = (_: ListKind, cause: string): void => void missed.set(cause, (missed.get(cause) ?? 0) + 1);
    if (kind === 'tools') {
      this.#take({ tools: readTools(await this.#list(client, 'tools/list', 'tools'), limits, leftOut) }, kind);
    } else if (kind === 'prompts') {
      this.#take({ prompts: readPrompts(await this.#list(client, 'prompts/list', 'prompts'), limits, leftOut) }, kind);
    } else {
      const listed = await this.#list(client, 'resources/list', 'resources');
      // Many servers with resources know no templates and say so with an error.
      const templates = await this.#list(client, 'resources/templates/list', 'resourceTemplates').catch(() => []);
      this.#take(
        { resources: readResources(listed, limits, leftOut), templates: readTemplates(templates, limits, leftOut) },
        kind,
      );
    }
    for (const [cause, count] of missed) {
      this.#options.report({ type: 'definition-left-out', server: this.name, kind, count, cause });
    }
  }

  #take(part: Partial<ServerOffer>, kind: ListKind): void {
    const before = this.#offer;
    this.#offer = { ...before, ...part };
    // A server that only says that something changed moves nobody.
    if (JSON.stringify(before) !== JSON.stringify(this.#offer)) this.#options.changed(kind);
  }

  /** All pages of a list; one entry more than the limit is enough to see that there are too many. */
  async #list(client: Client, method: ListMethod, field: string): Promise<unknown[]> {
    const { startMs, limits } = this.#options;
    const found: unknown[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < MAX_PAGES && found.length <= limits.entries; page++) {
      const request = cursor === undefined ? { method } : { method, params: { cursor } };
      const result = await client.request(request, pageSchema, { timeout: startMs });
      const entries = result[field];
      if (Array.isArray(entries)) for (const entry of entries) found.push(entry);
      if (result.nextCursor === undefined || result.nextCursor === cursor) break;
      cursor = result.nextCursor;
    }
    return found;
  }
}

type ListMethod = 'tools/list' | 'prompts/list' | 'resources/list' | 'resources/templates/list';

const EMPTY: Record<ListKind, Partial<ServerOffer>> = {
  tools: { tools: [] },
  prompts: { prompts: [] },
  resources: { resources: [], templates: [] },
};
