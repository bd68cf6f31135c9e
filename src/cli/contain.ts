import { LOWERED_POSTURES } from '../model/command.js';
import { textOf, UsageError, type CliCommand, type CommandContext } from './command.js';
import { describeCommand, reportContainment } from './confirmations.js';
import { durationMs, requiredText, WAIT_HELP, waitOf } from './order.js';
import { OBSERVER_HELP, OBSERVER_OPTIONS, observerOf, type SeenCommand } from './observer.js';

type What = Pick<SeenCommand, 'action' | 'sessionId' | 'tool' | 'posture'>;

export const contain: CliCommand = {
  name: 'contain',
  usage: 'AGENT --suspend | --downgrade[=read-only] | --freeze TOOL | --session ID  --reason TEXT [--for 2h]',
  summary: 'restrict what an agent may do, and wait for the gateways to confirm',
  options: {
    ...OBSERVER_OPTIONS,
    suspend: { type: 'boolean' },
    downgrade: { type: 'string' },
    freeze: { type: 'string' },
    session: { type: 'string' },
    reason: { type: 'string' },
    for: { type: 'string' },
    tenant: { type: 'string' },
    unseen: { type: 'boolean' },
    wait: { type: 'string' },
  },
  bare: { downgrade: 'approval' },
  help: {
    suspend: 'refuse every call of the agent',
    downgrade: '=approval (the default): all but reading waits for a person; =read-only: it is refused',
    freeze: 'refuse one tool to the agent',
    session: 'refuse every call of one session',
    reason: 'why; whoever is refused reads it',
    for: 'how long: 90s, 30m, 2h, 3d; the configured time otherwise',
    tenant: 'refuse to act unless the key belongs to this tenant',
    unseen: 'allow an agent that was never seen',
    wait: WAIT_HELP,
    ...OBSERVER_HELP,
  },
  run: async (context) => {
    const [agentId, ...more] = context.positionals;
    if (agentId === undefined || more.length > 0) {
      throw new UsageError(`name one agent: parallax contain ${contain.usage}`);
    }
    const what = whatOf(context);
    const tenant = textOf(context, 'tenant');
    const lasting = textOf(context, 'for');
    const order = {
      ...what,
      agentId,
      reason: requiredText(context, 'reason'),
      ...(lasting === undefined ? {} : { durationMs: durationMs(lasting, '--for') }),
      ...(tenant === undefined ? {} : { tenant }),
      ...(context.values['unseen'] === true ? { unseen: true } : {}),
    };
    const waitMs = waitOf(context);
    const observer = observerOf(context);
    const commandId = await observer.contain(order);
    context.console.out(`ordered ${describeCommand({ ...what, agentId })} (${commandId}); asking the gateways\n`);
    return reportContainment({ observer, commandId, waitMs }, context.console);
  },
};

function whatOf(context: CommandContext): What {
  const found: What[] = [];
  if (context.values['suspend'] === true) found.push({ action: 'suspend-agent' });
  const downgrade = textOf(context, 'downgrade');
  if (downgrade !== undefined) {
    const posture = LOWERED_POSTURES.find((known) => known === downgrade);
    if (posture === undefined) throw new UsageError(`--downgrade=${downgrade}: use ${LOWERED_POSTURES.join(' or ')}`);
    found.push({ action: 'downgrade-posture', posture });
  }
  const tool = textOf(context, 'freeze');
  if (tool !== undefined) found.push({ action: 'freeze-tool', tool });
  const sessionId = textOf(context, 'session');
  if (sessionId !== undefined) found.push({ action: 'revoke-session', sessionId });
  const [what, ...more] = found;
  if (what === undefined || more.length > 0) {
    throw new UsageError('say one of --suspend, --downgrade[=read-only], --freeze TOOL, --session ID');
  }
  return what;
}
