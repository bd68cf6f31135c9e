/** One published version of what is normal for one agent on one feature, for people to read, diff and roll back. */
export interface BaselineVersion {
  tenant: string;
  agentId: string;
  feature: string;
  /** Rises by one at each publication of this agent. */
  version: number;
  /** Event time, epoch ms. */
  time: number;
  sampleCount: number;
  sessionCount: number;
  status: 'warming' | 'learning' | 'frozen';
  /** JSON text: the counts or quantiles of the feature. */
  state: string;
}

/** A published version whose whole state is kept, so that an agent can be taken back to it. */
export interface KeptVersion extends Origin {
  version: number;
  /** Event time, epoch ms. */
  time: number;
  sessionCount: number;
  /** Size of what is kept of it. */
  bytes: number;
}

/** A published version whose whole state lies in ClickHouse. */
export interface ArchivedVersion extends KeptVersion {
  /** Tells states apart that have the same number: a data directory that was begun anew counts from 1 again. */
  stateId: string;
  /** When it was put there, epoch ms. */
  archivedAt: number;
  /** Fingerprint of the install secret that keyed its hashes. */
  seedPrint: string;
}

/** How a version came about, where that was not by learning: at most one of these. */
export interface Origin {
  rollback?: Rollback;
  restore?: Restoration;
  rebuild?: Rebuilding;
}

/** Names of the features that say how a version came about. */
export const ORIGIN_FEATURES = ['rollback', 'restore', 'rebuild'] as const satisfies readonly (keyof Origin)[];

/** Taking an agent's baseline back to an earlier version. */
export interface Rollback {
  toVersion: number;
  by: string;
  reason: string;
}

/** Taking an agent's baseline back to a version that came from ClickHouse. */
export interface Restoration {
  fromVersion: number;
  stateId: string;
  by: string;
  reason: string;
}

/** Making an agent's baseline anew from the observations in ClickHouse. */
export interface Rebuilding {
  /** Event time it was limited to, epoch ms. */
  since?: number;
  until?: number;
  /** Observations read, sessions learned, and sessions left out because an incident is open or was true. */
  observations: number;
  sessions: number;
  leftOut: number;
  by: string;
  reason: string;
}

/** What became of an order; `cause` is for programs, `message` and `fix` for people. */
export type Ordered<T = { recorded: true }> =
  | ({ ok: true } & T)
  | {
      ok: false;
      cause: 'store-away' | 'unknown' | 'ambiguous' | 'foreign' | 'damaged' | 'busy';
      message: string;
      fix: string;
    };

/** Taking an agent's baseline back to a version that lies in ClickHouse. */
export interface RestoreOrder {
  tenant: string;
  agentId: string;
  version: number;
  /** Which state of that version, where there are several: its id, or the beginning of it. */
  stateId?: string;
  by: string;
  reason: string;
}

/** Making an agent's baseline anew. Event time within `[since, until)`, epoch ms. */
export interface RebuildOrder {
  tenant: string;
  agentId: string;
  since?: number;
  until?: number;
  by: string;
  reason: string;
}

/** How far the latest rebuild of an agent is. */
export interface RebuildStatus {
  state: 'running' | 'done' | 'failed';
  by: string;
  startedAt: number;
  /** Observations to be read; 0 until they are counted. */
  expected: number;
  observations: number;
  sessions: number;
  leftOut: number;
  /** Why it failed. */
  message?: string;
}
