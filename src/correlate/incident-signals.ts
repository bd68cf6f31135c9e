import type { RiskTerm } from '../model/incident.js';
import type { Signal } from '../model/signal.js';
import type { SessionRisk } from './risk.js';

/** Signals kept of an incident. */
const MAX_SIGNALS = 40;
/** Signals kept of a session that has no incident yet; every session may hold so many. */
const MAX_EARLIER = 6;

/** Keeps the strongest signals of a session without incident, of each detector the strongest. */
export function keepForLater(risk: SessionRisk, signals: readonly Signal[]): void {
  for (const signal of signals) {
    if (signal.shadow) continue;
    const kept = (risk.earlier ??= []);
    const same = kept.findIndex(({ detectorId }) => detectorId === signal.detectorId);
    if (same >= 0 && (kept[same]?.nats ?? 0) >= signal.nats) continue;
    if (same >= 0) kept.splice(same, 1);
    kept.push(signal);
    if (kept.length <= MAX_EARLIER) continue;
    let weakest = 0;
    for (const [i, { nats }] of kept.entries()) if (nats < (kept[weakest]?.nats ?? 0)) weakest = i;
    kept.splice(weakest, 1);
  }
}

/** At most so many signals, in their order: the weakest give way, broken invariants last, so that no noise hides a cause. */
export function strongest(signals: Signal[]): Signal[] {
  if (signals.length <= MAX_SIGNALS) return signals;
  const weight = (signal: Signal) => (signal.violation ? Number.POSITIVE_INFINITY : signal.nats);
  const kept = new Set([...signals].sort((a, b) => weight(b) - weight(a)).slice(0, MAX_SIGNALS));
  return signals.filter((signal) => kept.has(signal));
}

/** A broken invariant names the incident, whatever else is unusual about it. */
export function titleOf(
  signals: readonly Signal[],
  { total, terms }: { total: number; terms: readonly RiskTerm[] },
): string {
  let best: Signal | undefined;
  for (const signal of signals) {
    if (signal.shadow) continue;
    const stronger = best === undefined || signal.nats > best.nats;
    if (best === undefined || (signal.violation === best.violation ? stronger : signal.violation)) best = signal;
  }
  if (best !== undefined) return best.reason;
  // No detector spoke: the sum of small surprises did it, so the largest of them gives the name.
  const [largest] = terms.toSorted((a, b) => b.nats - a.nats);
  const cause = largest === undefined ? 'unusual behaviour' : `${largest.label}, among other small surprises`;
  return `${cause}: ${total.toFixed(1)} nats`;
}
