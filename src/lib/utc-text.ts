/** The largest time that a date can be made of, ms. */
const MAX_DATE_MS = 8.64e15;

/** `10:00:02`, in UTC. */
export function clockTime(timeMs: number): string {
  return isoTime(timeMs).slice(11, 19);
}

/** `2026-11-21 10:00:02 UTC`. */
export function dayTime(timeMs: number): string {
  return `${isoTime(timeMs).slice(0, 19).replace('T', ' ')} UTC`;
}

/** ISO 8601 in UTC; 1970 for a time that makes no sense, because it came from outside. */
export function isoTime(timeMs: number): string {
  const usable = Number.isFinite(timeMs) && timeMs >= 0 && timeMs < MAX_DATE_MS / 40 ? timeMs : 0;
  return new Date(usable).toISOString();
}
