import type { Observation } from '../model/observation.js';
import type { WindowCounts } from '../model/window.js';
import { ATTEMPTED, CallTable, DECLARED, DENIED, FAILED, WROTE } from './calls.js';
import type { SessionEntry } from './session-entry.js';
import { windowStart } from './sessions.js';
import type { WindowRow } from './window-row.js';

export interface CallJoinContext {
  windowMs: number;
  /** Secret of this install, for the hashes of call ids. */
  seed: number;
  /** Told of another window whose counts changed because an earlier part of a call turned up. */
  recounted: (row: WindowRow) => void;
}

/** One observation, where and when it was placed. `row` is missing where its window is final. */
export interface PlacedObservation {
  entry: SessionEntry;
  observation: Observation;
  /** Epoch ms, event time. */
  time: number;
  row: WindowRow | undefined;
}

/**
 * Joins the parts of calls across streams: an attempt, its audit record and its result with the same call id are one
 * call, counted in the window of its earliest part, whatever the order of arrival.
 */
export function joinCalls(placed: PlacedObservation, context: CallJoinContext): void {
  const { entry, observation, time } = placed;
  if (observation.kind === 'message') {
    for (const { callId } of observation.declared) {
      if (callId !== undefined) callsOf(entry, context.seed).note(callId, DECLARED, time);
    }
  } else if (observation.kind === 'tool_attempt' || observation.kind === 'tool_call') {
    count(placed, ATTEMPTED, 'calls', context);
    if (observation.effect === 'write') count(placed, WROTE, 'writes', context);
    if (observation.decision === 'deny') count(placed, DENIED, 'denied', context);
    if (observation.kind === 'tool_call' && hasFailed(observation)) count(placed, FAILED, 'errors', context);
  } else if (observation.kind === 'tool_result' && observation.error !== undefined) {
    count(placed, FAILED, 'errors', context);
  }
}

function count(
  { entry, observation, time, row }: PlacedObservation,
  column: number,
  counter: keyof WindowCounts,
  context: CallJoinContext,
): void {
  if (observation.callId !== undefined) {
    const before = callsOf(entry, context.seed).note(observation.callId, column, time);
    if (before === undefined) return;
    const earlier = before === Infinity ? undefined : entry.windowAt(windowStart(before, context.windowMs));
    if (earlier !== undefined) {
      earlier.counts[counter]--;
      if (earlier !== row) context.recounted(earlier);
    }
  }
  if (row !== undefined) row.counts[counter]++;
}

function callsOf(entry: SessionEntry, seed: number): CallTable {
  entry.calls ??= new CallTable(seed);
  return entry.calls;
}

function hasFailed({ error, decision }: { error?: string; decision: string }): boolean {
  return error !== undefined || decision === 'error' || decision === 'timeout';
}
