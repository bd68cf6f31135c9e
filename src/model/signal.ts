import type { Stream } from './observation.js';

/** One detector's finding about one agent or session. */
export interface Signal {
  /** Deterministic: detector, subject and cause. */
  id: string;
  detectorId: string;
  tenant: string;
  agentId: string;
  sessionId?: string;
  /** Event time of the cause, epoch ms. */
  time: number;
  /** The observation (or window) that raised it. */
  causeId: string;
  /** The emitter's sequence number of the cause, where it has one. */
  seq?: number;
  callId?: string;
  tool?: string;
  streams: Stream[];
  /** Authenticated emitters whose observations are the evidence. */
  emitters: string[];
  /** Probability of something at least this unusual under the baseline, in (0, 1]; 1 where `violation`. */
  pValue: number;
  /** Samples behind the p-value; 0 where it is no statistics: a fixed judgement of the detector's author, a broken rule. */
  sampleSize: number;
  /** Evidence this signal contributes before caps, nats (natural log units). */
  nats: number;
  /**
   * True where this is one ingredient of a call's combined risk, which already counts it: it explains the risk and
   * is not added again.
   */
  ingredient: boolean;
  /** True for a broken invariant, which needs no statistics. */
  violation: boolean;
  /** True where the detector runs in shadow: shown and counted, never acted on. */
  shadow: boolean;
  observed: string;
  expected: string;
  /** One line for a person. */
  reason: string;
  baselineVersion: number;
  evidenceIds: string[];
  tags: string[];
}
