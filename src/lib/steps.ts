import { setImmediate as nextTurn } from 'node:timers/promises';

/** Work that lets others run between its steps, and what comes of it. */
export type Steps<T> = Generator<void, T, undefined>;

/** All steps at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** One step per turn of the event loop: what waits for this thread goes first. */
export async function inTurns<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    await nextTurn();
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
