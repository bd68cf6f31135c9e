/**
 * Memory of scoring: bytes per additional active agent (12 tools, about 30 transitions and 40 targets known of it, and its last eight sessions) and
 * per additional open session, everything that scoring holds included. Prints one line of JSON.
 *
 *     node --expose-gc dist/bench/memory.js
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../src/lib/clock.js';
import type { WireObservation } from '../src/model/wire.js';
import { openTrial } from '../src/trial.js';
import { agentSession } from './support/traffic.js';

/** Agents known before measuring: what all share has its size by then. */
const WARM_UP = 50;
const ACTIVE = 150;
const SESSIONS_OF_AGENT = 8;
const OPEN = 1_000;
/** Observations of a session that is open. */
const HALF = 8;

const trial = openTrial({ startMs: systemClock.now() });
const startMs = systemClock.now() - 60 * 60_000;

async function feed(observations: WireObservation[]): Promise<void> {
  for (const stream of ['governance', 'reasoning', 'action', 'metric'] as const) {
    const own = observations.filter((one) => one.stream === stream);
    if (own.length > 0) await trial.feed(own);
  }
}

async function learnAgents(from: number, to: number): Promise<void> {
  for (let agent = from; agent < to; agent++) {
    await feed(
      Array.from({ length: SESSIONS_OF_AGENT }, (_, n) => agentSession(agent, n, startMs))
        .flat()
        .map(({ observation }) => observation),
    );
  }
  await trial.endSessions();
}

interface Use {
  heapBytes: number;
  residentBytes: number;
}

async function use(): Promise<Use> {
  await sleep(200);
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return { heapBytes: heapUsed + arrayBuffers, residentBytes: rss };
}

function per(count: number, before: Use, after: Use): Use {
  return {
    heapBytes: Math.round((after.heapBytes - before.heapBytes) / count),
    residentBytes: Math.round((after.residentBytes - before.residentBytes) / count),
  };
}

await trial.activate('learning', 'vouched');
await learnAgents(0, WARM_UP);
const start = await use();
await learnAgents(WARM_UP, WARM_UP + ACTIVE);
const active = await use();
for (let n = 0; n < OPEN; n++) {
  const session = agentSession(n % WARM_UP, 1_000 + n, startMs + 30 * 60_000);
  await feed(session.slice(0, HALF).map(({ observation }) => observation));
}
await trial.core.settled();
const open = await use();
const sessions = trial.core.join.stats().openSessions;
console.log(
  JSON.stringify({
    perActiveAgent: per(ACTIVE, start, active),
    perOpenSession: per(sessions, active, open),
    sessions,
    sessionEvents: HALF,
    baselines: trial.core.baselines.stats(),
  }),
);
await trial.close();
