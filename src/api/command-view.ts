import type { Command, CommandState } from '../model/command.js';
import { mayActFor, type Principal } from '../model/principal.js';

const UNSENT: ReadonlySet<CommandState> = new Set(['proposed', 'approved', 'rejected']);

/**
 * Whether a key may see a command: it belongs to its tenant and to an agent it is bound to. Gateways see only what
 * was sent: proposals and dry runs are for people.
 */
export function maySeeCommand(principal: Principal, command: Command): boolean {
  if (command.tenant !== principal.tenant || !mayActFor(principal, command.agentId)) return false;
  return principal.role !== 'gateway' || (!command.dryRun && !UNSENT.has(command.state));
}
