import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CallToolRequestSchema,
  CallToolResultSchema,
  CompleteRequestSchema,
  CompleteResultSchema,
  ErrorCode,
  GetPromptRequestSchema,
  GetPromptResultSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  ReadResourceResultSchema,
  type CompleteRequest,
  type GetPromptRequest,
  type GetPromptResult,
  type Progress,
  type ProgressToken,
  type ReadResourceRequest,
  type ReadResourceResult,
  type CallToolRequest,
} from '@modelcontextprotocol/sdk/types.js';
import type { Called, Calls, Sending, WantedCall } from './calls.js';
import type { Catalog } from './catalog.js';
import { passedOn } from './faults.js';
import type { GuardHooks } from './guard.js';
import { accessName } from './names.js';
import type { ListKind, Subject, ToolAnswer } from './port.js';
import { ProgressRelay } from './progress.js';
import { refusalAnswer } from './refusal.js';
import { metaForServer } from './trace-context.js';
import type { Upstream } from './upstream.js';

export interface SessionOptions {
  subject: Subject;
  version: string;
  catalog: Catalog;
  calls: Calls;
  servers: ReadonlyMap<string, Pick<Upstream, 'request'>>;
  /** Whether a tool is listed at all. */
  isShown: (tool: string) => boolean;
  /** Why this session may not even look, or undefined. */
  stopped: () => string | undefined;
  /** Resolves when every server has been tried once, or enough was waited for. */
  ready: Promise<unknown>;
  callMs: number;
  maxCalls: number;
  onOpen: () => void;
  onClose: (calls: number) => void;
}

/** What handlers of requests get beside the request, as far as it is used here. */
interface Extra {
  signal: AbortSignal;
  _meta?: { progressToken?: ProgressToken | undefined; [key: string]: unknown } | undefined;
  sendNotification: (notification: {
    method: 'notifications/progress';
    params: Progress & { progressToken: ProgressToken };
  }) => Promise<void>;
}

/** Where lists of tools and results of calls carry the session's id at the observer, in `_meta`. */
export const SESSION_MARK = 'parallax/session';
/** Between two signs of life while a call waits for a person, ms. */
const WAITING_MS = 5_000;
/** A server that reports progress may work on for so many times the usual patience. */
const PATIENCE = 10;
/** Refused, in JSON-RPC's range for implementations. */
const REFUSED = -32_001;

/** One client's connection: an MCP server that stands for all servers behind the gateway. */
export class McpSession {
  readonly subject: Subject;
  readonly #options: SessionOptions;
  readonly #server: Server;
  #calls = 0;
  #inFlight = 0;
  #closed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.subject = options.subject;
    this.#server = new Server(
      { name: 'parallax-gateway', version: options.version },
      {
        capabilities: {
          tools: { listChanged: true },
          resources: { listChanged: true },
          prompts: { listChanged: true },
          completions: {},
        },
        debouncedNotificationMethods: Object.values(CHANGED),
      },
    );
    this.#server.oninitialized = options.onOpen;
    this.#server.onclose = () => {
      if (!this.#closed) options.onClose(this.#calls);
      this.#closed = true;
    };
    this.#serveLists();
    this.#serveCalls();
  }

  connect(transport: Transport): Promise<void> {
    return this.#server.connect(transport);
  }

  /** Tells the client that a list has changed. */
  async changed(kind: ListKind): Promise<void> {
    if (this.#closed || this.#server.getClientVersion() === undefined) return;
    // A client that is just leaving need not know.
    await this.#server.notification({ method: CHANGED[kind] }).catch(() => {});
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  #serveLists(): void {
    const { catalog, isShown, ready } = this.#options;
    const paged = <T>(look: () => T): T => {
      try {
        return look();
      } catch (fault) {
        if (fault instanceof RangeError) throw new McpError(ErrorCode.InvalidParams, fault.message);
        throw fault;
      }
    };
    this.#server.setRequestHandler(ListToolsRequestSchema, async ({ params }) => {
      await ready;
      return { ...paged(() => catalog.toolPage(params?.cursor, isShown)), _meta: this.#mark() };
    });
    this.#server.setRequestHandler(ListResourcesRequestSchema, async ({ params }) => {
      await ready;
      return paged(() => catalog.resourcePage(params?.cursor));
    });
    this.#server.setRequestHandler(ListResourceTemplatesRequestSchema, async ({ params }) => {
      await ready;
      return paged(() => catalog.templatePage(params?.cursor));
    });
    this.#server.setRequestHandler(ListPromptsRequestSchema, async ({ params }) => {
      await ready;
      return paged(() => catalog.promptPage(params?.cursor));
    });
  }

  #serveCalls(): void {
    this.#server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) => this.#callTool(params, extra));
    this.#server.setRequestHandler(ReadResourceRequestSchema, ({ params }, extra) => this.#readResource(params, extra));
    this.#server.setRequestHandler(GetPromptRequestSchema, ({ params }, extra) => this.#getPrompt(params, extra));
    this.#server.setRequestHandler(CompleteRequestSchema, ({ params }, extra) => this.#complete(params, extra));
  }

  async #callTool({ name, arguments: args = {} }: CallToolRequest['params'], extra: Extra): Promise<ToolAnswer> {
    await this.#options.ready;
    const entry = this.#options.catalog.tool(name);
    if (entry === undefined) throw new McpError(ErrorCode.InvalidParams, 'there is no tool of this name here');
    const { server, original, shown } = entry;
    const wanted = { server, tool: name, original, annotations: shown.annotations, args, meta: extra._meta };
    const called = await this.#make(wanted, extra, (relay) => ({
      send: () =>
        this.#ask(
          server,
          { method: 'tools/call', params: { name: original, arguments: args, ...metaPart(extra) } },
          CallToolResultSchema,
          { extra, relay },
        ),
      show: (result: ToolAnswer) => result,
    }));
    const answer = 'result' in called ? called.result : called.answer;
    return { ...answer, _meta: { ...answer._meta, ...this.#mark() } };
  }

  async #readResource({ uri }: ReadResourceRequest['params'], extra: Extra): Promise<ReadResourceResult> {
    await this.#options.ready;
    const server = this.#options.catalog.serverOf(uri);
    if (server === undefined) throw new McpError(ErrorCode.InvalidParams, 'no server has this resource');
    const wanted = { server, tool: accessName(server, 'resources.read'), args: { uri }, meta: extra._meta };
    const called = await this.#make(wanted, extra, (relay) => ({
      send: () =>
        this.#ask(server, { method: 'resources/read', params: { uri, ...metaPart(extra) } }, ReadResourceResultSchema, {
          extra,
          relay,
        }),
      show: ({ contents }: ReadResourceResult) => ({
        content: contents.map((resource) => ({ type: 'resource' as const, resource })),
      }),
    }));
    return resultOf(called);
  }

  async #getPrompt({ name, arguments: args = {} }: GetPromptRequest['params'], extra: Extra): Promise<GetPromptResult> {
    await this.#options.ready;
    const entry = this.#options.catalog.prompt(name);
    if (entry === undefined) throw new McpError(ErrorCode.InvalidParams, 'there is no prompt of this name here');
    const { server, original } = entry;
    const tool = accessName(server, 'prompts.get');
    const wanted = { server, tool, args: { ...args, name: original }, meta: extra._meta };
    const called = await this.#make(wanted, extra, (relay) => ({
      send: () =>
        this.#ask(
          server,
          { method: 'prompts/get', params: { name: original, arguments: args, ...metaPart(extra) } },
          GetPromptResultSchema,
          { extra, relay },
        ),
      show: ({ messages }: GetPromptResult) => ({ content: messages.map(({ content }) => content) }),
    }));
    return resultOf(called);
  }

  /** The agent's runtime reports reasoning under the same session: this is how it learns which. */
  #mark(): Record<string, unknown> {
    return { [SESSION_MARK]: this.subject.sessionId };
  }

  /** Completions help a person to fill in a form; they are asked for at every key press and are no acts of an agent. */
  async #complete({ ref, argument, context }: CompleteRequest['params'], extra: Extra) {
    await this.#options.ready;
    const { catalog, stopped } = this.#options;
    const reason = stopped();
    if (reason !== undefined) throw new McpError(REFUSED, reason);
    const prompt = ref.type === 'ref/prompt' ? catalog.prompt(ref.name) : undefined;
    const server = ref.type === 'ref/prompt' ? prompt?.server : catalog.serverOf(ref.uri);
    if (server === undefined) throw new McpError(ErrorCode.InvalidParams, 'nothing here can complete this');
    const own = ref.type === 'ref/prompt' ? { ...ref, name: prompt?.original ?? ref.name } : ref;
    const params = { ref: own, argument, ...(context === undefined ? {} : { context }) };
    return this.#ask(server, { method: 'completion/complete', params }, CompleteResultSchema, { extra });
  }

  async #make<T>(
    wanted: WantedCall,
    extra: Extra,
    sending: (relay: ProgressRelay | undefined) => Sending<T>,
  ): Promise<Called<T>> {
    const { calls, maxCalls } = this.#options;
    const callId = `${this.subject.sessionId}-${++this.#calls}`;
    if (this.#inFlight >= maxCalls) {
      const reason = `${maxCalls} calls of this session are under way`;
      return { answer: refusalAnswer({ by: 'limit', reason }, { ...this.subject, callId }) };
    }
    this.#inFlight++;
    try {
      const relay = relayTo(extra);
      return await calls.make({ subject: this.subject, callId, wanted }, sending(relay), hooksFor(extra, relay));
    } catch (fault) {
      throw fault instanceof McpError ? passedOn(fault) : fault;
    } finally {
      this.#inFlight--;
    }
  }

  #ask<T extends Parameters<Upstream['request']>[1]>(
    server: string,
    request: Parameters<Upstream['request']>[0],
    schema: T,
    { extra, relay }: { extra: Extra; relay?: ProgressRelay | undefined },
  ) {
    const { servers, callMs } = this.#options;
    const upstream = servers.get(server);
    if (upstream === undefined) throw new McpError(ErrorCode.InvalidParams, 'there is no such server here');
    return upstream.request(request, schema, {
      signal: extra.signal,
      timeout: callMs,
      ...(relay === undefined
        ? {}
        : {
            onprogress: (progress) => relay.relay(progress),
            resetTimeoutOnProgress: true,
            maxTotalTimeout: callMs * PATIENCE,
          }),
    });
  }
}

const CHANGED = {
  tools: 'notifications/tools/list_changed',
  resources: 'notifications/resources/list_changed',
  prompts: 'notifications/prompts/list_changed',
} as const satisfies Record<ListKind, string>;

function metaPart({ _meta }: Extra): { _meta?: Record<string, unknown> } {
  const meta = metaForServer(_meta);
  return meta === undefined ? {} : { _meta: meta };
}

/** Progress goes only to clients that asked for it. */
function relayTo({ _meta, sendNotification }: Extra): ProgressRelay | undefined {
  const progressToken = _meta?.progressToken;
  if (progressToken === undefined) return undefined;
  return new ProgressRelay((progress) => {
    // A client that went away has no use for it.
    sendNotification({ method: 'notifications/progress', params: { ...progress, progressToken } }).catch(() => {});
  });
}

function hooksFor({ signal }: Extra, relay: ProgressRelay | undefined): GuardHooks {
  return {
    signal,
    waiting: (reason) => {
      const say = (): void => relay?.waiting(`waiting for a person to approve: ${reason}`);
      say();
      const timer = setInterval(say, WAITING_MS);
      return () => clearInterval(timer);
    },
  };
}

/** Where the protocol knows no result that is an error, a refusal is one of JSON-RPC. */
function resultOf<T>(called: Called<T>): T {
  if ('result' in called) return called.result;
  const [block] = called.answer.content;
  const refusal = new McpError(REFUSED, '');
  refusal.message = block?.type === 'text' ? block.text : 'refused';
  throw refusal;
}
