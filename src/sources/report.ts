import type { ReplayReport } from './replay-report.js';

/** A replay's report as text for a terminal. */
export function replayTable(report: ReplayReport): string {
  const { enforce, speed, sessions, events, calls, callsExecuted, elapsedMs, eventsPerSecond } = report;
  const pace = speed === 'max' ? 'as fast as it goes' : `${speed} times as fast as recorded`;
  const lines = [
    `${sessions} sessions, ${events} events played ${pace} (enforce: ${enforce}) in ${(elapsedMs / 1000).toFixed(1)} s, ` +
      `${Math.round(eventsPerSecond)} events/s; ${callsExecuted} of ${calls} calls executed`,
  ];
  if (report.recordsRefused > 0) lines.push(`the observer REFUSED ${report.recordsRefused} records`);
  lines.push(...hijackLines(report), '', ...groupLines(report), '', latencyLine(report));
  return lines.join('\n');
}

function hijackLines({ hijacked }: ReplayReport): string[] {
  if (hijacked === undefined)
    return ['no labels were given: the figures below say what was stopped, not whether rightly'];
  const { sessions, harmBlocked, stoppedEarlier, harmExecuted, alarmedAnyway, withoutHarmfulCall } = hijacked;
  const withCall = sessions - withoutHarmfulCall;
  const lines = [
    '',
    `hijacked sessions                      ${count(sessions)}`,
    `  harmful call blocked before execution${count(harmBlocked)}  ${share(harmBlocked, withCall)}`,
    `  stopped at an earlier call           ${count(stoppedEarlier)}  ${share(stoppedEarlier, withCall)}`,
    `  harmful call executed                ${count(harmExecuted)}  ${share(harmExecuted, withCall)}` +
      (harmExecuted > 0 ? `  (${alarmedAnyway} of them raised an incident, too late)` : ''),
  ];
  if (withoutHarmfulCall > 0) lines.push(`  in words only: no call to block      ${count(withoutHarmfulCall)}`);
  return lines;
}

function groupLines({ groups }: ReplayReport): string[] {
  const head =
    `${'sessions by label'.padEnd(24)}${'number'.padStart(8)}${'alarmed'.padStart(16)}${'stopped'.padStart(16)}` +
    `${'held'.padStart(7)}${'denied'.padStart(8)}${'revoked'.padStart(9)}${'frozen'.padStart(8)}${'unanswered'.padStart(12)}`;
  const rows = groups.map(({ group, sessions, alarmed, stopped, how }) =>
    [
      group.padEnd(24),
      String(sessions).padStart(8),
      `${alarmed} ${share(alarmed, sessions)}`.padStart(16),
      `${stopped} ${share(stopped, sessions)}`.padStart(16),
      String(how.held).padStart(7),
      String(how.denied).padStart(8),
      String(how.revoked).padStart(9),
      String(how.frozen).padStart(8),
      String(how.unanswered).padStart(12),
    ].join(''),
  );
  return [head, ...rows];
}

function latencyLine({ latency }: ReplayReport): string {
  const { count: asked, p50, p90, p99, max, timedOut, unanswered } = latency;
  if (asked === 0) return 'check: never asked';
  const ms = (value: number) => `${value.toFixed(2)} ms`;
  return (
    `check, as the gateway saw it: ${asked} asked, p50 ${ms(p50)}, p90 ${ms(p90)}, p99 ${ms(p99)}, max ${ms(max)}; ` +
    `${timedOut} timed out, ${unanswered} without an answer`
  );
}

function count(value: number): string {
  return String(value).padStart(7);
}

function share(part: number, whole: number): string {
  return whole === 0 ? '' : `${((100 * part) / whole).toFixed(1)} %`;
}
