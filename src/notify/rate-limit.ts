import type { LeftOut, LeftOutLine } from './port.js';

const HOUR_MS = 60 * 60_000;
/** From the first message left out to the summary that says so, ms. */
const SUMMARY_AFTER_MS = 60_000;
const MAX_LINES = 40;

/** How much a channel has sent, and what it did not send. Kept over restarts. */
export interface Ledger {
  /** Times of the single messages of the last hour, epoch ms. */
  sentAt: number[];
  lastSummaryAt: number;
  leftOut?: LeftOut;
}

/** Whether a single message may go out now. One place an hour is kept for the summary. */
export function mayGo(ledger: Ledger, now: number, maxPerHour: number): boolean {
  return within(ledger, now).length < maxPerHour - 1;
}

export function afterOne(ledger: Ledger, now: number): Ledger {
  return { ...ledger, sentAt: [...within(ledger, now), now] };
}

export function afterSummary(ledger: Ledger, now: number): Ledger {
  return { sentAt: ledger.sentAt, lastSummaryAt: now };
}

/** Notes a message that is not sent. */
export function leaveOut(ledger: Ledger, line: LeftOutLine, reason: keyof LeftOut['reasons'], now: number): Ledger {
  const before = ledger.leftOut ?? { since: now, count: 0, reasons: { rate: 0, refused: 0, gone: 0 }, lines: [] };
  const isListed = before.lines.length >= MAX_LINES || before.lines.some((l) => l.incidentId === line.incidentId);
  const leftOut: LeftOut = {
    since: before.since,
    count: before.count + 1,
    reasons: { ...before.reasons, [reason]: before.reasons[reason] + 1 },
    lines: isListed ? before.lines : [...before.lines, line],
  };
  return { ...ledger, leftOut };
}

/** When the summary is to go, epoch ms; at most one an hour. */
export function summaryDueAt({ leftOut, lastSummaryAt }: Ledger): number | undefined {
  if (leftOut === undefined) return undefined;
  return Math.max(leftOut.since + SUMMARY_AFTER_MS, lastSummaryAt + HOUR_MS);
}

function within({ sentAt }: Ledger, now: number): number[] {
  return sentAt.filter((time) => time > now - HOUR_MS);
}
