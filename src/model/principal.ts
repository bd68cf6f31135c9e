import type { ContentLevel } from './content-level.js';
import type { Stream } from './observation.js';

/** Who is speaking: an API key that proved itself, with what it may do and for whom. */
export interface Principal {
  id: string;
  role: 'ingest' | 'gateway' | 'viewer' | 'analyst' | 'responder' | 'admin';
  tenant: string;
  /** Streams it may write. */
  streams: ReadonlySet<Stream>;
  /** Agent ids it may speak for; `*` any, a trailing `*` a prefix. */
  agents: readonly string[];
  /** What is kept of its words; redacted when left out. */
  content?: ContentLevel;
}

/** Whether a principal's key is bound to this agent. */
export function mayActFor(principal: Pick<Principal, 'agents'>, agentId: string): boolean {
  return principal.agents.some((pattern) =>
    pattern.endsWith('*') ? agentId.startsWith(pattern.slice(0, -1)) : pattern === agentId,
  );
}
