import { createGatewayClient, type CallAttempt } from '../src/gateway/client.js';
import { RestrictionCache } from '../src/gateway/restriction-cache.js';
import { systemClock } from '../src/lib/clock.js';
import type { Restriction } from '../src/model/command.js';
import { FakeObserver, sse } from '../test/support/fake-observer.js';

/*
 * What the kit costs a gateway per call that needs no answer from the observer, with 10,000 restricted agents in
 * memory. Prints JSON. Run: npx tsc -p tsconfig.json && node dist/bench/gateway-kit.js
 */
const AGENTS = 10_000;
const LOOKUPS = 300_000;
const ROUNDS = 7;

const restrictions: Restriction[] = Array.from({ length: AGENTS }, (_, i) => ({
  tenant: 'default',
  agentId: `agent-${i}`,
  version: 1,
  revokedSessions: [{ sessionId: `s-${i}`, commandId: `c-${i}`, expiresAt: Date.now() + 3_600_000, reason: 'bench' }],
  frozenTools: [],
}));

const observer = await new FakeObserver().start();
observer.greeting = () => sse('state', { restrictions }, 1);
const kit = createGatewayClient({ url: observer.url, key: 'k', gatewayId: 'bench' });
await kit.subscribe();
const attempts = (session: (i: number) => string, effect: CallAttempt['effect'] & string): CallAttempt[] =>
  Array.from({ length: AGENTS }, (_, i) => ({
    time: 1,
    agentId: `agent-${i}`,
    sessionId: session(i),
    callId: `c${i}`,
    tool: 'pay',
    effect,
  }));
const restricted = attempts((i) => `s-${i}`, 'write');
const free = attempts((i) => `free-${i}`, 'read');
const strangers = free.map((a) => ({ ...a, agentId: `other-${a.agentId}` }));

function lookups(list: CallAttempt[]): number {
  const start = performance.now();
  for (let n = 0; n < LOOKUPS; n++) {
    const a = list[n % list.length];
    if (a !== undefined) kit.restrictionOn(a.agentId, a.sessionId, a.tool);
  }
  return (1000 * (performance.now() - start)) / LOOKUPS;
}

async function checks(list: CallAttempt[]): Promise<number> {
  const start = performance.now();
  for (let n = 0; n < LOOKUPS; n++) {
    const a = list[n % list.length];
    if (a !== undefined) await kit.check(a);
  }
  return (1000 * (performance.now() - start)) / LOOKUPS;
}

async function median(measure: () => number | Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let round = 0; round < ROUNDS; round++) values.push(await measure());
  return Number((values.sort((x, y) => x - y)[ROUNDS >> 1] ?? Number.NaN).toFixed(3));
}

/** Taking in a whole new state of all agents. */
function replaceAllMs(): number {
  const cache = new RestrictionCache({ capacity: 100_000, clock: systemClock });
  cache.replaceAll(restrictions, { older: false });
  const start = performance.now();
  cache.replaceAll(restrictions, { older: false });
  return performance.now() - start;
}

const figures = {
  agents: AGENTS,
  lookupRestrictedUs: await median(() => lookups(restricted)),
  lookupFreeUs: await median(() => lookups(free)),
  lookupStrangerUs: await median(() => lookups(strangers)),
  checkRestrictedUs: await median(() => checks(restricted)),
  checkFreeReadUs: await median(() => checks(free)),
  checkStrangerReadUs: await median(() => checks(strangers)),
  fullStateMs: await median(replaceAllMs),
};
process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
await kit.close(0);
await observer.stop();
