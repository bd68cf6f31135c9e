import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { createAdaptorServer } from '@hono/node-server';
import { systemClock } from '../../lib/clock.js';
import { createGatewayClient } from '../client.js';
import { ReferenceGateway } from './gateway.js';
import { gatewayServer } from './server.js';
import { readKey, readSettings } from './settings.js';
import { readOutcomes, recordedTools } from './tools.js';

/** The reference gateway as a process: `node main.js --config settings.json`. Prints one JSON line when it listens. */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  if (values.config === undefined) throw new Error('give --config settings.json');
  const settings = readSettings(values.config);
  const say = (line: Record<string, unknown>): void => {
    process.stdout.write(`${JSON.stringify(line)}\n`);
  };
  const kit = createGatewayClient({
    url: settings.observerUrl,
    key: readKey(settings.observerKeyFile),
    gatewayId: settings.gatewayId,
    silentAfterMs: settings.silentAfterMs,
    ...(settings.issuer === undefined ? {} : { issuer: settings.issuer }),
    ...(settings.stateFile === undefined ? {} : { stateFile: settings.stateFile }),
    deadlineMs: settings.deadlineMs,
    posture: Object.fromEntries(Object.entries(settings.posture)),
    onEvent: ({ type, ...event }) => process.stderr.write(`${JSON.stringify({ event: type, ...event })}\n`),
  });
  const outcomes = settings.outcomesFile === undefined ? [] : await readOutcomes(settings.outcomesFile);
  const gateway = new ReferenceGateway({
    kit,
    tools: recordedTools(outcomes),
    enforce: settings.enforce,
    holdMs: settings.holdMs,
    trustCaller: settings.trustCaller,
    auditWaitMs: settings.auditWaitMs,
    instanceId: randomUUID(),
    clock: systemClock,
    elapsedMs: () => performance.now(),
  });
  if (settings.enforce !== 'none') {
    const late = new Promise<boolean>((resolve) => setTimeout(resolve, settings.startWaitMs, false).unref());
    const inForce = await Promise.race([kit.subscribe(), late]);
    if (!inForce) process.stderr.write(`${JSON.stringify({ event: 'started-without-state' })}\n`);
  }
  const app = gatewayServer({
    gateway,
    callerKey: readKey(settings.callerKeyFile),
    approverKey: settings.approverKeyFile === undefined ? undefined : readKey(settings.approverKeyFile),
    counters: () => ({ ...kit.counters() }),
  });
  const server = createAdaptorServer({ fetch: app.fetch });
  server.listen(settings.port, settings.host);
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : settings.port;
  const stopped = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  say({ event: 'listening', url: `http://${settings.host}:${port}` });
  await stopped;
  gateway.holds.close();
  server.close();
  await kit.close();
  if ('closeAllConnections' in server) server.closeAllConnections();
}

try {
  await main();
} catch (fault) {
  process.stderr.write(`reference gateway: ${fault instanceof Error ? fault.message : String(fault)}\n`);
  process.exitCode = 1;
}
