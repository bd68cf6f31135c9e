/** How often a partition gives out what it has learned of a class. */
export interface ProfileCadence {
  /** After so many learned sessions. */
  sessions: number;
  /** At most once in so many ms. */
  restMs: number;
}

/** What was given out last of a class. */
export interface LastGiven {
  /** `OwnState.changes` then. */
  changes: number;
  /** Epoch ms. */
  at: number;
}

/** Whether a class is to be given out again. @param now `changes` as it is, and the time, epoch ms */
export function isGivingDue(
  last: LastGiven | undefined,
  now: { changes: number; at: number },
  { sessions, restMs }: ProfileCadence,
): boolean {
  if (last === undefined) return now.changes > 0;
  // A partition whose state was lost begins to count anew; a clock that was set back must not put anything off.
  const isAnew = now.changes < last.changes;
  const passedMs = now.at - last.at;
  return (isAnew || now.changes - last.changes >= sessions) && (passedMs >= restMs || passedMs < 0);
}
