import type { CliCommand } from './command.js';
import { describeCommand, reportContainment } from './confirmations.js';
import { commandIdOf, requiredText, WAIT_HELP, waitOf } from './order.js';
import { OBSERVER_HELP, OBSERVER_OPTIONS, ObserverError, observerOf } from './observer.js';

export const approve: CliCommand = {
  name: 'approve',
  usage: 'COMMAND_ID --reason TEXT',
  summary: 'send a command that was only proposed, and wait for the gateways to confirm',
  options: { ...OBSERVER_OPTIONS, reason: { type: 'string' }, wait: { type: 'string' } },
  help: { reason: 'why; it is recorded with your key', wait: WAIT_HELP, ...OBSERVER_HELP },
  run: async (context) => {
    const commandId = commandIdOf(context);
    const reason = requiredText(context, 'reason');
    const waitMs = waitOf(context);
    const observer = observerOf(context);
    const command = await observer.command(commandId);
    await observer.decide(commandId, 'approve', { reason });
    if (command === undefined) throw new ObserverError('there is no such command');
    context.console.out(`approved ${describeCommand(command)} (${commandId}); asking the gateways\n`);
    return reportContainment({ observer, commandId, waitMs }, context.console);
  },
};

export const reject: CliCommand = {
  name: 'reject',
  usage: 'COMMAND_ID --reason TEXT',
  summary: 'turn down a command that was proposed',
  options: { ...OBSERVER_OPTIONS, reason: { type: 'string' } },
  help: { reason: 'why; it is recorded with your key', ...OBSERVER_HELP },
  run: async (context) => {
    const commandId = commandIdOf(context);
    await observerOf(context).decide(commandId, 'reject', { reason: requiredText(context, 'reason') });
    context.console.out(`rejected ${commandId}\n`);
    return 0;
  },
};
