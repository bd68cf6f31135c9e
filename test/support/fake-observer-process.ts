import { readFileSync } from 'node:fs';
import { FakeObserver, sse } from './fake-observer.js';

/*
 * The fake observer as a process that starts like the real one: `serve --config FILE`. Denies payments to EVIL, and
 * says at the end what it took in.
 */
const config: unknown = JSON.parse(readFileSync(process.argv[process.argv.indexOf('--config') + 1] ?? '', 'utf8'));
const observer = await new FakeObserver({
  decide: ({ args, sessionId }) =>
    args?.['iban'] === 'EVIL' ? { decision: 'deny', wouldBe: 'deny', incidentId: `inc-${sessionId}` } : {},
}).start();
observer.greeting = () => sse('state', { restrictions: [] }, 0);
process.stdout.write('an odd line first\n');
process.stdout.write(`${JSON.stringify({ event: 'listening', url: observer.url })}\n`);
process.on('SIGTERM', () => {
  const byKey = new Map<string, Set<unknown>>();
  for (const { key, record } of observer.received) byKey.set(key, (byKey.get(key) ?? new Set()).add(record['stream']));
  const streamsPerKey = [...byKey.values()].map((streams) => [...streams]);
  process.stdout.write(
    `${JSON.stringify({ config, records: observer.received.length, refused: observer.refused, orders: observer.orders, streamsPerKey })}\n`,
    () => process.exit(0),
  );
});
