import { ConditionError } from '../condition.js';
import type { Condition, ConditionLanguage } from '../condition.js';
import type { DetectorDefinition } from '../detector-schema.js';
import { inertText } from '../inert-text.js';
import { didYouMean } from '../../lib/nearest-name.js';
import { parseTemplate, TemplateError } from '../reason-template.js';
import type { FindingWords, ReasonTemplate } from '../reason-template.js';
import type { DetectorKind, Finding, Measured, Report } from './kind.js';

const MAX_OBSERVED_CHARS = 200;

/**
 * The main kind: a condition, and evidence that is a measured surprise, a fixed number, or a broken rule.
 *
 * A detector whose evidence is a measure is not even asked while that measure says 0: nothing surprising, no signal.
 */
export const measureKind: DetectorKind = {
  prepare(definition, language, report) {
    const condition = compiled(definition, language, report);
    const reason = template(definition.reason, 'reason', language, report);
    const observed = template(definition.observed ?? '', 'observed', language, report);
    const expected = template(definition.expected ?? '', 'expected', language, report);
    const { measure } = definition.evidence;
    if (measure !== undefined && language.reader(`measure.${measure}`) === undefined) {
      const prefix = 'measure.';
      const known = language.variables.map(({ name }) => name).filter((name) => name.startsWith(prefix));
      const names = known.map((name) => name.slice(prefix.length));
      report(
        'evidence.measure',
        `unknown measure "${measure}"${didYouMean(measure, names)} There are: ${names.join(', ')}`,
      );
      return undefined;
    }
    if (condition === undefined || reason === undefined || observed === undefined || expected === undefined) {
      return undefined;
    }
    const evidence =
      measure === undefined ? fixedEvidence(definition) : measuredEvidence(measure, definition.evidence.cap);
    const leastNats = measure === undefined ? 0 : (condition.guards.leastNats.get(measure) ?? 0);
    return {
      guards: condition.guards,
      needs: measure === undefined ? undefined : { measure, leastNats },
      find(subject) {
        if (!condition.holds(subject)) return undefined;
        const weight = evidence(subject);
        if (weight === undefined) return undefined;
        const words = { nats: weight.nats, sampleSize: weight.sampleSize, observed: '', expected: '' };
        words.observed = weight.observed ?? observed.render(subject, words);
        words.expected = weight.expected ?? expected.render(subject, words);
        return { ...weight, observed: words.observed, expected: words.expected, reason: reason.render(subject, words) };
      },
    };
  },
};

type Weight = Omit<Finding, 'observed' | 'expected' | 'reason'> & Partial<Pick<FindingWords, 'observed' | 'expected'>>;

/** `nats` is capped, the p-value is not: the cap says how far this detector is trusted, not how rare it was. */
function measuredEvidence(name: string, cap = 0): (subject: Measured) => Weight | undefined {
  return ({ measures }) => {
    const measure = measures.get(name);
    if (measure === undefined || !(measure.nats > 0)) return undefined;
    return {
      nats: Math.min(measure.nats, cap),
      pValue: pValueOf(measure.nats),
      sampleSize: measure.sampleSize,
      violation: false,
      observed: inertText(measure.observed, MAX_OBSERVED_CHARS),
      expected: inertText(measure.expected, MAX_OBSERVED_CHARS),
    };
  };
}

function fixedEvidence({ evidence }: DetectorDefinition): () => Weight {
  const violation = evidence.violation === true;
  const nats = evidence.nats ?? 0;
  const pValue = violation ? 1 : (evidence.pValue ?? pValueOf(nats));
  return () => ({ nats, pValue, sampleSize: 0, violation });
}

/** `exp(-nats)`, kept above 0 where a double would underflow. */
function pValueOf(nats: number): number {
  return Math.max(Math.exp(-nats), Number.MIN_VALUE);
}

function compiled<S>(
  definition: DetectorDefinition,
  language: ConditionLanguage<S>,
  report: Report,
): Condition<S> | undefined {
  try {
    return language.compile(definition.when);
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error;
    for (const problem of error.problems) report('when', problem);
    return undefined;
  }
}

function template<S>(
  source: string,
  path: string,
  language: ConditionLanguage<S>,
  report: Report,
): ReasonTemplate<S> | undefined {
  try {
    const names = language.variables.map(({ name }) => name);
    return parseTemplate<S>(source, (name) => language.reader(name), names);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    report(path, error.message);
    return undefined;
  }
}
