import type { ConditionGuards } from '../condition-guards.js';
import type { ConditionLanguage } from '../condition.js';
import type { DetectorDefinition } from '../detector-schema.js';
import type { Measure } from '../port.js';

/** What one detector found: the part of a signal that depends on the detector. */
export interface Finding {
  /** Nats, above 0 unless `violation`. */
  nats: number;
  /** In (0, 1]. */
  pValue: number;
  sampleSize: number;
  violation: boolean;
  observed: string;
  expected: string;
  reason: string;
}

/** What both lanes hand to a detector. */
export interface Measured {
  measures: ReadonlyMap<string, Measure>;
}

/** A detector ready to run in one lane. */
export interface Prepared<S> {
  guards: ConditionGuards;
  /** A measure that must exceed `leastNats` before asking makes sense. */
  needs: { measure: string; leastNats: number } | undefined;
  find(subject: S): Finding | undefined;
  /** Steps that must have been taken before in the session, in order. */
  sequence?: { steps: readonly ((subject: S) => boolean)[]; withinMs: number };
}

/** Where a definition is wrong, for the loader to report. */
export type Report = (path: string, problem: string) => void;

/** A way of running definitions. Another kind is another file here and one line in the loader's table. */
export interface DetectorKind {
  /** @returns undefined when problems were reported */
  prepare<S extends Measured>(
    definition: DetectorDefinition,
    language: ConditionLanguage<S>,
    report: Report,
  ): Prepared<S> | undefined;
}
