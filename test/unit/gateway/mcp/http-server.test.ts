import { request } from 'node:http';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { McpHttpServer, type HttpServerOptions } from '../../../../src/gateway/mcp/http-server.js';
import type { McpGatewayEvent } from '../../../../src/gateway/mcp/port.js';
import { ClientKeys } from '../../../../src/gateway/mcp/secrets.js';
import { systemClock } from '../../../../src/lib/clock.js';
import { eventually } from '../../../support/eventually.js';
import { mcpWorld, TestServer, tool, type McpWorld } from '../../../support/mcp-world.js';

const ANN = 'key-of-ann-0123456789';
const BOB = 'key-of-bob-0123456789';
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'agent-that-claims-to-be-bob', version: '1' },
  },
};

describe('the HTTP side of the MCP gateway', () => {
  let world: McpWorld;
  let events: McpGatewayEvent[];
  let server: McpHttpServer;

  beforeEach(async () => {
    world = await mcpWorld({ a: new TestServer(tool('look', { readOnlyHint: true })) });
    events = world.events;
    server = await serve();
  });

  afterEach(async () => {
    await server.close();
    await world.close();
  });

  async function serve(options: Partial<HttpServerOptions> = {}): Promise<McpHttpServer> {
    const clients = [
      { id: 'ann', keyEnv: 'ANN', agentId: 'coder-ann' },
      { id: 'bob', keyEnv: 'BOB' },
    ];
    const made = new McpHttpServer({
      host: '127.0.0.1',
      port: 0,
      clients: new ClientKeys(clients, { ANN, BOB }),
      hosts: ['parallax.example.com'],
      origins: ['https://tools.example.com'],
      maxBodyBytes: 10_000,
      maxSessions: 3,
      idleMs: 60_000,
      open: (transport, who) => world.gateway.open(transport, who),
      clock: systemClock,
      report: (event) => events.push(event),
      ...options,
    });
    await made.listen();
    return made;
  }

  it('knows the agent by the client’s key, whatever the client says it is', async () => {
    const client = await connect(ANN);
    await client.callTool({ name: 'a__look', arguments: {} });
    await world.kit.flush(5_000);
    expect(world.observer.records('tool_call')).toMatchObject([{ agentId: 'coder-ann', sessionId: 'mcp-1' }]);
    await client.close();
  });

  it.each([
    ['no key', {}, 401],
    ['a wrong key', { authorization: 'Bearer wrong-wrong-wrong-wrong' }, 401],
    ['another name for this machine (DNS rebinding)', { host: 'evil.example:80', authorization: `Bearer ${ANN}` }, 403],
    ['a name that is none', { host: '%%', authorization: `Bearer ${ANN}` }, 403],
    ['a page of somewhere else', { origin: 'https://evil.example', authorization: `Bearer ${ANN}` }, 403],
    ['a page without an origin', { origin: 'null', authorization: `Bearer ${ANN}` }, 403],
    ['a name that is configured', { host: 'PARALLAX.example.com', authorization: `Bearer ${ANN}` }, 200],
    ['a page that is configured', { origin: 'https://tools.example.com', authorization: `Bearer ${ANN}` }, 200],
  ])('answers a request with %s as it should', async (_, headers, status) => {
    expect((await post(INITIALIZE, headers)).status).toBe(status);
    const refused = events.filter(({ type }) => type === 'client-refused');
    expect(refused).toMatchObject(status === 200 ? [] : [{ status }]);
    expect(JSON.stringify(refused)).not.toContain('evil');
  });

  it('keeps a session for the key that opened it', async () => {
    const opened = await post(INITIALIZE, { authorization: `Bearer ${ANN}` });
    const session = opened.headers['mcp-session-id'];
    const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
    const own = { authorization: `Bearer ${ANN}`, 'mcp-session-id': String(session) };
    expect((await post(list, own)).status).toBe(200);
    expect((await post(list, { ...own, authorization: `Bearer ${BOB}` })).status).toBe(404);
    expect((await post(list, { ...own, 'mcp-session-id': 'another' })).status).toBe(404);
  });

  it('leaves nothing behind of what is no proper beginning, and takes neither too much nor too many', async () => {
    const own = { authorization: `Bearer ${ANN}` };
    expect((await post({ jsonrpc: '2.0', id: 2, method: 'tools/list' }, own)).status).toBe(400);
    expect((await post('no json at all', own)).status).toBe(400);
    expect((await post({ ...INITIALIZE, more: 'x'.repeat(20_000) }, own)).status).toBe(413);
    await eventually('they are gone', () => world.gateway.sessions === 0);
    for (let n = 0; n < 3; n++) expect((await post(INITIALIZE, own)).status).toBe(200);
    expect((await post(INITIALIZE, own)).status).toBe(503);
    expect((await post(INITIALIZE, own, '/elsewhere')).status).toBe(404);
  });

  it('closes a session that nobody uses any more', async () => {
    await server.close();
    server = await serve({ idleMs: 40 });
    await post(INITIALIZE, { authorization: `Bearer ${ANN}` });
    await eventually('it is closed', () => world.gateway.sessions === 0);
    expect(events).toContainEqual({ type: 'session-closed', agentId: 'coder-ann', sessionId: 'mcp-1', calls: 0 });
  });

  async function connect(key: string): Promise<Client> {
    const requestInit = { headers: { authorization: `Bearer ${key}` } };
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(server.url), { requestInit }));
    return client;
  }

  /** `fetch` sets Host and Origin by itself, so this is done by hand. */
  function post(
    body: unknown,
    headers: Record<string, string>,
    path = new URL(server.url).pathname,
  ): Promise<{ status: number; headers: NodeJS.Dict<string | string[]> }> {
    return new Promise((resolve, reject) => {
      const { port } = new URL(server.url);
      const given = { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...headers };
      const sent = request({ host: '127.0.0.1', port, path, method: 'POST', headers: given }, (response) => {
        response.resume();
        response.once('close', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }));
      });
      sent.once('error', reject);
      sent.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  }
});
