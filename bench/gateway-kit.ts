import { join } from 'node:path';
import { createGatewayClient, type CallAttempt } from '../src/gateway/client.js';
import { PinnedKeys } from '../src/gateway/key-source.js';
import { MessageVerifier } from '../src/gateway/message-verifier.js';
import { RestrictionCache } from '../src/gateway/restriction-cache.js';
import { RestrictionFile } from '../src/gateway/restriction-file.js';
import { systemClock } from '../src/lib/clock.js';
import type { Restriction } from '../src/model/command.js';
import type { SigningAlgorithm } from '../src/model/signed-message.js';
import { oneEpoch } from '../src/signing/epoch.js';
import { JwsSigner } from '../src/signing/jws-signer.js';
import { KeyRing } from '../src/signing/key-ring.js';
import { FakeObserver, sse } from '../test/support/fake-observer.js';
import { temporaryDirectory } from '../test/support/temporary-directory.js';

/*
 * What the kit costs a gateway per call that needs no answer from the observer, with 10,000 restricted agents in
 * memory; and what signed messages cost the observer to sign and the kit to verify and keep. CPU time of the process (all
 * threads), so that other work on the machine counts little; `wall` figures are what passed. Prints JSON.
 * Run: npx tsc -p tsconfig.json && node dist/bench/gateway-kit.js
 */
const AGENTS = 10_000;
const LOOKUPS = 300_000;
const ROUNDS = 7;
const SIGNATURES = 500;

const restrictions: Restriction[] = Array.from({ length: AGENTS }, (_, i) => ({
  tenant: 'default',
  agentId: `agent-${i}`,
  version: 1,
  revokedSessions: [{ sessionId: `s-${i}`, commandId: `c-${i}`, expiresAt: Date.now() + 3_600_000, reason: 'bench' }],
  frozenTools: [],
}));

const observer = await new FakeObserver().start();
observer.greeting = () => sse('state', { restrictions }, 1);
const kit = createGatewayClient({ url: observer.url, key: 'k', gatewayId: 'gateway' });
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

/** CPU time of this process so far, microseconds. */
function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function lookups(list: CallAttempt[]): number {
  const start = cpuUs();
  for (let n = 0; n < LOOKUPS; n++) {
    const a = list[n % list.length];
    if (a !== undefined) kit.restrictionOn(a.agentId, a.sessionId, a.tool);
  }
  return (cpuUs() - start) / LOOKUPS;
}

async function checks(list: CallAttempt[]): Promise<number> {
  const start = cpuUs();
  for (let n = 0; n < LOOKUPS; n++) {
    const a = list[n % list.length];
    if (a !== undefined) await kit.check(a);
  }
  return (cpuUs() - start) / LOOKUPS;
}

async function median(measure: () => number | Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let round = 0; round < ROUNDS; round++) values.push(await measure());
  return Number((values.sort((x, y) => x - y)[ROUNDS >> 1] ?? Number.NaN).toFixed(3));
}

/** Taking in a whole new state of all agents. */
function replaceAllMs(): number {
  const cache = new RestrictionCache({ capacity: 100_000, clock: systemClock });
  cache.replaceAll(restrictions, { sequence: 1, wentBack: false });
  const start = cpuUs();
  cache.replaceAll(restrictions, { sequence: 2, wentBack: false });
  return (cpuUs() - start) / 1000;
}

const directory = temporaryDirectory();
const one = { kind: 'restriction', audience: 'gateway', sequence: 1, body: restrictions[0] } as const;
const all = { kind: 'state', audience: 'gateway', sequence: 1, body: { restrictions } } as const;

/** Signing and verifying with one algorithm, as the observer and the kit do it. */
async function signing(algorithm: SigningAlgorithm) {
  const file = join(directory.path, `${algorithm}.json`);
  const keys = await KeyRing.open({ file, algorithm, overlapMs: 1, clock: systemClock });
  const signer = new JwsSigner({
    keys,
    issuer: 'parallax',
    epochs: oneEpoch(1, 0),
    lifetimeMs: 3_600_000,
    clock: systemClock,
  });
  const pinned = new PinnedKeys(keys.published());
  const identity = { issuer: 'parallax', audience: 'gateway', skewMs: 1, clock: systemClock };
  const verifier = new MessageVerifier({ keys: pinned, ...identity });
  const verify = async (jws: string) => {
    if ('refusal' in (await verifier.verify(jws))) throw new Error('the bench signs what the kit refuses');
  };
  const [signedOne, signedAll] = [await signer.sign(one), await signer.sign(all)];
  return {
    signUs: await median(() => perCall(SIGNATURES, () => signer.sign(one))),
    verifyUs: await median(() => perCall(SIGNATURES, () => verify(signedOne))),
    signFullStateMs: await median(async () => (await perCall(1, () => signer.sign(all))) / 1000),
    verifyFullStateMs: await median(async () => (await perCall(1, () => verify(signedAll))) / 1000),
    messageBytes: signedOne.length,
    fullStateBytes: signedAll.length,
  };
}

/** CPU time of one call, microseconds. */
async function perCall(times: number, call: () => Promise<unknown>): Promise<number> {
  const start = cpuUs();
  for (let n = 0; n < times; n++) await call();
  return (cpuUs() - start) / times;
}

/** Writing the state of all agents to disk: the time that passes until it is durable. */
async function keepMs(): Promise<number> {
  const cache = new RestrictionCache({ capacity: 100_000, clock: systemClock });
  cache.replaceAll(restrictions, { sequence: 1, wentBack: false });
  const file = new RestrictionFile(join(directory.path, 'state.json'));
  const place = { issuer: 'parallax', gatewayId: 'gateway', epoch: 1, counter: 1, sequence: 1 };
  const start = performance.now();
  const cause = await file.save(() => ({ ...place, commands: cache.commands() }));
  if (cause !== undefined) throw new Error(cause);
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
  keepFullStateWallMs: await median(keepMs),
};
// Its acknowledgements of all that would be counted in with what waits.
await kit.close(0);
await observer.stop();
const signatures = { eddsa: await signing('EdDSA'), rs256: await signing('RS256') };
process.stdout.write(`${JSON.stringify({ ...figures, ...signatures }, undefined, 2)}\n`);
directory.remove();
