/**
 * Cost of the baselines on recorded sessions: microseconds per observation for assess and apply (DEV against a
 * baseline of TRAIN), per closed session, per calibration; stored and heap bytes per agent and per open session.
 *
 *     PARALLAX_DATA=... node --expose-gc dist/bench/baseline.js
 */
import { join } from 'node:path';
import { loadPrior } from '../src/baseline/prior.js';
import { BaselineRegistry } from '../src/baseline/registry.js';
import { memoryStore } from '../test/support/memory-store.js';
import { recordedData, recordedDataMissing, repositoryRoot } from '../test/support/recorded.js';
import { RECORDED_SETS, recordedSessions } from '../test/support/recorded-observations.js';

const SEED = 1;
const TENANT = 'recorded';
const PASSES = 5;
const OPEN_COPIES = 4;

if (recordedData === undefined) throw new Error(recordedDataMissing);
const data = recordedData;
const train = RECORDED_SETS.flatMap((set) => recordedSessions(data, set, 'train', SEED));
const dev = RECORDED_SETS.flatMap((set) => recordedSessions(data, set, 'dev', SEED));
const observations = dev.reduce((sum, session) => sum + session.observations.length, 0);
const calls = dev.reduce(
  (sum, session) => sum + session.observations.filter(({ kind }) => kind === 'tool_call').length,
  0,
);
const store = memoryStore();
const registry = new BaselineRegistry({
  seed: SEED,
  budgets: { standard: 0.01, classes: new Map(), of: () => 0.01 },
  prior: loadPrior(join(repositoryRoot, 'baselines', 'prior.json')),
  limits: { maxAgents: 1_000, maxSessions: 100_000 },
  ...store,
});

const heap = (): number => {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
};
const bytesUnder = (prefix: string): { entries: number; bytes: number } => {
  let entries = 0;
  let bytes = 0;
  for (const { value } of store.entries(prefix)) {
    entries++;
    bytes += value.length;
  }
  return { entries, bytes };
};
const timed = (work: () => void): number => {
  const start = performance.now();
  work();
  return performance.now() - start;
};
const middle = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const heapBefore = heap();
registry.setLearning(TENANT, 'vouched');
let calibrating = 0;
let runs = 0;
const learningMs = timed(() => {
  for (const session of train) {
    for (const observation of session.observations) registry.apply(observation);
    const start = performance.now();
    const { calibrated } = registry.closeSession({ tenant: TENANT, ...session }, 'learn');
    if (!calibrated) continue;
    calibrating += performance.now() - start;
    runs++;
  }
});
const calibrateMs = middle(Array.from({ length: 3 }, () => timed(() => registry.calibrate(TENANT))));
registry.setLearning(TENANT, 'frozen');
const drainMs = timed(() => store.commit(registry));
const learnedHeap = heap() - heapBefore;

const perPass = { both: [] as number[], apply: [] as number[], drain: [] as number[] };
for (let pass = 0; pass < PASSES; pass++) {
  for (const name of ['apply', 'both'] as const) {
    perPass[name].push(
      timed(() => {
        for (const session of dev) {
          for (const observation of session.observations) {
            if (name === 'both') registry.assess(observation);
            registry.apply(observation);
          }
          registry.closeSession({ tenant: TENANT, ...session }, 'discard');
        }
      }),
    );
  }
}

const heapClosed = heap();
let open = 0;
for (let copy = 0; copy < OPEN_COPIES; copy++) {
  for (const session of dev) {
    open++;
    const sessionId = `${session.sessionId}-${copy}`;
    for (const observation of session.observations) registry.apply({ ...observation, sessionId });
  }
}
const openHeap = heap() - heapClosed;
const drainOpenMs = timed(() => store.commit(registry));
const agents = bytesUnder('agent/');
const sessions = bytesUnder('session/');
const history = bytesUnder('history/');
const us = (ms: number, n: number): number => Math.round((100_000 * ms) / n) / 100;
const report = {
  observations,
  calls,
  usPerObservation: {
    assessAndApply: us(middle(perPass.both), observations),
    apply: us(middle(perPass.apply), observations),
  },
  usPerCallToAssess: us(middle(perPass.both) - middle(perPass.apply), calls),
  usPerLearnedSession: us(learningMs - calibrating, train.length),
  calibrate: { sessions: Math.min(1_500, train.length), ms: Math.round(calibrateMs), runsWhileLearning: runs },
  learned: { agents: agents.entries, sessions: train.length, heapMegabytes: Math.round(learnedHeap / 1e5) / 10 },
  storedBytesPerAgent: Math.round(agents.bytes / agents.entries),
  storedBytesOfPool: bytesUnder('pool/').bytes,
  storedBytesPerPastSession: Math.round(history.bytes / history.entries),
  openSession: {
    heapBytes: Math.round(openHeap / open),
    storedBytes: Math.round(sessions.bytes / sessions.entries),
    usToStore: us(drainOpenMs, open),
  },
  drainAfterLearningMs: Math.round(drainMs),
};
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
