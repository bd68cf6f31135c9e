import type { RiskTerm, Severity } from '../model/incident.js';
import type { Signal } from '../model/signal.js';
import type { Stream } from '../model/observation.js';
import type { NovelCall } from './novelty.js';

/** Most that one stream's own signals may add, nats: one noisy stream cannot convict alone. */
export const STREAM_CAP_NATS = 3;
/** Event time after which a signal's evidence has halved, ms. */
const HALF_LIFE_MS = 15 * 60_000;

/** Evidence of one stream about one session, decaying. */
export interface StreamEvidence {
  nats: number;
  /** Event time of the last addition, epoch ms. */
  time: number;
}

/** What is known of one session's risk. Plain data: it is stored as it is. */
export interface SessionRisk {
  /** Combined surprise of the most surprising call so far, nats; never saturated, -Infinity before the first call. */
  callNats: number;
  /** What that surprise is made of; the terms add up to `callNats`. */
  callTerms: RiskTerm[];
  /** Own evidence of signals that are not ingredients of a call's surprise. */
  streams: Partial<Record<Stream, StreamEvidence>>;
  /** Highest total so far. */
  peakNats: number;
  /** Highest total of the streams' own evidence so far. */
  peakStreamNats: number;
  /** Positions in the log of the session's latest observations, oldest first. */
  positions: number[];
  incidentId: string;
  /** The strongest signals from before there was an incident: they are part of what it rests on. Absent where none came. */
  earlier?: Signal[];
  /** Highest combined surprise of the calls that peers cannot explain, nats; -Infinity where there is none. */
  plainNats: number;
  /** Calls near the threshold that peers may explain; absent where there is none. */
  novelCalls?: NovelCall[];
  /** The part of the streams' evidence that a shift explained when it came, and that shift. */
  softStreams?: Record<string, StreamEvidence>;
  softShiftId?: string;
  /** Highest total so far without what peers explain; absent where they explained nothing. */
  peakFirmNats?: number;
  /** The shift that explains why this session has no incident of its own. */
  shiftId?: string;
}

export function noRisk(): SessionRisk {
  return {
    callNats: Number.NEGATIVE_INFINITY,
    callTerms: [],
    streams: {},
    peakNats: Number.NEGATIVE_INFINITY,
    peakStreamNats: 0,
    positions: [],
    incidentId: '',
    plainNats: Number.NEGATIVE_INFINITY,
  };
}

/** Adds signals' own evidence to their streams, after letting what was there decay. Changes `risk` in place. */
export function addEvidence(risk: SessionRisk, signals: readonly Signal[]): void {
  for (const signal of signals) {
    const stream = signal.streams[0];
    if (signal.ingredient || signal.shadow || signal.violation || stream === undefined) continue;
    const held = risk.streams[stream];
    const before = held === undefined ? 0 : decayed(held, signal.time);
    risk.streams[stream] = { nats: before + signal.nats, time: Math.max(signal.time, held?.time ?? 0) };
  }
}

/** The terms that make up the risk at an event time; their sum is the risk. */
export function riskTerms(risk: SessionRisk, time: number): RiskTerm[] {
  const terms: RiskTerm[] = [...risk.callTerms];
  for (const [stream, evidence] of Object.entries(risk.streams)) {
    const nats = decayed(evidence, time);
    const capped = Math.min(nats, STREAM_CAP_NATS);
    const note = nats > capped ? ` (${nats.toFixed(1)}, capped)` : '';
    terms.push({ label: `signals on the ${stream} stream${note}`, nats: capped });
  }
  return terms;
}

export function sumNats(terms: readonly RiskTerm[]): number {
  let sum = 0;
  for (const term of terms) sum += term.nats;
  return sum;
}

/** How far above the threshold, in factors of ten of improbability. A broken invariant is at least high. */
export function severityOf(riskNats: number, thresholdNats: number, violation: boolean): Severity {
  const over = riskNats - thresholdNats;
  if (over >= Math.log(100)) return 'critical';
  if (violation || over >= Math.log(10)) return 'high';
  return over >= 0 ? 'medium' : 'low';
}

/** What is left of a stream's evidence at an event time, nats. */
export function decayed(evidence: StreamEvidence, time: number): number {
  const age = Math.max(0, time - evidence.time);
  return evidence.nats * 2 ** (-age / HALF_LIFE_MS);
}
