import { inertText, MAX_LINE_CHARS } from '../lib/text/inert-text.js';
import type { CliCommand } from './command.js';
import { describeTime } from './confirmations.js';
import { OBSERVER_HELP, OBSERVER_OPTIONS, observerOf, type SeenApproval } from './observer.js';

export const approvals: CliCommand = {
  name: 'approvals',
  usage: '[--all]',
  summary: 'list the calls and commands that wait for a person',
  options: { ...OBSERVER_OPTIONS, all: { type: 'boolean' } },
  help: { all: 'also what was decided, and by whom', ...OBSERVER_HELP },
  run: async (context) => {
    const listed = await observerOf(context).approvals(context.values['all'] === true);
    for (const approval of listed) context.console.out(describe(approval));
    if (listed.length === 0) context.console.out('nothing waits for a person\n');
    return 0;
  },
};

function describe(approval: SeenApproval): string {
  const { id, kind, agentId, sessionId, what, summary, reason, state, decidedBy, decisionReason } = approval;
  const session = sessionId === undefined ? '' : `, session ${inertText(sessionId)}`;
  const whose = kind === 'call' ? `call ${inertText(what)} of ${inertText(agentId)}${session}` : inertText(what);
  const decided =
    decidedBy === undefined ? '' : ` by ${inertText(decidedBy)}: ${inertText(decisionReason ?? '', MAX_LINE_CHARS)}`;
  const standing =
    state === 'waiting'
      ? `waits until ${describeTime(approval.expiresAt)}, then: ${inertText(approval.onTimeout)}`
      : `${inertText(state)}${decided}`;
  return `${inertText(id)}  ${whose}\n    ${inertText(summary, MAX_LINE_CHARS)}\n    ${standing}; because: ${inertText(reason, MAX_LINE_CHARS)}\n`;
}
