import type { Profile } from '../model/profile.js';
import type { Grant } from './agent-record.js';
import type { LearningWindow } from './port.js';

const HOUR_MS = 60 * 60_000;

/** How long and for how many calls a grant makes its tool's being new say little; nothing where it does not teach. */
export function openedBy(
  { approverId, authorised, from, expiresAt }: Pick<Grant, 'approverId' | 'authorised' | 'from' | 'expiresAt'>,
  { approvers, learningWindow: { hours, calls } }: Profile,
): Pick<Grant, 'learnUntil' | 'learnCalls'> {
  // Nobody's word moves a baseline where the profile names nobody who may give it.
  const teaches = authorised && approverId !== '' && approvers.length > 0;
  if (!teaches) return { learnUntil: 0, learnCalls: 0 };
  return { learnUntil: Math.min(expiresAt, from + hours * HOUR_MS), learnCalls: calls };
}

export function isOpen({ learnUntil, learnCalls }: Grant, time: number): boolean {
  return learnCalls > 0 && time < learnUntil;
}

/** The window at an event time, with a note for people; undefined where it is shut. */
export function learningWindow(grant: Grant, time: number): LearningWindow | undefined {
  if (!isOpen(grant, time)) return undefined;
  return { note: `damped: granted ${span(time - grant.from)} ago by ${grant.approverId}` };
}

function span(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}
