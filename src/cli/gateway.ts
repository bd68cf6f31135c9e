import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { ConfigError } from '../config.js';
import { createGatewayClient, type GatewayEvent } from '../gateway/client.js';
import { McpGateway } from '../gateway/mcp/gateway.js';
import { McpHttpServer } from '../gateway/mcp/http-server.js';
import type { LibraryLook, McpGatewayEvent, Report } from '../gateway/mcp/port.js';
import { ClientKeys, observerKey } from '../gateway/mcp/secrets.js';
import { loadMcpSettings, type McpSettings } from '../gateway/mcp/settings.js';
import { serveStdio } from '../gateway/mcp/stdio.js';
import { openTransports } from '../gateway/mcp/transport.js';
import { loadLibrary } from '../governance/library-loader.js';
import { systemClock } from '../lib/clock.js';
import { packageVersion } from '../lib/package-root.js';
import { createLogger } from '../telemetry/logger.js';
import { textOf, UsageError, type CliCommand, type CommandContext } from './command.js';

export const gateway: CliCommand = {
  name: 'gateway',
  usage: '--config FILE [--listen HOST:PORT] [--accept-changes]',
  summary: 'stand between MCP clients and their servers, under the observer',
  options: { config: { type: 'string' }, listen: { type: 'string' }, 'accept-changes': { type: 'boolean' } },
  help: {
    config: 'YAML: the observer, the servers, the rules (docs/mcp-gateway.md)',
    listen: 'serve Streamable HTTP, for example 127.0.0.1:7800; standard input and output otherwise',
    'accept-changes': 'take what the servers now say of their tools as right',
  },
  run: async (context) => {
    const file = textOf(context, 'config');
    if (file === undefined) throw new UsageError('say which configuration: --config FILE (docs/mcp-gateway.md)');
    const listen = textOf(context, 'listen');
    const address = listen === undefined ? undefined : addressOf(listen);
    const settings = loadMcpSettings(file);
    const logger = createLogger(settings.logLevel);
    // Standard output belongs to the protocol; the log is for people.
    const report = ({ type, ...event }: McpGatewayEvent | GatewayEvent): void => logger[levelOf(type)](event, type);
    const kit = createGatewayClient({
      url: settings.observer.url,
      key: observerKey(settings.observer, context.env),
      gatewayId: settings.gatewayId,
      silentAfterMs: settings.observer.silentAfterMs,
      ...(settings.observer.issuer === undefined ? {} : { issuer: settings.observer.issuer }),
      ...(settings.stateDir === undefined ? {} : { stateFile: join(settings.stateDir, 'restrictions.json') }),
      deadlineMs: settings.observer.deadlineMs,
      // Without the settings that were left out: an undefined one would undo the kit's own.
      posture: Object.fromEntries(Object.entries(settings.observer.posture)),
      onEvent: report,
    });
    const mcp = new McpGateway({
      settings,
      kit,
      library: libraryOf(settings),
      servers: openTransports(settings, context.env),
      version: packageVersion(),
      acceptChanges: context.values['accept-changes'] === true,
      clock: systemClock,
      elapsedMs: () => performance.now(),
      random: Math.random,
      newId: randomUUID,
      report,
    });
    const stopped = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
    const serving = { mcp, file, settings, context, report };
    const end = address === undefined ? await overStdio(serving) : await overHttp(serving, address);
    await Promise.race([stopped, end.ended]);
    await end.close();
    await mcp.close();
    return 0;
  },
};

interface Serving {
  mcp: McpGateway;
  file: string;
  settings: McpSettings;
  context: CommandContext;
  report: Report;
}

interface End {
  /** The only client went away; never where others may come. */
  ended: Promise<unknown>;
  close: () => Promise<void>;
}

async function overStdio({ mcp, file, settings }: Serving): Promise<End> {
  const { agentId, limits } = settings;
  if (agentId === undefined) {
    throw new ConfigError(`${file}: agentId: is missing; name the agent that is watched, or serve keys with --listen`);
  }
  mcp.start();
  const { messageBytes } = limits;
  const { ended } = await serveStdio(mcp, { agentId, input: process.stdin, output: process.stdout, messageBytes });
  return { ended, close: async () => {} };
}

async function overHttp(
  { mcp, file, settings, context, report }: Serving,
  { host, port }: { host: string; port: number },
): Promise<End> {
  const clients = new ClientKeys(settings.clients, context.env);
  if (clients.size === 0) {
    throw new ConfigError(`${file}: clients: is empty; give each client that may connect a key and an agent`);
  }
  const { hosts, origins } = settings.http;
  const { messageBytes, sessions } = settings.limits;
  const server = new McpHttpServer({
    host,
    port,
    clients,
    hosts,
    origins,
    maxBodyBytes: messageBytes,
    maxSessions: sessions,
    idleMs: settings.timeouts.idleMs,
    open: (transport, who) => mcp.open(transport, who),
    clock: systemClock,
    report,
  });
  await server.listen().catch((fault: unknown) => {
    throw new UsageError(`--listen: cannot listen there (${String(fault)}); choose another address or port`);
  });
  mcp.start();
  context.console.out(`${JSON.stringify({ event: 'listening', url: server.url })}\n`);
  return { ended: new Promise(() => {}), close: () => server.close() };
}

/** `127.0.0.1:7800`, `[::1]:7800`; only a port listens on this machine alone. */
function addressOf(listen: string): { host: string; port: number } {
  const match = /^(?:(.+):)?(\d{1,5})$/.exec(listen);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535)
    throw new UsageError(`--listen ${listen}: say HOST:PORT, for example 127.0.0.1:7800`);
  return { host: (match[1] ?? '127.0.0.1').replaceAll(/[[\]]/g, ''), port };
}

function libraryOf({ baselinesDir }: McpSettings): LibraryLook {
  if (baselinesDir === undefined) return () => ({});
  const library = loadLibrary(baselinesDir);
  return (agentId, tool) => {
    const line = library.entryFor(agentId, tool).tool;
    return {
      ...(line?.effect === undefined ? {} : { effect: line.effect }),
      ...(line?.tier === undefined ? {} : { tier: line.tier }),
    };
  };
}

/** What somebody should look at is a warning; the rest tells what went on. */
function levelOf(type: (McpGatewayEvent | GatewayEvent)['type']): 'info' | 'warn' {
  return WARNINGS.has(type) ? 'warn' : 'info';
}

const WARNINGS: ReadonlySet<string> = new Set<(McpGatewayEvent | GatewayEvent)['type']>([
  'server-down',
  'server-fault',
  'definition-left-out',
  'definition-changed',
  'definitions-unsaved',
  'client-refused',
  'stream-lost',
  'restriction-rejected',
  'acknowledgement-delayed',
  'acknowledgement-dropped',
  'check-unanswered',
  'audit-delayed',
  'audit-dropped',
  'audit-refused',
]);
