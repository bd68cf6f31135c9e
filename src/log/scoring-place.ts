import type { MetaValue } from './embedded-environment.js';

/** In the meta database: how far scoring is. */
export const SCORING_KEY = 'scoring';

/**
 * How far scoring is; see `ScoringStore`. A type and not an interface, so that it fits the values of the meta database.
 */
export type Place = Record<'nextPosition' | 'effectsPosition' | 'outboxHead' | 'checkpointOutboxHead', number>;

export function readPlace(stored: MetaValue | undefined): Place {
  const { nextPosition = 1, outboxHead = 0, ...rest } = typeof stored === 'object' ? stored : {};
  return { nextPosition, outboxHead, effectsPosition: nextPosition, checkpointOutboxHead: outboxHead, ...rest };
}

/** @throws RangeError for a position before the committed one; so do the others here */
export function afterCommit(before: Place, nextPosition: number, effects: number): Place {
  checkForward(before.nextPosition, nextPosition);
  const outboxHead = before.outboxHead + effects;
  const effectsPosition = Math.max(before.effectsPosition, nextPosition);
  return { nextPosition, effectsPosition, outboxHead, checkpointOutboxHead: outboxHead };
}

export function afterEffects(before: Place, effectsPosition: number, effects: number): Place {
  checkForward(before.effectsPosition, effectsPosition);
  return { ...before, effectsPosition, outboxHead: before.outboxHead + effects };
}

/** @param head what {@link checkpointHead} said when the checkpoint was begun */
export function afterCheckpoint(before: Place, nextPosition: number, head: number): Place {
  checkForward(before.nextPosition, nextPosition);
  const effectsPosition = Math.max(before.effectsPosition, nextPosition);
  return { ...before, nextPosition, effectsPosition, checkpointOutboxHead: head };
}

/** The outbox entry up to which the state at `nextPosition` contains all. */
export function checkpointHead(place: Place, nextPosition: number): number {
  // What is scored again has its effects in the outbox already: how many of them lie before is not known then.
  return nextPosition < place.effectsPosition ? place.checkpointOutboxHead : place.outboxHead;
}

function checkForward(from: number, to: number): void {
  if (!Number.isSafeInteger(to) || to < from) {
    throw new RangeError(`Scoring cannot go back from position ${from} to ${to}.`);
  }
}
