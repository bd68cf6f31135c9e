const HOUR_MS = 3_600_000;
const HOURS_OF_DAY = 24;
export const HOURS_OF_WEEK = 7 * HOURS_OF_DAY;
/** 1 January 1970 was a Thursday. */
const FIRST_DAY = 3;

/** Hours since Monday 0:00 UTC, 0 to 167. @param timeMs epoch ms */
export function hourOfWeek(timeMs: number): number {
  const hours = Math.floor(timeMs / HOUR_MS) + FIRST_DAY * HOURS_OF_DAY;
  return ((hours % HOURS_OF_WEEK) + HOURS_OF_WEEK) % HOURS_OF_WEEK;
}

/** Number of the week that begins on a Monday, UTC. @param timeMs epoch ms */
export function weekOf(timeMs: number): number {
  return Math.floor((Math.floor(timeMs / HOUR_MS) + FIRST_DAY * HOURS_OF_DAY) / HOURS_OF_WEEK);
}
