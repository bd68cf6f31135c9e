import { agentKey } from '../model/record-key.js';
import type { LogRecord } from '../model/log-record.js';

export type Destination = { key: string } | 'everywhere';
const EVERYWHERE = 'everywhere';
/** How the subject of an incident begins that is about a class of agents; see correlate/fleet-incident.ts. */
const CLASS = 'class:';

/** What is known here of whom commands, incidents and held calls are about. */
export interface SubjectViews {
  incidents: { get(tenant: string, id: string): { agentId: string } | undefined };
  commands: { get(tenant: string, id: string): { agentId: string } | undefined };
  holds: { get(tenant: string, id: string): { agentId: string } | undefined };
}

/**
 * Whose partition a record of people or gateways goes to: the key of an agent, or `everywhere` for what concerns all
 * agents, or an agent that is not known here: each partition takes no notice of what it does not know.
 */
export function destinationOf(record: LogRecord, views: SubjectViews): Destination {
  if (record.type === 'erasure') return { key: agentKey(record.value.tenant, record.value.name) };
  const about = subjectOf(record, views);
  // What a class of agents has in common is one incident, which each partition has for its own agents.
  if (about === undefined || about.agentId.startsWith(CLASS)) return EVERYWHERE;
  return { key: agentKey(about.tenant, about.agentId) };
}

/** Whose agent a record is about, where it says so or it is known. */
function subjectOf({ type, value }: LogRecord, views: SubjectViews): { tenant: string; agentId: string } | undefined {
  const known = (found: { agentId: string } | undefined, tenant: string) =>
    found === undefined ? undefined : { tenant, agentId: found.agentId };
  switch (type) {
    case 'verdict':
      return known(views.incidents.get(value.tenant, value.incidentId), value.tenant);
    case 'ack':
      return known(views.commands.get(value.tenant, value.commandId), value.tenant);
    case 'order':
      if (value.liftId !== undefined) return undefined;
      if (value.holdId !== undefined) return known(views.holds.get(value.tenant, value.holdId), value.tenant);
      if (value.agentId !== undefined) return { tenant: value.tenant, agentId: value.agentId };
      return known(views.commands.get(value.tenant, value.commandId ?? ''), value.tenant);
    case 'activation':
      return value.agentId === undefined ? undefined : { tenant: value.tenant, agentId: value.agentId };
    case 'observation':
    case 'payload':
    case 'content-read':
      return value;
    default:
      return undefined;
  }
}
