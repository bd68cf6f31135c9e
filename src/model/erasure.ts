/** Whose data is erased: an agent's, or a person's wherever they are named. */
export type ErasureSubject = { agentId: string } | { person: string };

/**
 * A person had somebody's data erased. A record of the log, once when it was ordered and once when it was done; it names
 * an agent, but a person only by a keyed hash, because what it says is kept.
 */
export interface Erasure {
  /** The same for both records. */
  id: string;
  /** Epoch ms. */
  time: number;
  tenant: string;
  subject: 'agent' | 'person';
  /** The agent's id, or the hash of the person's name. */
  name: string;
  /** Id of the key that ordered it. */
  orderedBy: string;
  role: string;
  reason: string;
  state: 'ordered' | 'done' | 'failed';
  /** JSON text: rows by table; empty when it was ordered. */
  tables: string;
}

/** What was found, or changed, in one table. */
export interface ErasedTable {
  table: string;
  /** Rows that are deleted as a whole. */
  deleted: number;
  /** Rows that stay, with the name replaced by `[erased]`. */
  blanked: number;
}

/** How an erasure goes, for whoever ordered it. */
export interface ErasureStatus {
  id: string;
  tenant: string;
  state: 'running' | 'done' | 'failed';
  tables: ErasedTable[];
  /** Why it failed. */
  cause?: string;
}
