import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { startService, type ChildService } from '../../src/sources/child-service.js';
import { repositoryRoot } from './recorded.js';

/** The public MCP servers that tests speak with, as they come from the registry. */
export type PublicServer = 'everything' | 'filesystem' | 'memory';

/** The file that starts one of them. */
export function serverFile(name: PublicServer): string {
  return join(repositoryRoot, 'node_modules', '@modelcontextprotocol', `server-${name}`, 'dist', 'index.js');
}

/** One of them as a server of a gateway's configuration. */
export function stdioServer(name: PublicServer, ...args: string[]): { command: string; args: string[] } {
  return { command: process.execPath, args: [serverFile(name), ...args] };
}

export const CLIENT_KEY = 'key-of-the-mcp-client-of-the-test';
export const OTHER_CLIENT_KEY = 'key-of-another-mcp-client-of-the-test';
const PARALLAX = join(repositoryRoot, 'bin', 'parallax.js');

export interface ProxySetup {
  configFile: string;
  logFile: string;
  /** Variables of the gateway's own environment. */
  env: Record<string, string>;
}

/** Writes a gateway's configuration into a folder of its own. */
export function prepareProxy(
  directory: string,
  {
    observerUrl,
    observerKey,
    env = {},
    ...settings
  }: Record<string, unknown> & {
    observerUrl: string;
    observerKey: string;
    env?: Record<string, string>;
  },
): ProxySetup {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, 'observer.key'), observerKey, { mode: 0o600 });
  writeFileSync(join(directory, 'client.key'), CLIENT_KEY, { mode: 0o600 });
  const config = {
    observer: { url: observerUrl, keyFile: 'observer.key', deadlineMs: 5_000 },
    agentId: 'coder-1',
    clients: [
      { id: 'coder-1', keyFile: 'client.key' },
      { id: 'coder-2', keyEnv: 'OTHER_CLIENT_KEY' },
    ],
    ...settings,
  };
  const configFile = join(directory, 'gateway.yaml');
  // JSON is YAML.
  writeFileSync(configFile, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  return { configFile, logFile: join(directory, 'gateway.log'), env: { OTHER_CLIENT_KEY, ...env } };
}

/** What a client of the SDK and its gateway are to a test. */
export interface Connected {
  client: Client;
  /** Everything the gateway has logged so far. */
  log: () => string;
  close: () => Promise<void>;
}

/** A real client that starts the gateway as clients do: a command, spoken with over standard input and output. */
export async function connectOverStdio({ configFile, env }: ProxySetup): Promise<Connected> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [PARALLAX, 'gateway', '--config', configFile],
    env,
    stderr: 'pipe',
  });
  let text = '';
  transport.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const client = newClient();
  await client.connect(transport);
  return { client, log: () => text, close: () => client.close() };
}

/** The gateway as a service over Streamable HTTP. */
export class ProxyService {
  readonly #child: ChildService;
  readonly #logFile: string;

  private constructor(child: ChildService, logFile: string) {
    this.#child = child;
    this.#logFile = logFile;
  }

  static async start({ configFile, logFile, env }: ProxySetup): Promise<ProxyService> {
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('PARALLAX_'));
    const child = await startService({
      name: 'MCP gateway',
      command: [process.execPath, PARALLAX, 'gateway', '--config', configFile, '--listen', '127.0.0.1:0'],
      cwd: repositoryRoot,
      env: { ...Object.fromEntries(own), ...env },
      logFile,
      startMs: 60_000,
      stopMs: 10_000,
    });
    return new ProxyService(child, logFile);
  }

  get url(): string {
    return this.#child.url;
  }

  get log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  async connect(key = CLIENT_KEY): Promise<Connected> {
    const transport = new StreamableHTTPClientTransport(new URL(this.url), {
      requestInit: { headers: { authorization: `Bearer ${key}` } },
    });
    const client = newClient();
    await client.connect(transport);
    return {
      client,
      log: () => this.log,
      close: async () => {
        await transport.terminateSession();
        await client.close();
      },
    };
  }

  /** @returns whether it ended by itself when it was asked to */
  stop(): Promise<boolean> {
    return this.#child.stop();
  }
}

/** Calls a tool. @returns whether it was an error, and its text */
export async function callTool(
  { client }: Pick<Connected, 'client'>,
  name: string,
  args: Record<string, unknown> = {},
): Promise<{ isError: boolean; text: string }> {
  const result = await client.callTool({ name, arguments: args });
  // Tasks aside, which nobody here asks for, it is this.
  const { content, isError } = result as CallToolResult;
  return {
    isError: isError === true,
    text: content.map((block) => (block.type === 'text' ? block.text : '')).join('\n'),
  };
}

function newClient(): Client {
  return new Client({ name: 'a-client-that-says-it-is-somebody-else', version: '1.0.0' });
}
