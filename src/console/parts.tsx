import { dayTime, isoTime } from '../lib/utc-text.js';
import type { Severity } from '../model/incident.js';

/** A moment; the script turns it into "3 min ago" and keeps it true. */
export function Ago({ time }: { time: number }) {
  return (
    <time datetime={isoTime(time)} title={dayTime(time)} data-ago>
      {dayTime(time)}
    </time>
  );
}

/** A moment to come; the script counts down to it. */
export function Until({ time }: { time: number }) {
  return (
    <time datetime={isoTime(time)} title={dayTime(time)} data-until>
      {dayTime(time)}
    </time>
  );
}

const BARS: Record<Severity, number> = { low: 1, medium: 2, high: 3, critical: 4 };

/** Severity as a word, as so many bars, and as a colour: never by colour alone. */
export function SeverityMark({ severity }: { severity: Severity }) {
  return (
    <span class={`severity ${severity}`}>
      <svg width="14" height="12" aria-hidden="true">
        {[0, 1, 2, 3].map((i) => (
          <rect
            x={i * 4}
            y={9 - 3 * i}
            width="2.5"
            height={3 + 3 * i}
            rx="0.5"
            class={i < BARS[severity] ? 'on' : 'off'}
          />
        ))}
      </svg>
      {severity}
    </span>
  );
}

/** Says what a list leaves out. */
export function Rest({ shown, total, what }: { shown: number; total: number; what: string }) {
  if (total <= shown) return <></>;
  return (
    <p class="rest">{`The first ${shown} of ${total.toLocaleString('en')} ${what}. Filter by agent to find others.`}</p>
  );
}
