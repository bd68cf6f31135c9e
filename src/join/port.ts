import type { LogRecord } from '../model/log-record.js';
import type { Observation } from '../model/observation.js';
import type { Window } from '../model/window.js';

/** What the join takes in, in log order. Records other than observations and ticks pass through in their place. */
export type JoinInput = Exclude<LogRecord, { type: 'payload' | 'dead-letter' | 'content-read' | 'erasure' }>;

export type CloseReason = 'ended' | 'summary' | 'timeout' | 'evicted';

/**
 * A session that is over. Given exactly once per session, after the first result of its last window. What an agent
 * does outside any session ends when it pauses, and may begin again.
 */
export interface ClosedSession {
  tenant: string;
  agentId: string;
  sessionId?: string;
  /** Epoch ms, event time. */
  firstTime: number;
  /** Epoch ms, event time. */
  lastTime: number;
  /** Observations that belonged to the session when it closed. */
  events: number;
  reason: CloseReason;
}

/**
 * What comes out, in the one order in which it must be processed. The input's own records are part of it, so that
 * the order does not depend on how the log was cut into slices: an observation comes before the windows it closes.
 */
export type JoinOutput =
  | JoinInput
  /** Seen before from the same emitter: not scored, not counted in any window. */
  | { type: 'duplicate'; value: Observation }
  /** Dated ahead of its arrival by more than is allowed; `placedAt` (epoch ms) is the time it was counted at. */
  | { type: 'future'; value: Observation; aheadMs: number; placedAt: number }
  /** Follows its observation: too late for its window, or for its session, which had closed. */
  | { type: 'late'; value: Observation; cause: 'window-final' | 'session-closed' }
  | { type: 'window'; value: Window }
  | { type: 'session-closed'; value: ClosedSession }
  /** The record could not be joined; its neighbours go on. */
  | { type: 'fault'; input: JoinInput; error: string };

/** One piece of state under its own key. Values are plain data (msgpack, structured clone); they may hold Infinity. */
export interface StateEntry {
  readonly key: string;
  readonly value: unknown;
}

/** What changed since the last call; to be written in the transaction that moves the log position. */
export interface StateChanges {
  puts: StateEntry[];
  deletes: string[];
}

/** Counters since the first start (they are part of the state), and sizes now. */
export interface JoinStats {
  records: number;
  observations: number;
  duplicates: number;
  future: number;
  lateInWindow: number;
  lateDropped: number;
  afterClose: number;
  windows: number;
  revisions: number;
  sessionsClosed: number;
  sessionsEvicted: number;
  windowsEvicted: number;
  agentsEvicted: number;
  emittersEvicted: number;
  closedForgotten: number;
  callsForgotten: number;
  faults: number;
  openSessions: number;
  openWindows: number;
  knownAgents: number;
  emitters: number;
  rememberedClosed: number;
}
