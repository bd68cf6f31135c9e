import type { Command, CommandState, Restriction } from './command.js';
import { mayActFor, type Principal } from './principal.js';

/** Who asks about commands, as far as it matters what is shown. */
export type CommandReaderRights = Pick<Principal, 'role' | 'tenant' | 'agents'>;

const UNSENT: ReadonlySet<CommandState> = new Set(['proposed', 'approved', 'rejected']);

/**
 * Whether somebody may see a command: it belongs to their tenant and to an agent they are bound to. Gateways see only
 * what was sent: proposals and dry runs are for people.
 */
export function maySeeCommand(reader: CommandReaderRights, command: Command): boolean {
  if (!maySeeAgent(reader, command)) return false;
  return reader.role !== 'gateway' || (!command.dryRun && !UNSENT.has(command.state));
}

/** Whether somebody may see the restrictions of an agent. */
export function maySeeRestriction(reader: CommandReaderRights, restriction: Restriction): boolean {
  return maySeeAgent(reader, restriction);
}

function maySeeAgent(reader: CommandReaderRights, of: { tenant: string; agentId: string }): boolean {
  return of.tenant === reader.tenant && mayActFor(reader, of.agentId);
}
