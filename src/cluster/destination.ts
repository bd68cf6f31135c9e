import { agentKey } from '../log/record-codec.js';
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
export function destinationOf({ type, value }: LogRecord, views: SubjectViews): Destination {
  if (type === 'tick') return EVERYWHERE;
  const about = (agentId: string | undefined): Destination =>
    // What a class of agents has in common is one incident, which each partition has for its own agents.
    agentId === undefined || agentId.startsWith(CLASS) ? EVERYWHERE : { key: agentKey(value.tenant, agentId) };
  switch (type) {
    case 'verdict':
      return about(views.incidents.get(value.tenant, value.incidentId)?.agentId);
    case 'ack':
      return about(views.commands.get(value.tenant, value.commandId)?.agentId);
    case 'order':
      if (value.liftId !== undefined) return EVERYWHERE;
      if (value.holdId !== undefined) return about(views.holds.get(value.tenant, value.holdId)?.agentId);
      return about(value.agentId ?? views.commands.get(value.tenant, value.commandId ?? '')?.agentId);
    case 'activation':
      return about(value.agentId);
    case 'observation':
    case 'payload':
    case 'content-read':
      return about(value.agentId);
    case 'erasure':
      return { key: agentKey(value.tenant, value.name) };
    case 'dead-letter':
    case 'source-trouble':
      return { key: agentKey(value.tenant, value.principalId) };
  }
}
