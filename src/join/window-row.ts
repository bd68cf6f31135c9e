import { stableId } from '../lib/hash.js';
import { STREAMS, type Observation, type Stream } from '../model/observation.js';
import type { StreamPresence, Window, WindowCounts } from '../model/window.js';
import { MAX_NAMED } from './calls.js';
import type { SessionEntry } from './session-entry.js';

/** Evidence ids kept per window: the earliest ones. */
export const MAX_EVIDENCE = 32;
/** Emitters named per window. */
export const MAX_EMITTERS = 16;

/** A window that is still open, or may still be revised. */
export interface WindowRow {
  readonly entry: SessionEntry;
  /** Epoch ms, inclusive. */
  readonly start: number;
  counts: WindowCounts;
  /** Streams heard in time, and streams heard after the watermark; bit i is `STREAMS[i]`. */
  onTimeMask: number;
  lateMask: number;
  emitters: string[];
  /** Ordered by event time, then id, so that the order of arrival does not show. */
  evidence: { time: number; id: string }[];
  /** Results given so far. */
  results: number;
  /** Changed after the watermark had passed its end: a (revised) result is due. */
  pending: boolean;
  dirty: boolean;
  /** Has been handed over for storing, so that its end must be handed over too. */
  stored: boolean;
  gone: boolean;
}

/** What survives a restart. */
export type WindowRowState = Omit<WindowRow, 'entry' | 'dirty' | 'stored' | 'gone'>;

export function newWindowRow(entry: SessionEntry, start: number): WindowRow {
  return {
    entry,
    start,
    counts: emptyCounts(),
    onTimeMask: 0,
    lateMask: 0,
    emitters: [],
    evidence: [],
    results: 0,
    pending: false,
    dirty: false,
    stored: false,
    gone: false,
  };
}

/** Counts an observation in. What depends on the whole call (`calls`, `writes` ...) is counted by the join. */
export function tally(row: WindowRow, observation: Observation, time: number, isLate: boolean): void {
  const counts = row.counts;
  const bit = 1 << STREAMS.indexOf(observation.stream);
  if (isLate) {
    counts.late++;
    row.lateMask |= bit;
  } else {
    row.onTimeMask |= bit;
  }
  if (observation.kind === 'prompt') counts.prompts++;
  if (observation.kind === 'message') {
    counts.messages++;
    counts.declared += observation.declared.length;
    counts.tokens += observation.tokens ?? 0;
  }
  if (observation.stream === 'governance') counts.governance++;
  if (observation.stream === 'metric') counts.metrics++;
  if (row.emitters.length < MAX_EMITTERS && !row.emitters.includes(observation.principalId)) {
    row.emitters.push(observation.principalId);
  }
  addEvidence(row.evidence, time, observation.id);
}

/** The window as others see it. */
export function viewWindow(row: WindowRow, windowMs: number, expected: readonly Stream[]): Window {
  const { entry, start } = row;
  const end = start + windowMs;
  return {
    id: stableId('win', entry.tenant, entry.agent.agentId, entry.sessionId ?? '', start),
    tenant: entry.tenant,
    agentId: entry.agent.agentId,
    ...(entry.sessionId === undefined ? {} : { sessionId: entry.sessionId }),
    start,
    end,
    revision: row.results,
    streams: {
      reasoning: presence(row, 0, end, expected),
      action: presence(row, 1, end, expected),
      governance: presence(row, 2, end, expected),
      metric: presence(row, 3, end, expected),
    },
    counts: { ...row.counts },
    declaredNotAttempted: entry.calls?.declaredNotAttempted(end).slice(0, MAX_NAMED) ?? [],
    attemptedNotDeclared: entry.calls?.attemptedNotDeclared(start, end).slice(0, MAX_NAMED) ?? [],
    emitters: row.emitters.toSorted(),
    evidenceIds: row.evidence.map(({ id }) => id),
  };
}

function presence(row: WindowRow, index: number, end: number, expected: readonly Stream[]): StreamPresence {
  const bit = 1 << index;
  if ((row.onTimeMask & bit) !== 0) return 'present';
  if ((row.lateMask & bit) !== 0) return 'late';
  const stream = STREAMS[index];
  const heardAt = Math.min(row.entry.heardAt[index] ?? Infinity, row.entry.agent.heardAt[index] ?? Infinity);
  return heardAt < end || (stream !== undefined && expected.includes(stream)) ? 'silent' : 'absent';
}

function addEvidence(evidence: { time: number; id: string }[], time: number, id: string): void {
  let at = evidence.length;
  for (; at > 0; at--) {
    const before = evidence[at - 1];
    if (before === undefined || before.time < time || (before.time === time && before.id <= id)) break;
  }
  if (at >= MAX_EVIDENCE) return;
  evidence.splice(at, 0, { time, id });
  if (evidence.length > MAX_EVIDENCE) evidence.pop();
}

function emptyCounts(): WindowCounts {
  return {
    prompts: 0,
    messages: 0,
    declared: 0,
    calls: 0,
    writes: 0,
    denied: 0,
    errors: 0,
    governance: 0,
    metrics: 0,
    tokens: 0,
    late: 0,
  };
}
