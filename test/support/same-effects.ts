import type { OutboxEntry } from '../../src/model/effect.js';

/**
 * Where two outboxes part, or undefined when they are equal one for one, sequence numbers included. The first
 * difference only: all others mostly follow from it.
 */
export function firstDifference(
  actual: readonly OutboxEntry[],
  expected: readonly OutboxEntry[],
): { at: number; actual: OutboxEntry | undefined; expected: OutboxEntry | undefined } | undefined {
  for (let at = 0; at < Math.max(actual.length, expected.length); at++) {
    if (JSON.stringify(actual[at]) !== JSON.stringify(expected[at])) {
      return { at, actual: actual[at], expected: expected[at] };
    }
  }
  return undefined;
}
