import { hourOfWeek } from '../lib/hour-of-week.js';
import type { Target } from '../model/observation.js';
import { WEEKDAYS, type WorkingHours } from '../model/profile.js';

const HOUR_MS = 3_600_000;
const HOURS_OF_DAY = 24;

/** Hosts that the targets name and the list does not have. @param expected hosts and domains in lower case; empty: all */
export function undeclaredDestinations(targets: readonly Target[], expected: readonly string[]): string[] {
  if (expected.length === 0) return [];
  const found = new Set<string>();
  for (const { kind, value } of targets) {
    const host = hostOf(kind, value);
    if (host !== '' && !expected.some((name) => host === name || host.endsWith(`.${name}`))) found.add(host);
  }
  return [...found];
}

/** Whether a class is not at work at a time. @param time epoch ms */
export function isOutsideHours(time: number, hours: WorkingHours | undefined): boolean {
  if (hours === undefined) return false;
  const { days, from, to, utcOffset } = hours;
  const now = hourOfWeek(time + utcOffset * HOUR_MS);
  const hour = now % HOURS_OF_DAY;
  const day = Math.floor(now / HOURS_OF_DAY);
  // The hours after midnight belong to the day on which the night began.
  const isNight = from >= to;
  const isInside = isNight ? hour >= from || hour < to : hour >= from && hour < to;
  const began = isNight && hour < to ? (day + WEEKDAYS.length - 1) % WEEKDAYS.length : day;
  return !isInside || !days.some((name) => name === WEEKDAYS[began]);
}

/** Host of a mail address, a URL or a host name, in lower case; '' where a target is none. */
function hostOf(kind: string, value: string): string {
  const text = value.trim().toLowerCase();
  switch (kind) {
    case 'email':
      return text.slice(text.lastIndexOf('@') + 1);
    case 'url':
      return URL.parse(text.includes('://') ? text : `https://${text}`)?.hostname ?? text;
    case 'host':
      return text.replace(/:\d{1,5}$/u, '');
    default:
      return '';
  }
}
