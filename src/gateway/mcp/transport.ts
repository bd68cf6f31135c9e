import { setTimeout as sleep } from 'node:timers/promises';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { serverEnvironment, serverHeaders } from './secrets.js';
import type { HttpServer, McpSettings, StdioServer } from './settings.js';

export interface ServerConnection {
  transport: Transport;
  /** Says goodbye, where the transport has a way to. */
  leave: () => Promise<void>;
}

/** Makes a new connection to a server, each time it is called. */
export type OpenTransport = () => ServerConnection;

/** How the configured servers are reached, by name. @throws ConfigError where a named variable is not set */
export function openTransports({ servers, limits }: McpSettings, env: NodeJS.ProcessEnv): Map<string, OpenTransport> {
  const { messageBytes } = limits;
  return new Map(
    Object.entries(servers).map(([name, server]) => [name, transportTo(name, server, { env, messageBytes })]),
  );
}

/**
 * A process gets the few variables that the SDK deems safe (`PATH`, `HOME` ...) and those that the configuration names,
 * so that this gateway's own keys stay here.
 */
function transportTo(
  name: string,
  server: StdioServer | HttpServer,
  { env, messageBytes }: { env: NodeJS.ProcessEnv; messageBytes: number },
): OpenTransport {
  if ('url' in server) {
    const headers = serverHeaders(name, server, env);
    const url = new URL(server.url);
    return () => {
      const reopen = { ...REOPEN };
      const transport = new StreamableHTTPClientTransport(url, {
        requestInit: { headers },
        reconnectionOptions: reopen,
      });
      // The SDK goes on reopening a stream whose reopening was under way when the transport was closed: without end, and
      // no process ends as long as it does. It looks at this object each time.
      const close = transport.close.bind(transport);
      transport.close = async () => {
        reopen.maxRetries = 0;
        await close();
      };
      return { transport, leave: () => Promise.race([transport.terminateSession(), sleep(LEAVE_MS)]) };
    };
  }
  const { command, args, cwd, stderr } = server;
  const parameters = {
    command,
    args,
    env: serverEnvironment(name, server, env),
    stderr: stderr === 'pass' ? ('inherit' as const) : ('ignore' as const),
    maxBufferSize: messageBytes,
  };
  return () => ({
    transport: new StdioClientTransport(cwd === undefined ? parameters : { ...parameters, cwd }),
    leave: async () => {},
  });
}

/** A server that does not answer must not hold up the end, ms. */
const LEAVE_MS = 1_000;
/** The stream of notifications is reopened for as long as the session lives. */
const REOPEN = {
  initialReconnectionDelay: 1_000,
  maxReconnectionDelay: 30_000,
  reconnectionDelayGrowFactor: 1.5,
  maxRetries: Number.MAX_SAFE_INTEGER,
};
