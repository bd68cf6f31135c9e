import { stableId } from '../lib/hash.js';
import type { LatePut } from '../lib/late-put.js';
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
  /** Ordered by event time, then id, so that the order of arrival does not show. Times are ms after `start`. */
  evidenceIds: string[];
  evidenceMs: number[];
  /** Results given so far. */
  results: number;
  /** Changed after the watermark had passed its end: a (revised) result is due. */
  pending: boolean;
  dirty: boolean;
  /** Has been handed over for storing, so that its end must be handed over too. */
  stored: boolean;
  gone: boolean;
  /** Handed over to a checkpoint that has not encoded it yet. */
  late: LatePut<unknown> | undefined;
}

/** What survives a restart: a tuple, because one is written for every window that a checkpoint finds changed. */
export type WindowRowState = [
  entryId: number,
  start: number,
  counts: number[],
  onTimeMask: number,
  lateMask: number,
  emitters: string[],
  evidenceIds: string[],
  evidenceMs: number[],
  results: number,
  pending: boolean,
];

export function newWindowRow(entry: SessionEntry, start: number): WindowRow {
  return {
    entry,
    start,
    counts: countsOf([]),
    onTimeMask: 0,
    lateMask: 0,
    emitters: [],
    evidenceIds: [],
    evidenceMs: [],
    results: 0,
    pending: false,
    dirty: false,
    stored: false,
    gone: false,
    late: undefined,
  };
}

export function windowRowState(row: WindowRow): WindowRowState {
  return [
    row.entry.id,
    row.start,
    Object.values(row.counts),
    row.onTimeMask,
    row.lateMask,
    [...row.emitters],
    [...row.evidenceIds],
    [...row.evidenceMs],
    row.results,
    row.pending,
  ];
}

export function restoreWindowRow(row: WindowRow, state: WindowRowState): void {
  const [, , counts, onTimeMask, lateMask, emitters, evidenceIds, evidenceMs, results, pending] = state;
  row.counts = countsOf(counts);
  row.onTimeMask = onTimeMask;
  row.lateMask = lateMask;
  row.emitters = emitters;
  row.evidenceIds = evidenceIds;
  row.evidenceMs = evidenceMs;
  row.results = results;
  row.pending = pending;
  row.stored = true;
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
  addEvidence(row, time - row.start, observation.id);
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
    evidenceIds: [...row.evidenceIds],
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

function addEvidence({ evidenceIds, evidenceMs }: WindowRow, ms: number, id: string): void {
  let at = evidenceMs.length;
  for (; at > 0; at--) {
    const before = evidenceMs[at - 1] ?? 0;
    if (before < ms || (before === ms && (evidenceIds[at - 1] ?? '') <= id)) break;
  }
  if (at >= MAX_EVIDENCE) return;
  evidenceMs.splice(at, 0, ms);
  evidenceIds.splice(at, 0, id);
  if (evidenceMs.length <= MAX_EVIDENCE) return;
  evidenceMs.pop();
  evidenceIds.pop();
}

/** Counts from their values in the order of the fields below; missing ones are 0. */
function countsOf(values: readonly number[]): WindowCounts {
  const [prompts = 0, messages = 0, declared = 0, calls = 0, writes = 0, denied = 0] = values;
  const [errors = 0, governance = 0, metrics = 0, tokens = 0, late = 0] = values.slice(6);
  return { prompts, messages, declared, calls, writes, denied, errors, governance, metrics, tokens, late };
}
