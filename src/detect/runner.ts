import { stableId } from '../lib/hash.js';
import type { Severity } from '../model/incident.js';
import type { Observation } from '../model/observation.js';
import type { Signal } from '../model/signal.js';
import type { Window } from '../model/window.js';
import { DetectorIndex } from './detector-index.js';
import type { DetectorDefinition, Lane } from './detector-schema.js';
import { DetectorMemory } from './detector-memory.js';
import { inertText } from './inert-text.js';
import type { Finding, Prepared } from './kinds/kind.js';
import { advance } from './kinds/sequence.js';
import type { DetectorSet } from './loader.js';
import type { Assessment, DetectorRunner, FinishedSubject, Measure, WindowMeasures } from './port.js';
import { RunningDetector } from './running-detector.js';
import type { WindowSubject } from './vocabulary.js';

/** Failures after which a detector is switched off until the next set. */
const MAX_FAILURES = 5;
/** Most evidence ids a signal carries. */
const MAX_EVIDENCE = 64;
const NO_MEASURES: ReadonlyMap<string, Measure> = new Map();

/** How one detector is doing, for `/v1/status` and the telemetry. */
export interface DetectorStatus {
  id: string;
  title: string;
  lane: Lane;
  severity: Severity;
  state: 'active' | 'shadow' | 'disabled';
  /** Signals raised. */
  raised: number;
  /** Found again within its cooldown, and therefore quiet. */
  repeated: number;
  failures: number;
  /** Bounded and inert; empty when it never failed. */
  lastError: string;
}

export interface RunnerOptions {
  set: DetectorSet;
  /** What detectors remember; hand in one that is drained and restored to keep it across restarts. */
  memory?: DetectorMemory;
  maxFailures?: number;
  /** Told of each failure, for the log. */
  onFailure?: (detectorId: string, error: unknown, disabled: boolean) => void;
}

/** What a finding is about. */
interface Cause {
  tenant: string;
  agentId: string;
  sessionId: string | undefined;
  /** Observation or window. */
  id: string;
  /** What `cooldown: call` and `cooldown: window` count as the same. */
  unit: string;
}

/**
 * Runs a set of detectors. Deterministic: the same assessments in the same order give the same signals with the same
 * ids; no clock, no randomness. A detector that throws is isolated, counted and, after repeated failures, disabled.
 */
export class IndexedDetectorRunner implements DetectorRunner {
  readonly #memory: DetectorMemory;
  readonly #options: RunnerOptions;
  readonly #maxFailures: number;
  #events = new DetectorIndex<Assessment>([]);
  #windows: RunningDetector<WindowSubject>[] = [];
  #sessions: RunningDetector<FinishedSubject>[] = [];
  #sequences: readonly RunningDetector<Assessment>[] = [];
  #hash = '';

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#maxFailures = options.maxFailures ?? MAX_FAILURES;
    this.#memory = options.memory ?? new DetectorMemory();
    this.#run(options.set);
  }

  /** Content hash of the set at work. */
  get hash(): string {
    return this.#hash;
  }

  /**
   * Puts another set to work, from the next observation on. What has fired stays quiet; failures are forgiven. The set
   * that is active already goes on as if nothing had been said: who starts again before the first checkpoint asks for it
   * once more, and what sequences have begun must not end by that.
   */
  adopt(set: DetectorSet): void {
    const isActive = set.hash === this.#memory.activeHash;
    if (isActive && set.hash === this.#hash) return;
    if (!isActive) this.#memory.activate(set.hash);
    this.#run(set);
  }

  event(assessment: Assessment): Signal[] {
    const { observation, measures } = assessment;
    const signals: Signal[] = [];
    for (const detector of this.#events.candidates(observation.kind, toolOf(observation))) {
      if (!detector.worthAsking(measures)) continue;
      if (detector.prepared.sequence !== undefined && !this.#follow(detector, assessment)) continue;
      const finding = this.#ask(detector, (subject) => detector.find(subject), assessment);
      if (finding === undefined) continue;
      const cause = causeOf(observation);
      if (this.#silenced(detector, cause, finding)) continue;
      signals.push(eventSignal(detector.definition, assessment, cause, finding));
    }
    return signals;
  }

  window(window: Window, measured?: WindowMeasures): Signal[] {
    const subject: WindowSubject = { window, measures: measured?.measures ?? NO_MEASURES };
    const cause: Cause = {
      tenant: window.tenant,
      agentId: window.agentId,
      sessionId: window.sessionId,
      id: window.id,
      unit: window.id,
    };
    const signals: Signal[] = [];
    for (const detector of this.#windows) {
      if (!detector.worthAsking(subject.measures)) continue;
      const finding = this.#ask(detector, (asked) => detector.find(asked), subject);
      if (finding === undefined || this.#silenced(detector, cause, finding)) continue;
      signals.push(windowSignal(detector.definition, window, cause, finding, measured?.baselineVersion ?? 0));
    }
    return signals;
  }

  session(finished: FinishedSubject): Signal[] {
    const { tenant, agentId, sessionId = '', firstTime, lastTime } = finished;
    const id = stableId('closed', tenant, agentId, sessionId, firstTime, lastTime);
    const cause: Cause = { tenant, agentId, sessionId: undefined, id, unit: id };
    const signals: Signal[] = [];
    for (const detector of this.#sessions) {
      if (!detector.worthAsking(finished.measures)) continue;
      const finding = this.#ask(detector, (asked) => detector.find(asked), finished);
      if (finding === undefined || this.#silenced(detector, cause, finding)) continue;
      signals.push({
        ...common(detector.definition, cause, finding),
        time: lastTime,
        emitters: finished.emitters,
        baselineVersion: finished.baselineVersion,
        evidenceIds: [],
      });
    }
    return signals;
  }

  /** The session is over: nothing in it can be continued. */
  sessionClosed(session: { tenant: string; agentId: string; sessionId?: string }): void {
    for (const { definition } of this.#sequences) this.#memory.sequences.delete(progressKey(definition.id, session));
  }

  /** By id. */
  status(): DetectorStatus[] {
    const all = [...this.#events.detectors, ...this.#windows, ...this.#sessions].map((detector): DetectorStatus => ({
      id: detector.definition.id,
      title: detector.definition.title,
      lane: detector.definition.lane,
      severity: detector.definition.severity,
      state: detector.disabled ? 'disabled' : detector.definition.shadow ? 'shadow' : 'active',
      raised: detector.raised,
      repeated: detector.repeated,
      failures: detector.failures,
      lastError: detector.lastError,
    }));
    return all.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #run({ detectors, hash }: DetectorSet): void {
    this.#events = new DetectorIndex(
      detectors.flatMap((one) => (one.lane === 'event' ? [this.#running(one.definition, one.prepared)] : [])),
    );
    this.#windows = detectors.flatMap((one) =>
      one.lane === 'window' ? [this.#running(one.definition, one.prepared)] : [],
    );
    this.#sessions = detectors.flatMap((one) =>
      one.lane === 'session' ? [this.#running(one.definition, one.prepared)] : [],
    );
    this.#sequences = this.#events.detectors.filter(({ prepared }) => prepared.sequence !== undefined);
    this.#hash = hash;
  }

  #running<S>(definition: DetectorDefinition, prepared: Prepared<S>): RunningDetector<S> {
    const detector = new RunningDetector(definition, prepared);
    const failed = this.#memory.failure(definition.id);
    if (failed !== undefined) {
      detector.failures = failed.failures;
      detector.lastError = failed.lastError;
      detector.disabled = failed.failures >= this.#maxFailures;
    }
    return detector;
  }

  /** Takes the steps that this observation completes. @returns whether it may be the last one */
  #follow(detector: RunningDetector<Assessment>, assessment: Assessment): boolean {
    const { sequence } = detector.prepared;
    if (sequence === undefined) return true;
    const { sequences } = this.#memory;
    const key = progressKey(detector.definition.id, assessment.observation);
    const holds = (step: number) =>
      this.#ask(detector, (subject) => sequence.steps[step]?.(subject), assessment) === true;
    const { isComplete, starts } = advance(sequences.starts(key), {
      holds,
      count: sequence.steps.length,
      time: assessment.observation.time,
      withinMs: sequence.withinMs,
    });
    if (starts !== undefined) sequences.set(key, starts);
    return isComplete;
  }

  #ask<S, R>(detector: RunningDetector<S>, ask: (subject: S) => R, subject: S): R | undefined {
    try {
      return ask(subject);
    } catch (error) {
      const { id } = detector.definition;
      detector.failures++;
      detector.lastError = inertText(error instanceof Error ? error.message : String(error), 200);
      detector.disabled = detector.failures >= this.#maxFailures;
      this.#memory.noteFailure({ id, failures: detector.failures, lastError: detector.lastError });
      this.#options.onFailure?.(id, error, detector.disabled);
      return undefined;
    }
  }

  #silenced(
    detector: { definition: DetectorDefinition; raised: number; repeated: number },
    cause: Cause,
    finding: Finding,
  ): boolean {
    const { id, cooldown } = detector.definition;
    // Without a session, "once per session" would mean once for ever.
    const isPerSession = cooldown === 'session' && cause.sessionId !== undefined;
    const scope = isPerSession ? '' : cause.unit;
    const key = stableId('fired', id, cause.tenant, cause.agentId, cause.sessionId ?? '', scope);
    const { fired } = this.#memory;
    const isNews = isPerSession ? fired.firstOrStronger(key, finding.nats) : fired.first(key, finding.nats);
    if (!isNews) {
      detector.repeated++;
      return true;
    }
    detector.raised++;
    return false;
  }
}

function progressKey(detectorId: string, of: { tenant: string; agentId: string; sessionId?: string }): string {
  return JSON.stringify([detectorId, of.tenant, of.agentId, of.sessionId ?? '']);
}

function toolOf(observation: Observation): string {
  return 'tool' in observation ? (observation.tool ?? '') : '';
}

/**
 * An attempt and its audit record are one call: the second to come stays quiet. Ids of calls often come from the model,
 * so tool and targets belong to it as well: an id used again for something else buys no silence.
 */
function unitOf(observation: Observation): string {
  const { callId } = observation;
  if (callId === undefined) return observation.id;
  const targets = 'targets' in observation ? observation.targets.map(({ hash }) => hash) : [];
  return JSON.stringify([callId, toolOf(observation), targets]);
}

function causeOf(observation: Observation): Cause {
  return {
    tenant: observation.tenant,
    agentId: observation.agentId,
    sessionId: observation.sessionId,
    id: observation.id,
    unit: unitOf(observation),
  };
}

function eventSignal(definition: DetectorDefinition, assessment: Assessment, cause: Cause, finding: Finding): Signal {
  const { observation } = assessment;
  const tool = toolOf(observation);
  return {
    ...common(definition, cause, finding),
    ...(observation.seq === undefined ? {} : { seq: observation.seq }),
    ...(observation.callId === undefined ? {} : { callId: observation.callId }),
    ...(tool === '' ? {} : { tool }),
    time: observation.time,
    emitters: assessment.emitters,
    baselineVersion: assessment.baselineVersion,
    evidenceIds: assessment.evidenceIds.slice(0, MAX_EVIDENCE),
  };
}

function windowSignal(
  definition: DetectorDefinition,
  window: Window,
  cause: Cause,
  finding: Finding,
  baselineVersion: number,
): Signal {
  return {
    ...common(definition, cause, finding),
    time: window.end,
    emitters: window.emitters,
    baselineVersion,
    evidenceIds: window.evidenceIds.slice(0, MAX_EVIDENCE),
  };
}

function common(definition: DetectorDefinition, cause: Cause, finding: Finding) {
  return {
    id: stableId('sig', definition.id, cause.tenant, cause.agentId, cause.sessionId ?? '', cause.id),
    detectorId: definition.id,
    tenant: cause.tenant,
    agentId: cause.agentId,
    ...(cause.sessionId === undefined ? {} : { sessionId: cause.sessionId }),
    causeId: cause.id,
    streams: [...definition.streams],
    ingredient: definition.evidence.ingredient ?? false,
    shadow: definition.shadow,
    tags: [...definition.tags],
    ...finding,
  };
}
