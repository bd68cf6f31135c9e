import type { Stream } from './observation.js';

/**
 * Whether a stream took part in a window. `silent`: nothing came, although the session or agent had been heard on it
 * before or is expected to be. `late`: its events came only after the watermark had passed. `absent`: nothing came,
 * and nothing was to be expected.
 */
export type StreamPresence = 'present' | 'silent' | 'late' | 'absent';

/** The joined view of one agent's session over `[start, end)` event time. */
export interface Window {
  /** Deterministic: tenant, agent, session, start. A revision for late events keeps the id. */
  id: string;
  tenant: string;
  agentId: string;
  sessionId?: string;
  /** Epoch ms, inclusive. */
  start: number;
  /** Epoch ms, exclusive. */
  end: number;
  /** 0 for the first result, then one more for every revision caused by events within allowed lateness. */
  revision: number;
  streams: Record<Stream, StreamPresence>;
  counts: WindowCounts;
  /** Call ids that were declared in the window (or before, still open) and never attempted by its end. */
  declaredNotAttempted: string[];
  /** Call ids attempted without any declaration. */
  attemptedNotDeclared: string[];
  /** Authenticated emitters heard in the window. */
  emitters: string[];
  evidenceIds: string[];
}

/** Bounded tallies of a window; names are what detector conditions read. */
export interface WindowCounts {
  prompts: number;
  messages: number;
  declared: number;
  calls: number;
  writes: number;
  denied: number;
  errors: number;
  governance: number;
  metrics: number;
  tokens: number;
  late: number;
}

/** A window as stored for people and dashboards. */
export type WindowSummary = Omit<Window, 'evidenceIds'>;
