/**
 * What the baselines alone cost under the traffic of the pipeline bench, microseconds of CPU per event by step, with
 * a checkpoint every few hundred records, and how long the longest step held up everything else. Prints JSON.
 *
 *     node dist/bench/baseline-load.js [--events 30000] [--agents 500]
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadPrior } from '../src/baseline/prior.js';
import { BaselineRegistry } from '../src/baseline/registry.js';
import type { Observation } from '../src/model/observation.js';
import type { Window } from '../src/model/window.js';
import { nativeNormalizer } from '../src/normalize/native.js';
import { memoryStore } from '../test/support/memory-store.js';
import { repositoryRoot } from '../test/support/recorded.js';
import { agentSession, SESSION_EVENTS } from './support/traffic.js';

const { values: flags } = parseArgs({
  options: { events: { type: 'string', default: '30000' }, agents: { type: 'string', default: '500' } },
});
const EVENTS = Number(flags.events);
const AGENTS = Number(flags.agents);
/** Parts before anything is measured: an agent is known after ten sessions. */
const WARM_UP = 3;
const OPEN_AT_ONCE = 1_000;
const CHECKPOINT_EVENTS = 512;
const principal = { id: 'bench', role: 'ingest', tenant: 'bench', streams: new Set(), agents: ['*'] } as const;

const store = memoryStore();
const registry = new BaselineRegistry({
  seed: 1,
  budgets: { standard: 0.01, classes: new Map(), of: () => 0.01 },
  prior: loadPrior(join(repositoryRoot, 'baselines', 'prior.json')),
  limits: { maxAgents: 100_000, maxSessions: 100_000 },
  ...store,
});

function* observations(part: number): Generator<Observation> {
  const sessions = EVENTS / SESSION_EVENTS;
  let running: Observation[][] = [];
  let begun = 0;
  while (begun < sessions || running.length > 0) {
    for (; running.length < OPEN_AT_ONCE && begun < sessions; begun++) {
      const n = part * sessions + begun;
      running.push(observationsOf((n * 617) % AGENTS, Math.floor(n / AGENTS)));
    }
    for (const session of running) {
      const next = session.shift();
      if (next !== undefined) yield next;
    }
    running = running.filter((session) => session.length > 0);
  }
}

function observationsOf(agent: number, n: number): Observation[] {
  return agentSession(agent, n, 1_700_000_000_000).flatMap(({ observation }) =>
    nativeNormalizer
      .normalize(observation, { principal: { ...principal, streams: new Set() }, observedAt: 1, seed: 1 })
      .map((made) => {
        if (!made.ok) throw new Error(made.reason);
        // As it comes back from the log.
        return JSON.parse(JSON.stringify(made.observation)) as Observation;
      }),
  );
}

const steps = { assess: 0, apply: 0, close: 0, window: 0, checkpoint: 0 };
const longestMs = { assess: 0, apply: 0, close: 0, window: 0, checkpoint: 0 };
let storedBytes = 0;
let puts = 0;
function timed<T>(step: keyof typeof steps, work: () => T): T {
  const start = performance.now();
  const result = work();
  const tookMs = performance.now() - start;
  steps[step] += tookMs;
  longestMs[step] = Math.max(longestMs[step], tookMs);
  return result;
}

function windowOf({ tenant, agentId, sessionId = '', time }: Observation): Window {
  const counts = { prompts: 1, messages: 3, declared: 3, calls: 3, writes: 1, denied: 0, errors: 0, governance: 1 };
  return {
    id: sessionId,
    tenant,
    agentId,
    sessionId,
    start: time - 60_000,
    end: time,
    revision: 0,
    streams: { reasoning: 'present', action: 'present', governance: 'present', metric: 'present' },
    counts: { ...counts, metrics: 2, tokens: 1_000, late: 0 },
    declaredNotAttempted: [],
    attemptedNotDeclared: [],
    emitters: [],
    evidenceIds: [],
  };
}

function run(all: readonly Observation[]): { checksum: number } {
  let checksum = 0;
  let at = 0;
  for (const observation of all) {
    const assessment = timed('assess', () => registry.assess(observation));
    for (const { nats } of assessment.terms) checksum += nats;
    const { tenant, agentId } = observation;
    checksum += Math.min(99, registry.threshold(tenant, agentId).nats);
    timed('apply', () => registry.apply(observation));
    if (observation.kind === 'session_summary') {
      const window = windowOf(observation);
      timed('window', () => registry.callRate(window));
      timed('window', () => registry.learnWindow(window));
      timed('close', () => registry.closeSession(observation, 'learn'));
    }
    if (++at % CHECKPOINT_EVENTS === 0) {
      timed('checkpoint', () => {
        store.commit({
          drain: (to, deletes) => {
            registry.drain(to, deletes);
            puts += to.length;
            for (const { value } of to) storedBytes += value.length;
          },
        });
      });
    }
  }
  return { checksum };
}

for (let part = 0; part < WARM_UP; part++) run([...observations(part)]);
for (const step of Object.keys(steps) as (keyof typeof steps)[]) steps[step] = longestMs[step] = 0;
[storedBytes, puts] = [0, 0];
const measured = [...observations(WARM_UP)];
const before = process.cpuUsage();
const { checksum } = run(measured);
const { user, system } = process.cpuUsage(before);
// On a busy machine every step takes longer than its CPU; the collector's threads count with the step they clean up after.
const cpuShare = (user + system) / 1_000 / Object.values(steps).reduce((sum, ms) => sum + ms, 0);
const us = (ms: number): number => Math.round((10_000 * ms) / measured.length) / 10;
console.log(
  JSON.stringify({
    events: measured.length,
    agents: AGENTS,
    usPerEvent: {
      ...Object.fromEntries(Object.entries(steps).map(([step, ms]) => [step, us(cpuShare * ms)])),
      all: us((user + system) / 1_000),
    },
    longestMs: Object.fromEntries(Object.entries(longestMs).map(([step, ms]) => [step, Math.round(10 * ms) / 10])),
    checkpointBytesPerEvent: Math.round(storedBytes / measured.length),
    checkpointPutsPerEvent: Math.round((100 * puts) / measured.length) / 100,
    checksum: Math.round(checksum * 1e6) / 1e6,
  }),
);
