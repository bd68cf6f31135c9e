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

/** Topics of others as they are read here. Totals since the start. */
export interface TopicSourceReport {
  id: string;
  /** The key that binds what the topics may say. */
  principalId: string;
  groupId: string;
  topics: readonly string[];
  format: string;
  /** `waiting`: what was read is not taken in for now. `failed`: reading is begun anew from time to time. */
  state: 'starting' | 'reading' | 'waiting' | 'failed';
  /** Those that are read here, and how many records wait in each. */
  partitions: { topic: string; partition: number; position: number; lag: number }[];
  /** Records of the topics. */
  records: number;
  /** Records without a value, which say nothing. */
  tombstones: number;
  /** Parts of records: a value may hold several, or an export. */
  accepted: number;
  refused: number;
  /** Records that lie in batches that cannot be read. */
  unreadable: number;
  /** Records that were gone before they were read. */
  lost: number;
  /** How often an agent's record came from another partition than the one before; a lower bound. */
  strayed: number;
  /** Tries after which something was waited for. */
  waits: number;
  uncommitted: number;
  lastError?: { time: number; message: string };
}
