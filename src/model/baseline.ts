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
export interface KeptVersion {
  version: number;
  /** Event time, epoch ms. */
  time: number;
  sessionCount: number;
  /** Size of what is kept of it. */
  bytes: number;
  /** How it came about, where that was not by learning. */
  rollback?: Rollback;
}

/** Taking an agent's baseline back to an earlier version. */
export interface Rollback {
  toVersion: number;
  by: string;
  reason: string;
}
