import type { LogRecord } from './log-record.js';

/** The key of everything about an agent, which one partition keeps in order. */
export function agentKey(tenant: string, agentId: string): string {
  return `${tenant}\0${agentId}`;
}

/** What a record is about, where it says so itself: it decides the partition. */
export function recordKey({ type, value }: LogRecord): string | undefined {
  switch (type) {
    case 'observation':
    case 'payload':
    case 'content-read':
      return agentKey(value.tenant, value.agentId);
    case 'dead-letter':
    case 'source-trouble':
      return agentKey(value.tenant, value.principalId);
    default:
      return undefined;
  }
}
