import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeObserver, sse } from '../../support/fake-observer.js';
import { eventually } from '../../support/eventually.js';
import { garbageCollector } from '../../support/heap.js';
import { repositoryRoot } from '../../support/recorded.js';
import { attempt, kitFor, revoked } from './kit.js';

const compiled = join(repositoryRoot, 'dist', 'src', 'gateway', 'client.js');

describe('close', () => {
  it('ends a stream whose request the garbage collector has already taken', async () => {
    const gc = garbageCollector();
    const observer = await new FakeObserver().start();
    const { kit } = kitFor(observer.url);
    await kit.subscribe();
    for (let round = 0; round < 5; round++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await kit.close(0);
    await eventually('the connection is gone', () => observer.openStreams === 0);
    expect(observer.openStreams).toBe(0);
    await observer.stop();
  });

  it('notices silence after the garbage collector ran', async () => {
    const gc = garbageCollector();
    const observer = await new FakeObserver().start();
    const { kit } = kitFor(observer.url, { limits: { retryBaseMs: 5, retryMaxMs: 10, silenceMs: 200 } });
    await kit.subscribe();
    for (let round = 0; round < 5; round++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await eventually('a second subscription', () => observer.subscriptions.length > 1);
    expect(kit.counters().streamLosses).toBeGreaterThan(0);
    await kit.close(0);
    await observer.stop();
  });

  it.skipIf(!existsSync(compiled))('leaves nothing open: a process that closed its kit ends by itself', async () => {
    const observer = await new FakeObserver().start();
    observer.greeting = () => sse('state', { restrictions: [revoked(1, 's9')] }, 1);
    const script = `
      import { createGatewayClient } from ${JSON.stringify(compiled)};
      const options = { key: 'k', gatewayId: 'gateway', deadlineMs: 20_000 };
      const kit = createGatewayClient({ url: ${JSON.stringify(observer.url)}, ...options });
      await kit.subscribe();
      await kit.check(${JSON.stringify(attempt)});
      kit.observe([{ id: 'x', time: 1, agentId: 'a', stream: 'action', kind: 'tool_call', tool: 't', decision: 'allow' }]);
      await kit.close();
      console.log(JSON.stringify(kit.counters()));
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    const [code] = await once(child, 'close');
    expect(code).toBe(0);
    expect(JSON.parse(output)).toMatchObject({ answered: 1, auditDelivered: 1, auditPending: 0, restrictionsHeld: 1 });
    await observer.stop();
  });
});
