import type { DetectorDefinition } from './detector-schema.js';
import type { Finding, Prepared } from './kinds/kind.js';
import type { Measure } from './port.js';

/** A detector at work, with its counters. */
export class RunningDetector<S> {
  raised = 0;
  repeated = 0;
  failures = 0;
  lastError = '';
  disabled = false;

  constructor(
    readonly definition: DetectorDefinition,
    readonly prepared: Prepared<S>,
  ) {}

  /** Cheap look before the condition is asked: is it on, and does its measure say anything at all? */
  worthAsking(measures: ReadonlyMap<string, Measure>): boolean {
    if (this.disabled) return false;
    const { needs } = this.prepared;
    if (needs === undefined) return true;
    const nats = measures.get(needs.measure)?.nats ?? 0;
    return nats > 0 && nats >= needs.leastNats;
  }

  find(subject: S): Finding | undefined {
    return this.prepared.find(subject);
  }
}
