import type { Rebuilding } from './baseline.js';
import type { Lease } from './allowance.js';
import type { CommandAction, LoweredPosture } from './command.js';
import type { ContentRead } from './content-read.js';
import type { Erasure } from './erasure.js';
import type { Observation, Payload } from './observation.js';
import type { SourceTrouble } from './source-trouble.js';

/** Wall-clock time enters scoring only through these, so that a replayed log gives the same windows. */
export interface Tick {
  /** Processing time, epoch ms. */
  now: number;
}

/** A person's judgement of an incident. */
export interface Verdict {
  time: number;
  tenant: string;
  incidentId: string;
  verdict: 'true-positive' | 'false-positive' | 'benign-expected';
  by: string;
  note?: string;
}

/** A gateway confirms a command with the state it now enforces. */
export interface Acknowledgement {
  time: number;
  tenant: string;
  commandId: string;
  /** Principal of the gateway. */
  gatewayId: string;
  /** What the gateway says it now enforces for the command's subject. */
  effective: 'enforced' | 'lifted' | 'rejected';
  detail?: string;
}

/** A person contains an agent by hand, lifts a containment, or decides about a proposed command. */
export interface OperatorOrder {
  time: number;
  tenant: string;
  order: 'contain' | 'lift' | 'approve' | 'reject' | 'propose-lift' | 'confirm-lift' | 'reject-lift';
  /** The command that is meant; for `contain` the id that the new one gets. */
  commandId?: string;
  /** The held call that is approved or rejected; instead of `commandId`. */
  holdId?: string;
  /** For the orders of a lift that concerns many agents: its id; for `propose-lift` the one that it gets. */
  liftId?: string;
  /** For `propose-lift`: the class of agents it is about; all of the tenant's when absent. */
  agentClass?: string;
  /** For `contain`. */
  action?: CommandAction;
  agentId?: string;
  sessionId?: string;
  tool?: string;
  posture?: LoweredPosture;
  /** For `contain`: how long it lasts, ms; the configured time when absent. */
  durationMs?: number;
  by: string;
  reason: string;
}

/** Something that scoring adopts from here on: it is part of the log so that replay adopts it at the same place. */
export interface Activation {
  time: number;
  tenant: string;
  /**
   * `learning`: `on`, `frozen` (nothing is learned) or `vouched` (an operator vouches for the traffic: all of it is
   * learned and raises nothing); `calibrate`: thresholds are computed anew now, `value` is empty; `detectors`: the
   * set's content hash; `rollback`: the version that `agentId`'s baseline is taken back to; `restore`: as `rollback`,
   * to a version that comes with the record; `rebuild`: `agentId`'s baseline made anew comes with it, `value` is empty;
   * `forget`: what is known of `agentId` is let go of, `value` is empty; `class-profile`: what other partitions have
   * learned of a class comes with it, `value` is its version.
   */
  what: 'learning' | 'calibrate' | 'detectors' | 'rollback' | 'restore' | 'rebuild' | 'forget' | 'class-profile';
  value: string;
  /** For `restore`, `rebuild` and `class-profile`: packed states (src/baseline/packed-state.ts), so that a replay needs nothing else. */
  state?: string;
  /** For `restore`: what the tenant's agents had in common then; taken up where there is nothing of the kind yet. */
  tenantState?: string;
  /** For `rebuild`: what it was made from. */
  made?: Omit<Rebuilding, 'by' | 'reason'>;
  /** For `class-profile`: of which class of agents (empty for those of none), and the partition that it is for. */
  agentClass?: string;
  partition?: number;
  /** For `restore`: which of several states of that version. */
  stateId?: string;
  /** For `rollback`, `restore`, `rebuild` and `forget`: whose baseline, who asked for it and why. */
  agentId?: string;
  by?: string;
  reason?: string;
}

/** A record that intake refused, kept so that nothing is lost silently. */
export interface DeadLetter {
  id: string;
  time: number;
  tenant: string;
  principalId: string;
  /** Path of the offending field, or empty when the record could not be read at all. */
  field: string;
  reason: string;
  /** SHA-256 of the raw bytes, hex. */
  hash: string;
  /** The beginning of the raw record, redacted and bounded. */
  excerpt: string;
}

/** Everything that lies in the log. Scoring reads all but `payload`, `dead-letter`, `content-read` and `erasure`; storing reads what it keeps. */
export type LogRecord =
  | { type: 'observation'; value: Observation }
  | { type: 'payload'; value: Payload }
  | { type: 'tick'; value: Tick }
  | { type: 'verdict'; value: Verdict }
  | { type: 'ack'; value: Acknowledgement }
  | { type: 'order'; value: OperatorOrder }
  | { type: 'activation'; value: Activation }
  | { type: 'source-trouble'; value: SourceTrouble }
  | { type: 'dead-letter'; value: DeadLetter }
  | { type: 'content-read'; value: ContentRead }
  | { type: 'erasure'; value: Erasure }
  | { type: 'lease'; value: Lease };

export type LogRecordType = LogRecord['type'];
