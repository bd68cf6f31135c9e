import type { CliCommand } from './command.js';
import { awaitGateways, describeCommand } from './confirmations.js';
import { commandIdOf, requiredText, WAIT_HELP, waitOf } from './order.js';
import { isFleetWide, liftMany } from './lift-all.js';
import { OBSERVER_HELP, OBSERVER_OPTIONS, ObserverError, observerOf } from './observer.js';

export const lift: CliCommand = {
  name: 'lift',
  usage:
    'COMMAND_ID --reason TEXT [--false-positive] | --all [--class CLASS] --reason TEXT | --confirm LIFT_ID --reason TEXT',
  summary: 'take a containment back, and wait for the gateways to confirm',
  options: {
    ...OBSERVER_OPTIONS,
    reason: { type: 'string' },
    'false-positive': { type: 'boolean' },
    all: { type: 'boolean' },
    class: { type: 'string' },
    confirm: { type: 'string' },
    reject: { type: 'string' },
    pending: { type: 'boolean' },
    wait: { type: 'string' },
  },
  help: {
    reason: 'why',
    'false-positive': 'close the incident behind it as a false positive, which lifts all its commands',
    all: 'propose to lift every containment; a second person confirms',
    class: 'with --all: of this class of agents only',
    confirm: 'confirm what somebody else proposed',
    reject: 'turn down what was proposed',
    pending: 'list what waits for a second person',
    wait: WAIT_HELP,
    ...OBSERVER_HELP,
  },
  run: async (context) => {
    if (isFleetWide(context)) return liftMany(context);
    const commandId = commandIdOf(context);
    const reason = requiredText(context, 'reason');
    const waitMs = waitOf(context);
    const observer = observerOf(context);
    const command = await observer.command(commandId);
    if (command === undefined) {
      throw new ObserverError('there is no such command; "parallax containments --all" lists them');
    }
    const falsePositive = context.values['false-positive'] === true;
    await observer.decide(commandId, 'lift', falsePositive ? { reason, falsePositive } : { reason });
    const held = command.acknowledgements.filter((a) => a.effective === 'enforced').map((a) => a.gatewayId);
    const { out, err } = context.console;
    out(`ordered to lift ${describeCommand(command)}\n`);
    if (held.length === 0) {
      out('no gateway had confirmed it, so there is none to wait for\n');
      return 0;
    }
    const { confirmed } = await awaitGateways(
      { observer, commandId, effective: 'lifted', gateways: held, waitMs },
      context.console,
    );
    if (held.every((id) => confirmed.includes(id))) return 0;
    err(
      `not every gateway has confirmed within ${waitMs / 1_000} s; one that is away gets it when it connects, and lifts it by itself when its time is up\n`,
    );
    return 1;
  },
};
