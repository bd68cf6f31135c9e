import type { EmbeddedEnvironment } from './embedded-environment.js';
import type { FoldFacts } from './changelog-fold.js';
import { CURSOR_PREFIX } from './scoring-keys.js';
import { SCORING_KEY } from './scoring-place.js';
import type { Operation } from './write-queue.js';

const SYNC_KEY = 'changelog';

/** How a local scoring store stands to its changelog. A type, so that it fits the values of the meta database. */
export type ReplicaSync = FoldFacts &
  Record<
    /**
     * Offset to read on from. What lies before is in the store; some of what lies behind may be there too, and taking it
     * again in order changes nothing in the end.
     */
    | 'offset'
    /** The highest generation seen before that offset. */
    | 'offsetGeneration'
    /** When nothing was known to lie behind that offset, epoch ms; 0 when never. */
    | 'at'
    /** 1 when the store is of use as it is, 0 when a restart must begin with nothing. */
    | 'isSettled'
    /** Offset of the last entry that this store has itself written, and in which generation; -1 when none. */
    | 'own'
    | 'ownGeneration',
    number
  >;

export const EMPTY_SYNC: ReplicaSync = {
  generation: -1,
  completed: 0,
  keys: 0,
  trimmed: 0,
  number: 0,
  offset: 0,
  offsetGeneration: -1,
  at: 0,
  isSettled: 0,
  own: -1,
  ownGeneration: -1,
};

export function readSync({ meta }: EmbeddedEnvironment): ReplicaSync {
  const stored = meta.get(SYNC_KEY);
  return { ...EMPTY_SYNC, ...(typeof stored === 'object' ? stored : {}) };
}

export function syncOperation({ meta }: EmbeddedEnvironment, sync: ReplicaSync): Operation {
  const value = { ...sync };
  return () => void meta.put(SYNC_KEY, value);
}

/** Empties the scoring store of an environment; the log stays. */
export function emptyingOperations({ state, outbox, staged, meta }: EmbeddedEnvironment): Operation[] {
  const names = [...meta.getKeys()].filter(
    (key) => key.startsWith(CURSOR_PREFIX) || key === SCORING_KEY || key === SYNC_KEY,
  );
  return [
    () => void state.clearAsync(),
    () => void outbox.clearAsync(),
    () => void staged.clearAsync(),
    ...names.map((name) => () => void meta.remove(name)),
  ];
}

/** Does all operations in one transaction. */
export function written(environment: EmbeddedEnvironment, make: () => Iterable<Operation>): Promise<void> {
  return new Promise((resolve, reject) => {
    environment.submit({
      fill: (operations) => {
        for (const operation of make()) operations.push(operation);
      },
      committed: resolve,
      failed: reject,
    });
  });
}
