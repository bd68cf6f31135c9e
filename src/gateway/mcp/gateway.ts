import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { Clock } from '../../lib/clock.js';
import type { GatewayClient } from '../port.js';
import { Calls } from './calls.js';
import { Catalog } from './catalog.js';
import { DefinitionBook } from './definitions.js';
import { Guard } from './guard.js';
import type { LibraryLook, ListKind, Report } from './port.js';
import { ToolRules } from './rules.js';
import { McpSession } from './session.js';
import type { McpSettings } from './settings.js';
import type { OpenTransport } from './transport.js';
import { Upstream } from './upstream.js';

export interface McpGatewayOptions {
  settings: McpSettings;
  kit: GatewayClient;
  /** What the reference library says; without one nothing. */
  library?: LibraryLook;
  /** How the servers are reached, by name, in the order of the configuration. */
  servers: ReadonlyMap<string, OpenTransport>;
  /** Shown to clients and servers. */
  version: string;
  /** Takes changed definitions of tools as right. */
  acceptChanges: boolean;
  clock: Clock;
  /** Monotonic, ms with fractions. */
  elapsedMs: () => number;
  /** Uniform in [0, 1), for jitter. */
  random: () => number;
  /** A new id at every call: of sessions, so that no two are ever taken for one. */
  newId: () => string;
  report: Report;
}

/** Who connects: the agent that configuration or key stands for. */
export interface Connecting {
  agentId: string;
  clientId?: string;
}

/** Longest wait for the observer's restrictions before the first request is served, ms. */
const OBSERVER_WAIT_MS = 3_000;

/** An MCP server for clients, an MCP client of many servers, and the observer's gateway in between. */
export class McpGateway {
  readonly #options: McpGatewayOptions;
  readonly #catalog: Catalog;
  readonly #definitions: DefinitionBook;
  readonly #rules: ToolRules;
  readonly #calls: Calls;
  readonly #upstreams: readonly Upstream[];
  readonly #sessions = new Set<McpSession>();
  #ready: Promise<unknown> = Promise.resolve();

  /** @throws Error where the remembered definitions cannot be read */
  constructor(options: McpGatewayOptions) {
    this.#options = options;
    const { settings, kit, report, clock, elapsedMs, random, version } = options;
    const { timeouts, limits, rules } = settings;
    this.#catalog = new Catalog({ toolNameChars: limits.toolNameChars, report });
    this.#definitions = new DefinitionBook({ stateDir: settings.stateDir, changed: settings.changedTools, report });
    this.#rules = new ToolRules(rules.default, rules.tools);
    const distrusted = Object.entries(settings.servers).flatMap(([name, { annotations }]) =>
      annotations === 'ignore' ? [name] : [],
    );
    this.#calls = new Calls({
      kit,
      guard: new Guard({ kit, approvalMs: timeouts.approvalMs }),
      rules: this.#rules,
      definitions: this.#definitions,
      library: options.library ?? (() => ({})),
      distrusted: new Set(distrusted),
      argumentChars: limits.argumentChars,
      callMs: timeouts.callMs,
      clock,
      elapsedMs,
      report,
    });
    this.#upstreams = [...options.servers].map(
      ([name, open]) =>
        new Upstream({
          name,
          open,
          version,
          startMs: timeouts.startMs,
          backoff: { baseMs: timeouts.restartBaseMs, maxMs: timeouts.restartMaxMs, random },
          limits: { entries: limits.toolsPerServer, definitionChars: limits.definitionChars },
          report,
          changed: (kind) => this.#changed(kind, name),
          elapsedMs,
        }),
    );
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** Begins to follow the observer and to start the servers. Requests wait until both have been tried. */
  start(): void {
    for (const upstream of this.#upstreams) upstream.start();
    this.#ready = Promise.all([
      within(this.#options.kit.subscribe(), OBSERVER_WAIT_MS),
      ...this.#upstreams.map((upstream) => upstream.settled),
    ]);
  }

  /** Serves one client until its transport closes. */
  async open(transport: Transport, { agentId, clientId }: Connecting): Promise<McpSession> {
    const { settings, newId, report, version, kit } = this.#options;
    const sessionId = `mcp-${newId()}`;
    const session = new McpSession({
      subject: { agentId, sessionId },
      version,
      catalog: this.#catalog,
      calls: this.#calls,
      servers: new Map(this.#upstreams.map((upstream) => [upstream.name, upstream])),
      stopped: () => kit.restrictionOn(agentId, sessionId, '', 'read')?.reason,
      isShown: (tool) => this.#rules.find(tool).decision !== 'deny',
      ready: this.#ready,
      callMs: settings.timeouts.callMs,
      maxCalls: settings.limits.callsPerSession,
      onOpen: () =>
        report({ type: 'session-opened', agentId, sessionId, ...(clientId === undefined ? {} : { clientId }) }),
      onClose: (calls) => {
        this.#sessions.delete(session);
        report({ type: 'session-closed', agentId, sessionId, calls });
      },
    });
    this.#sessions.add(session);
    await session.connect(transport);
    return session;
  }

  /** Ends sessions and servers, and sends the observer what it does not know yet. */
  async close(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.close()));
    await Promise.all(this.#upstreams.map((upstream) => upstream.close()));
    await this.#options.kit.close();
  }

  #changed(kind: ListKind, server: string): void {
    const { acceptChanges: accept } = this.#options;
    const changed = this.#upstreams.find(({ name }) => name === server);
    if (kind === 'tools' && changed !== undefined) this.#definitions.take(server, changed.offer.tools, { accept });
    this.#catalog.rebuild(kind, this.#upstreams);
    for (const session of this.#sessions) void session.changed(kind);
  }
}

/** Resolves with the promise, or after `ms`; leaves no timer that keeps the process alive. */
function within(promise: Promise<unknown>, ms: number): Promise<unknown> {
  return Promise.race([promise, new Promise((resolve) => setTimeout(resolve, ms).unref())]);
}
