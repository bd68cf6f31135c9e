import { inertText, MAX_LINE_CHARS } from '../lib/text/inert-text.js';
import { missingGateways, stillLifting } from '../model/command.js';
import type { CliCommand } from './command.js';
import { describeCommand, describeTime } from './confirmations.js';
import { OBSERVER_HELP, OBSERVER_OPTIONS, observerOf, type SeenCommand } from './observer.js';

export const containments: CliCommand = {
  name: 'containments',
  usage: '[--all]',
  summary: 'list what is restricted now, what waits for a person, and what each gateway confirmed',
  options: { ...OBSERVER_OPTIONS, all: { type: 'boolean' } },
  help: { all: 'also what is over, and what observe-only would have done', ...OBSERVER_HELP },
  run: async (context) => {
    const commands = await observerOf(context).commands();
    const shown = context.values['all'] === true ? commands : commands.filter((c) => !OVER.has(c.state) && !c.dryRun);
    for (const command of shown) context.console.out(describe(command));
    if (shown.length === 0) context.console.out('nothing is restricted, and nothing waits for a person\n');
    return 0;
  },
};

const OVER: ReadonlySet<SeenCommand['state']> = new Set(['rejected', 'expired', 'undone']);

function describe(command: SeenCommand): string {
  const { id, state, dryRun, expiresAt, reason, issuedBy, decidedBy, acknowledgements } = command;
  const standing =
    state === 'proposed'
      ? dryRun
        ? 'not done: observe-only'
        : `waits for a person until ${describeTime(expiresAt)}`
      : `${state}, until ${describeTime(expiresAt)}`;
  const by = decidedBy === undefined ? issuedBy : `${issuedBy}, decided by ${decidedBy}`;
  const broke = command.bypassedBy ?? [];
  const gateways = [
    ...acknowledgements.map(({ gatewayId, effective }) =>
      broke.includes(gatewayId) ? `${gatewayId} ${effective}, BUT LET A CALL PASS` : `${gatewayId} ${effective}`,
    ),
    ...missingGateways(command)
      .filter((gatewayId) => acknowledgements.every((a) => a.gatewayId !== gatewayId))
      .map((gatewayId) => `${gatewayId} NOT CONFIRMED`),
    ...stillLifting(command).map((gatewayId) => `${gatewayId} has not confirmed that it is lifted`),
  ]
    .map((text) => inertText(text))
    .join(', ');
  const lines = [
    `${id}  ${describeCommand(command)}`,
    `    ${standing}; by ${inertText(by)}: ${inertText(reason, MAX_LINE_CHARS)}`,
  ];
  if (state !== 'proposed') lines.push(`    gateways: ${gateways === '' ? 'none has confirmed' : gateways}`);
  return `${lines.join('\n')}\n`;
}
