import type { Command, CommandState } from '../model/command.js';

/** Which states may follow which. What is missing here cannot happen. */
const FOLLOWS: Record<CommandState, readonly CommandState[]> = {
  proposed: ['sent', 'expired', 'undone'],
  sent: ['acknowledged', 'enforced', 'expired', 'undone', 'failed'],
  acknowledged: ['enforced', 'expired', 'undone', 'failed'],
  enforced: ['expired', 'undone', 'failed'],
  failed: ['acknowledged', 'enforced', 'expired', 'undone'],
  expired: [],
  undone: [],
};

/** Whether a command may go from its state to another. */
export function mayFollow(from: CommandState, to: CommandState): boolean {
  return FOLLOWS[from].includes(to);
}

/** Whether gateways must (or may already) restrict because of this command. A dry run never restricts. */
export function isInForce(command: Command): boolean {
  return !command.dryRun && command.state !== 'proposed' && command.state !== 'expired' && command.state !== 'undone';
}
