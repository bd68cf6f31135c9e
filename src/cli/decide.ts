import type { CliCommand, CommandContext } from './command.js';
import { describeCommand, reportContainment } from './confirmations.js';
import { approvalIdOf, requiredText, WAIT_HELP, waitOf } from './order.js';
import { OBSERVER_HELP, OBSERVER_OPTIONS, ObserverError, observerOf } from './observer.js';

export const approve: CliCommand = {
  name: 'approve',
  usage: 'ID --reason TEXT',
  summary: 'let a held call pass once, or send a proposed command and wait for the gateways to confirm',
  options: { ...OBSERVER_OPTIONS, reason: { type: 'string' }, wait: { type: 'string' } },
  help: { reason: 'why; it is recorded with your key', wait: WAIT_HELP, ...OBSERVER_HELP },
  run: async (context) => {
    const id = approvalIdOf(context);
    const reason = requiredText(context, 'reason');
    const waitMs = waitOf(context);
    if (isHold(id)) return decideCall(context, id, 'approve');
    const observer = observerOf(context);
    const command = await observer.command(id);
    await observer.decide(id, 'approve', { reason });
    if (command === undefined) throw new ObserverError('there is no such command');
    context.console.out(`approved ${describeCommand(command)} (${id}); asking the gateways\n`);
    return reportContainment({ observer, commandId: id, waitMs }, context.console);
  },
};

export const reject: CliCommand = {
  name: 'reject',
  usage: 'ID --reason TEXT',
  summary: 'refuse a held call, or turn down a command that was proposed',
  options: { ...OBSERVER_OPTIONS, reason: { type: 'string' } },
  help: { reason: 'why; it is recorded with your key', ...OBSERVER_HELP },
  run: async (context) => {
    const id = approvalIdOf(context);
    if (isHold(id)) return decideCall(context, id, 'reject');
    await observerOf(context).decide(id, 'reject', { reason: requiredText(context, 'reason') });
    context.console.out(`rejected ${id}\n`);
    return 0;
  },
};

function isHold(id: string): boolean {
  return id.startsWith('hold_');
}

async function decideCall(context: CommandContext, id: string, decision: 'approve' | 'reject'): Promise<number> {
  await observerOf(context).decideCall(id, decision, requiredText(context, 'reason'));
  const what = decision === 'approve' ? 'approved: the call may pass once' : 'rejected: the call is refused';
  context.console.out(`${what} (${id})\n`);
  return 0;
}
