import type { EmbeddedLimits } from './limits.js';

/** What the supervisor tells its child, once, as one line on standard input. */
export interface ChildOrder {
  dataDir: string;
  database: string;
  /** 0 for any free one. */
  port: number;
  writer: { username: string; password: string };
  reader: { username: string; password: string };
  limits: EmbeddedLimits;
  engineArguments: readonly string[];
}

/** What the child reports, as one line on standard output. */
export type ChildReport = { type: 'ready'; port: number; version: string } | { type: 'failed'; message: string };
