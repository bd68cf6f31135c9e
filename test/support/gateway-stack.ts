import { once } from 'node:events';
import { createAdaptorServer } from '@hono/node-server';
import { createGatewayClient, type GatewayClient, type GatewayClientOptions } from '../../src/gateway/client.js';
import { ReferenceGateway, type ReferenceGatewayOptions } from '../../src/gateway/reference/gateway.js';
import { gatewayServer } from '../../src/gateway/reference/server.js';
import { recordedTools, type RecordedOutcome } from '../../src/gateway/reference/tools.js';
import { systemClock } from '../../src/lib/clock.js';

export const CALLER_KEY = 'caller-key';
export const APPROVER_KEY = 'approver-key';

export interface GatewayStack {
  url: string;
  kit: GatewayClient;
  gateway: ReferenceGateway;
  stop(): Promise<void>;
}

/** The reference gateway over real HTTP, in this process, against an observer. */
export async function startGateway(
  observerUrl: string,
  outcomes: Iterable<RecordedOutcome>,
  options: Partial<ReferenceGatewayOptions> & { client?: Partial<GatewayClientOptions> } = {},
): Promise<GatewayStack> {
  const { client, ...rest } = options;
  const kit = createGatewayClient({
    url: observerUrl,
    key: 'gateway-key',
    gatewayId: 'gateway',
    deadlineMs: 5_000,
    limits: { retryBaseMs: 5, retryMaxMs: 20 },
    ...client,
  });
  const gateway = new ReferenceGateway({
    kit,
    tools: recordedTools(outcomes),
    enforce: 'hold',
    holdMs: 0,
    trustCaller: true,
    auditWaitMs: 10_000,
    instanceId: 'test',
    clock: systemClock,
    elapsedMs: () => performance.now(),
    ...rest,
  });
  if (rest.enforce !== 'none') await kit.subscribe();
  const app = gatewayServer({
    gateway,
    callerKey: CALLER_KEY,
    approverKey: APPROVER_KEY,
    counters: () => ({ ...kit.counters() }),
  });
  const server = createAdaptorServer({ fetch: app.fetch });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the gateway has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    kit,
    gateway,
    stop: async () => {
      gateway.holds.close();
      await kit.close(0);
      server.close();
      if ('closeAllConnections' in server) server.closeAllConnections();
    },
  };
}
