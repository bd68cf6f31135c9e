/** A person read the content of an observation. A record of the log, written before the content is given out. */
export interface ContentRead {
  id: string;
  /** Epoch ms. */
  time: number;
  tenant: string;
  /** Id of the key that read it. */
  readBy: string;
  role: string;
  observationId: string;
  agentId: string;
  reason: string;
}
