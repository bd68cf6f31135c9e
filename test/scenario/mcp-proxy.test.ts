import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  callTool,
  connectOverStdio,
  prepareProxy,
  ProxyService,
  stdioServer,
  type Connected,
  type ProxySetup,
} from '../support/mcp-proxy.js';
import { prepareService, runParallax, ServiceProcess, type ServiceSetup } from '../support/service-process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** Real MCP client, real gateway, real observer, real MCP servers: each a process of its own. */
describe('an MCP client behind the gateway', () => {
  const directory = temporaryDirectory();
  const work = join(directory.path, 'work');
  let setup: ServiceSetup;
  let service: ServiceProcess;

  beforeAll(async () => {
    mkdirSync(work);
    writeFileSync(join(work, 'notes.txt'), 'Buy milk');
    setup = prepareService(join(directory.path, 'observer'), { mode: 'act', check: { deadlineMs: 5_000 } });
    service = await ServiceProcess.start(setup);
  }, 120_000);

  afterAll(async () => {
    await service.stop();
    directory.remove();
  });

  function prepare(name: string, settings: Record<string, unknown> = {}): ProxySetup {
    return prepareProxy(join(directory.path, name), {
      observerUrl: service.url,
      observerKey: setup.keys.gateway,
      servers: { files: stdioServer('filesystem', work), memory: stdioServer('memory'), every: stdioServer('everything') },
      ...settings,
    });
  }

  it('smoke', async () => {
    const proxy = await connectOverStdio(prepare('smoke'));
    const { tools } = await proxy.client.listTools();
    console.log(tools.map((t) => t.name));
    console.log(await callTool(proxy, 'files__read_text_file', { path: join(work, 'notes.txt') }));
    console.log(await callTool(proxy, 'files__write_file', { path: join(work, 'b.txt'), content: 'x' }));
    console.log((await proxy.client.listResources()).resources.length, (await proxy.client.listPrompts()).prompts.map((p) => p.name));
    await proxy.close();
    console.log(proxy.log());
    const http = await ProxyService.start(prepare('smoke2'));
    const p2 = await http.connect();
    console.log(await callTool(p2, 'files__read_text_file', { path: join(work, 'notes.txt') }));
    await p2.close();
    await http.stop();
    console.log(http.log);
  }, 120_000);
});
