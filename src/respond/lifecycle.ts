import type { CommandState } from '../model/command.js';

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

/** Whether a command may go from its state to another. */
export function mayFollow(from: CommandState, to: CommandState): boolean {
  return FOLLOWS[from].includes(to);
}
