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
