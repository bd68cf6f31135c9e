import type { Command, CommandState } from '../model/command.js';

/** Which states may follow which. What is missing here cannot happen. */
const FOLLOWS: Record<CommandState, readonly CommandState[]> = {
  proposed: ['approved', 'rejected', 'sent', 'expired', 'undone'],
  approved: ['sent'],
  rejected: [],
  sent: ['acknowledged', 'enforced', 'expired', 'undone', 'failed'],
  acknowledged: ['enforced', 'expired', 'undone', 'failed'],
  enforced: ['expired', 'undone', 'failed'],
  failed: ['acknowledged', 'enforced', 'expired', 'undone'],
  expired: [],
  undone: [],
};

const IN_FORCE: ReadonlySet<CommandState> = new Set(['sent', 'acknowledged', 'enforced', 'failed']);

/** Whether a command may go from its state to another. */
export function mayFollow(from: CommandState, to: CommandState): boolean {
  return FOLLOWS[from].includes(to);
}

/** Whether gateways must (or may already) restrict because of this command. A dry run never restricts. */
export function isInForce(command: Command): boolean {
  return !command.dryRun && IN_FORCE.has(command.state);
}

/** Whether nothing can follow any more. */
export function isOver(command: Command): boolean {
  return FOLLOWS[command.state].length === 0;
}

/** Nobody decides about a proposal that they made themselves, or that is about them. */
export function mayDecide(command: Command, by: string): boolean {
  return by !== command.issuedBy && by !== command.agentId;
}
