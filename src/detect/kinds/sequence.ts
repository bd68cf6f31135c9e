import type { ConditionLanguage } from '../condition.js';
import { ConditionError } from '../condition.js';
import type { DetectorKind, Measured } from './kind.js';
import { measureKind } from './measure.js';

/**
 * Steps in order within one session: each of `after`, then `when`, all within so many seconds of event time. Other
 * events may come in between. What it counts is that of the last step, as in the main kind.
 */
export const sequenceKind: DetectorKind = {
  prepare(definition, language, report) {
    const last = measureKind.prepare(definition, language, report);
    const { after, withinSeconds } = definition;
    if (after === undefined || withinSeconds === undefined) return undefined;
    const steps = after.map(({ when }, i) => compiled(when, language, (problem) => report(`after.${i}.when`, problem)));
    const known = steps.filter((step) => step !== undefined);
    if (last === undefined || known.length < steps.length) return undefined;
    return {
      // Its earlier steps may be about other tools and measures than its last one.
      guards: { leastNats: new Map() },
      needs: undefined,
      find: (subject) => last.find(subject),
      sequence: { steps: known, withinMs: withinSeconds * 1_000 },
    };
  },
};

function compiled<S extends Measured>(
  when: string,
  language: ConditionLanguage<S>,
  report: (problem: string) => void,
): ((subject: S) => boolean) | undefined {
  try {
    const condition = language.compile(when);
    return (subject) => condition.holds(subject);
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error;
    for (const problem of error.problems) report(problem);
    return undefined;
  }
}

/**
 * One more event of a session.
 *
 * @param starts how far the session had come, as `Progress.starts`
 * @param time event time, epoch ms
 * @returns whether all steps but the last had been taken before it, and how far the session has come with it (undefined
 *   where that did not change)
 */
export function advance(
  starts: readonly number[] | undefined,
  { holds, count, time, withinMs }: { holds: (step: number) => boolean; count: number; time: number; withinMs: number },
): { isComplete: boolean; starts: number[] | undefined } {
  const since = time - withinMs;
  const reached = (step: number): number => {
    const start = starts?.[step] ?? -1;
    return start >= since ? start : -1;
  };
  const isComplete = reached(count - 1) >= 0;
  let next: number[] | undefined;
  for (let step = count - 1; step >= 0; step--) {
    const start = step === 0 ? time : reached(step - 1);
    if (start < 0 || start <= (starts?.[step] ?? -1) || !holds(step)) continue;
    next ??= Array.from({ length: count }, (_, i) => starts?.[i] ?? -1);
    next[step] = start;
  }
  return { isComplete, starts: next };
}
