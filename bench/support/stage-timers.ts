import { performance, PerformanceObserver } from 'node:perf_hooks';
import { PublishedVersions } from '../../src/baseline/published-versions.js';
import { BaselineRegistry } from '../../src/baseline/registry.js';
import { Thresholds } from '../../src/baseline/thresholds.js';
import { Correlator } from '../../src/correlate/correlator.js';
import { IndexedDetectorRunner } from '../../src/detect/runner.js';
import { EventTimeJoin } from '../../src/join/event-time-join.js';
import { LatePut } from '../../src/lib/late-put.js';
import { EmbeddedEnvironment } from '../../src/log/embedded-environment.js';
import { EmbeddedLog } from '../../src/log/embedded-log.js';
import { EmbeddedScoringStore } from '../../src/log/embedded-scoring-store.js';
import { nativeNormalizer } from '../../src/normalize/native.js';
import { Responder } from '../../src/respond/responder.js';

/*
 * Accumulating timers around the methods of the real parts. They measure wall time of code that does not wait, which a
 * busy machine lengthens; `activeMs` is the wall time in which the thread had work, so that the two can be compared
 * with the CPU that the thread got.
 */

export type StageTimes = Record<string, { ms: number; calls: number }>;

const stages: StageTimes = {};
/** Time of stages that ran inside the one that is running, ms. */
let innerMs = 0;
let scoringReadAt = 0;

/** Running totals. */
export interface StageReading {
  stages: StageTimes;
  /** Collecting garbage on the main thread, inside the stages and between them. */
  gcMs: number;
  activeMs: number;
}

export function readStages(): StageReading {
  return { stages: structuredClone(stages), gcMs: collectingMs, activeMs: performance.eventLoopUtilization().active };
}

let collectingMs = 0;

/** Puts timers around the parts; to be called once, before any of them is made. */
export function installStageTimers(): void {
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) collectingMs += duration;
  });
  observer.observe({ entryTypes: ['gc'] });

  time(nativeNormalizer, 'normalize', 'normalise');
  time(EmbeddedLog.prototype, 'append', 'append');
  time(BaselineRegistry.prototype, 'assess', 'assess');
  time(BaselineRegistry.prototype, 'apply', 'apply');
  time(BaselineRegistry.prototype, 'closeSession', 'learn');
  time(Thresholds.prototype, 'calibrate', 'calibrate');
  time(BaselineRegistry.prototype, 'learnWindow', 'learn');
  time(BaselineRegistry.prototype, 'callRate', 'learn');
  time(PublishedVersions.prototype, 'publish', 'publish');
  time(IndexedDetectorRunner.prototype, 'event', 'detectors');
  time(IndexedDetectorRunner.prototype, 'window', 'detectors');
  time(Correlator.prototype, 'observe', 'correlate');
  for (const method of ['onIncident', 'onCall', 'onTime', 'restrictionOn']) {
    time(Responder.prototype, method, 'correlate');
  }
  time(EventTimeJoin.prototype, 'push', 'join');
  time(EventTimeJoin.prototype, 'drainChanges', 'checkpoint: join');
  time(BaselineRegistry.prototype, 'drain', 'checkpoint: baselines');
  time(Correlator.prototype, 'drain', 'checkpoint: rest');
  time(Responder.prototype, 'drain', 'checkpoint: rest');
  // Entries are encoded between slices of scoring, or just before they change.
  time(LatePut.prototype, 'fix', 'checkpoint: encode');
  time(EmbeddedScoringStore.prototype, 'commitEffects', 'outbox');

  // Between reading the log and pushing into the join lies decoding, and nothing else.
  after(EmbeddedLog.prototype, 'read', () => (scoringReadAt = performance.now()));
  before(EventTimeJoin.prototype, 'push', () => add('decode', performance.now() - scoringReadAt));
  timePuts();
}

function timePuts(): void {
  const seen = new WeakSet<object>();
  const submit: unknown = Reflect.get(EmbeddedEnvironment.prototype, 'submit');
  if (typeof submit !== 'function') throw new TypeError('submit is no method');
  Reflect.set(EmbeddedEnvironment.prototype, 'submit', function (this: EmbeddedEnvironment, job: object): unknown {
    if (!seen.has(this)) {
      seen.add(this);
      time(this.segments, 'put', 'append');
      time(this.state, 'put', 'checkpoint: commit');
      time(this.state, 'remove', 'checkpoint: commit');
      time(this.staged, 'put', 'checkpoint: commit');
      time(this.outbox, 'put', 'outbox');
    }
    time(job, 'fill', 'append');
    return Reflect.apply(submit, this, [job]);
  });
}

function time(owner: object, method: string, stage: string): void {
  wrap(owner, method, (run) => {
    const outerMs = innerMs;
    innerMs = 0;
    const start = performance.now();
    try {
      return run();
    } finally {
      const tookMs = performance.now() - start;
      add(stage, tookMs - innerMs);
      innerMs = outerMs + tookMs;
    }
  });
}

function after(owner: object, method: string, then: () => void): void {
  wrap(owner, method, (run) => {
    const result = run();
    then();
    return result;
  });
}

function before(owner: object, method: string, first: () => void): void {
  wrap(owner, method, (run) => {
    first();
    return run();
  });
}

function wrap(owner: object, method: string, around: (run: () => unknown) => unknown): void {
  const original: unknown = Reflect.get(owner, method);
  if (typeof original !== 'function') throw new TypeError(`${method} is no method; was it renamed?`);
  Reflect.set(owner, method, function (this: unknown, ...args: unknown[]): unknown {
    return around(() => Reflect.apply(original, this, args));
  });
}

function add(stage: string, ms: number): void {
  const held = (stages[stage] ??= { ms: 0, calls: 0 });
  held.ms += ms;
  held.calls++;
}
