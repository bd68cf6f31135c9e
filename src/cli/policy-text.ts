import { inertText, MAX_LINE_CHARS } from '../lib/text/inert-text.js';
import { spanText } from '../lib/text/span-text.js';
import { COMMAND_ACTIONS, type RungMode, type TimeoutAnswer } from '../model/command.js';
import type { ResponseCaps, ResponsePolicy, Rung } from '../model/response-policy.js';
import type { ExplainedRung } from '../respond/explain-response.js';
import type { ResponseCase } from '../respond/response-case.js';

const COLUMN = 19;
const OUTCOMES: Record<ExplainedRung['outcome'], string> = {
  tell: 'people are told',
  send: 'at once',
  propose: 'a person decides',
  'dry-run': 'written down',
  none: 'no',
};
const MODES: Record<RungMode, string> = {
  off: 'off',
  observe: 'is only written down',
  propose: 'waits for a person',
  act: 'goes by itself',
};
const THEN: Record<TimeoutAnswer, string> = {
  expire: 'nothing is done',
  approve: 'it is done',
  escalate: 'people are told again',
};

/** What a case is about, in lines for a person. */
export function describeCase(about: ResponseCase): string {
  const { agentId, agentClass, sessionId, severity, emitters, violation, tool, mode } = about;
  const facts = [
    `severity ${severity}`,
    `${emitters} ${emitters === 1 ? 'emitter' : 'emitters'}`,
    ...(violation ? ['a broken invariant'] : []),
    ...(tool === undefined ? [] : [`tool ${inertText(tool)}`]),
    ...(sessionId === '' ? [] : [`session ${inertText(sessionId)}`]),
  ];
  const observing = mode === 'observe' ? '; the install is observe-only' : '';
  return `${inertText(agentId)} of class ${inertText(agentClass ?? '')}: ${facts.join(', ')}${observing}\n\n`;
}

/** One line a rung: what is done, why, and why not at once. */
export function describeLadder(ladder: readonly ExplainedRung[]): string {
  return ladder
    .map((one) => {
      const lines = [one.why, ...detailsOf(one)].map((text) => inertText(text, MAX_LINE_CHARS));
      const head = `${one.rung.padEnd(COLUMN)}${OUTCOMES[one.outcome].padEnd(COLUMN)}`;
      return `${head}${lines.join(`\n${' '.repeat(2 * COLUMN)}`)}\n`;
    })
    .join('');
}

function detailsOf({ outcome, tool, posture, containMs, held, proposalMs, onTimeout }: ExplainedRung): string[] {
  const what = posture ?? tool;
  const lasting = containMs === undefined ? [] : [`for ${spanText(containMs)}${what === undefined ? '' : `: ${what}`}`];
  const waiting =
    outcome === 'propose' && proposalMs !== undefined && onTimeout !== undefined
      ? [`within ${spanText(proposalMs)}; then ${THEN[onTimeout]}`]
      : [];
  return [...(held === undefined ? [] : [`because ${held}`]), ...waiting, ...lasting];
}

/** The policies of classes, in lines for a person. */
export function describePolicy({
  mode,
  caps,
  classes,
}: {
  mode: 'observe' | 'act';
  caps: ResponseCaps;
  classes: Record<string, ResponsePolicy>;
}): string {
  const share = `${caps.maxContainedShare * 100} % of the agents, but at least ${caps.minContainedAgents}`;
  const rate = `${caps.commandsPerMinute} commands a minute, ${caps.totalCommandsPerMinute} of all tenants`;
  const head = [
    mode === 'observe' ? 'the install is observe-only: nothing of this is done yet\n' : '',
    `without a person at most: ${rate}; ${share} at once\n`,
  ];
  return head.join('') + Object.entries(classes).map(describeClass).join('');
}

function describeClass([name, policy]: [string, ResponsePolicy]): string {
  const { containments, withinMs, afterLiftMs } = policy.coolDown;
  const rest = `after ${containments} containments of the same within ${spanText(withinMs)}, and for ${spanText(afterLiftMs)} after a person lifted one, the next waits for a person`;
  const lines = COMMAND_ACTIONS.map((action) => {
    const rung = policy[action];
    const posture = action === 'downgrade-posture' ? `to ${policy[action].posture}; ` : '';
    const text = rung.mode === 'off' ? 'off' : `${MODES[rung.mode]}; ${posture}${conditionsOf(rung)}`;
    return `  ${action.padEnd(COLUMN)}${text}\n`;
  });
  return [
    `\n${name}\n`,
    `  ${'alert'.padEnd(COLUMN)}from severity ${policy.alert.severity}\n`,
    ...lines,
    `  ${'never for'.padEnd(COLUMN)}${policy.neverAct.length === 0 ? 'nobody' : policy.neverAct.join(', ')}\n`,
    `  ${'cool-down'.padEnd(COLUMN)}${rest}\n`,
  ].join('');
}

function conditionsOf(rung: Rung): string {
  const parts = [
    `from severity ${rung.severity}`,
    ...(rung.emitters > 1 ? [`${rung.emitters} emitters`] : []),
    ...(rung.mode === 'act' ? [`at once with ${rung.actEmitters} emitters`] : []),
    ...(rung.priorIncidents > 0
      ? [`${rung.priorIncidents} earlier incidents within ${spanText(rung.priorWithinMs)}`]
      : []),
    ...(rung.toolSessions > 0
      ? [`the same tool in ${rung.toolSessions} sessions within ${spanText(rung.toolWithinMs)}`]
      : []),
    `for ${spanText(rung.containMs)}`,
    `asked for ${spanText(rung.proposalMs)}, then ${THEN[rung.onTimeout]}`,
    ...(rung.neverAct.length > 0 ? [`never for ${rung.neverAct.join(', ')}`] : []),
  ];
  return parts.join('; ');
}
