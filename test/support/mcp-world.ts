import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import {
  CallToolRequestSchema,
  ListToolsRequestSchema,
  type CallToolRequest,
  type CallToolResult,
} from '@modelcontextprotocol/sdk/types.js';
import { createGatewayClient, type GatewayClient, type GatewayClientOptions } from '../../src/gateway/client.js';
import { McpGateway, type McpGatewayOptions } from '../../src/gateway/mcp/gateway.js';
import type { McpGatewayEvent } from '../../src/gateway/mcp/port.js';
import { settingsFrom } from '../../src/gateway/mcp/settings.js';
import type { OpenTransport } from '../../src/gateway/mcp/transport.js';
import { systemClock } from '../../src/lib/clock.js';
import { FakeObserver, type FakeObserverOptions } from './fake-observer.js';

/** A tool as a server lists it, good or bad. */
export type ListedTool = Record<string, unknown>;

/** What a server of a test gets asked for. */
export type Asked = CallToolRequest['params'];

/** A server in this process, over the SDK, whose lists and answers a test decides; it can vanish and come back. */
export class TestServer {
  tools: ListedTool[];
  readonly asked: Asked[] = [];
  answer: (asked: Asked, extra: { signal: AbortSignal }) => Promise<CallToolResult> = async ({ name }) => ({
    content: [{ type: 'text', text: `did ${name}` }],
  });
  /** New connections are refused. */
  isAway = false;
  opened = 0;
  #server: Server | undefined;

  constructor(...tools: ListedTool[]) {
    this.tools = tools;
  }

  readonly open: OpenTransport = () => {
    this.opened++;
    if (this.isAway) throw new Error('refused');
    const [ours, theirs] = InMemoryTransport.createLinkedPair();
    const server = new Server({ name: 'test', version: '1' }, { capabilities: { tools: { listChanged: true } } });
    server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: this.tools }));
    server.setRequestHandler(CallToolRequestSchema, ({ params }, { signal }) => {
      this.asked.push(params);
      return this.answer(params, { signal });
    });
    this.#server = server;
    void server.connect(theirs);
    return { transport: ours, leave: async () => {} };
  };

  /** As a process that crashes. */
  async crash(): Promise<void> {
    await this.#server?.close();
  }

  async list(...tools: ListedTool[]): Promise<void> {
    this.tools = tools;
    await this.#server?.sendToolListChanged();
  }
}

/** A tool that takes anything. @param hints its annotations */
export function tool(name: string, hints?: Record<string, unknown>): ListedTool {
  return { name, inputSchema: { type: 'object' }, ...(hints === undefined ? {} : { annotations: hints }) };
}

export interface McpWorld {
  observer: FakeObserver;
  gateway: McpGateway;
  kit: GatewayClient;
  events: McpGatewayEvent[];
  /** A client of the SDK, connected in this process. */
  connect: (agentId?: string) => Promise<Client>;
  close: () => Promise<void>;
}

/** The gateway over servers in this process and a stand-in for the observer over real HTTP. */
export async function mcpWorld(
  servers: Readonly<Record<string, TestServer>>,
  {
    settings = {},
    observer: observerOptions = {},
    kit: kitOptions = {},
    ...rest
  }: {
    settings?: Record<string, unknown>;
    observer?: FakeObserverOptions;
    kit?: Partial<GatewayClientOptions>;
  } & Partial<Pick<McpGatewayOptions, 'library' | 'acceptChanges'>> = {},
): Promise<McpWorld> {
  const observer = await new FakeObserver(observerOptions).start();
  const events: McpGatewayEvent[] = [];
  const parsed = settingsFrom({
    observer: { url: observer.url, keyEnv: 'K' },
    servers: Object.fromEntries(Object.keys(servers).map((name) => [name, { command: 'in-this-process' }])),
    ...settings,
    timeouts: {
      restartBaseMs: 5,
      restartMaxMs: 20,
      approvalMs: 2_000,
      callMs: 5_000,
      ...group(settings),
    },
  });
  const kit = createGatewayClient({
    url: observer.url,
    key: 'gateway-key',
    gatewayId: 'gateway',
    deadlineMs: 5_000,
    limits: { retryBaseMs: 5, retryMaxMs: 20 },
    ...kitOptions,
  });
  let ids = 0;
  const gateway = new McpGateway({
    settings: parsed,
    kit,
    servers: new Map(Object.entries(servers).map(([name, { open }]) => [name, open])),
    version: '1.0.0',
    acceptChanges: false,
    clock: systemClock,
    elapsedMs: () => performance.now(),
    random: () => 0.5,
    newId: () => String(++ids),
    report: (event) => events.push(event),
    ...rest,
  });
  gateway.start();
  return {
    observer,
    gateway,
    kit,
    events,
    connect: async (agentId = 'coder-1') => {
      const [ours, theirs] = InMemoryTransport.createLinkedPair();
      await gateway.open(theirs, { agentId });
      const client = new Client({ name: 'test', version: '1' });
      await client.connect(ours);
      return client;
    },
    close: async () => {
      await gateway.close();
      await observer.stop();
    },
  };
}

function group({ timeouts }: Record<string, unknown>): Record<string, unknown> {
  return typeof timeouts === 'object' ? { ...timeouts } : {};
}
