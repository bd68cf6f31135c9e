import type { Stream } from './observation.js';

/** What came on one stream in one format lately. Times in epoch ms. */
export interface HeardStream {
  format: string;
  stream: Stream;
  records: number;
  lastSeen: number;
  /** Processing time less event time of the latest record, ms; below zero where the emitter's clock is ahead. */
  lagMs: number;
}

export interface RefusedReason {
  format: string;
  field: string;
  /** What is wrong and what to do about it. */
  reason: string;
  count: number;
}

/** What was shed of one stream of one emitter, since the start. */
export interface ShedCount {
  principalId: string;
  stream: Stream;
  observations: number;
  payloads: number;
}

/** One emitter as its records show it. */
export interface SourceReport {
  principalId: string;
  /** Epoch ms; absent where nothing came since the start. */
  lastSeen?: number;
  heard: HeardStream[];
  /** Most frequent first, since the start. */
  refused: RefusedReason[];
  refusedInAll: number;
  /** By what it was found whose its OTLP records are, since the start; `nothing` for those that were refused for it. */
  placedBy: Record<string, number>;
  shed: ShedCount[];
  /** Where it has been silent for longer than it should. */
  silent?: { forMs: number; expectedMs: number; isLearned: boolean };
}
