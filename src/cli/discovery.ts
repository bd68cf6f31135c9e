import { inertText } from '../lib/text/inert-text.js';
import { textOf, UsageError, type CliCommand } from './command.js';
import { describeTime } from './confirmations.js';
import type { SeenDiscovery } from './discovery-answer.js';
import { OBSERVER_HELP, OBSERVER_OPTIONS, observerOf } from './observer.js';

const DEFAULT_LIMIT = '20';
const HOUR_MS = 60 * 60_000;

export const discovery: CliCommand = {
  name: 'discovery',
  usage: '[--agent ID] [--limit N]',
  summary: 'compare what is declared with what was observed: unknown agents, undeclared tools, unused grants',
  options: { ...OBSERVER_OPTIONS, agent: { type: 'string' }, limit: { type: 'string' } },
  help: {
    agent: 'this agent only, or those whose ids begin so: "support-*"',
    limit: `most lines of each list; ${DEFAULT_LIMIT}`,
    ...OBSERVER_HELP,
  },
  run: async (context) => {
    const limit = textOf(context, 'limit') ?? DEFAULT_LIMIT;
    if (!/^[1-9][0-9]{0,3}$/.test(limit)) throw new UsageError('--limit must be a whole number from 1 to 1000');
    const found = await observerOf(context).discovery({ agent: textOf(context, 'agent'), limit });
    context.console.out(describe(found));
    return 0;
  },
};

function describe(found: SeenDiscovery): string {
  const sections = [
    list('Prohibited tools that were used', found.prohibitedTools, (use) => {
      const standing = use.binding ? '' : '; tiers do not hold for its class';
      return `${named(use)}: ${count(use.incidents, 'incident')}, ${count(use.sessions, 'learned session')}${standing}`;
    }),
    list('Agents that no profile names', found.unknownAgents, ({ agentId, sessions, lastSeenAt }) => {
      const seen =
        lastSeenAt === undefined ? 'not seen since the observer started' : `seen ${describeTime(lastSeenAt)}`;
      return `${inertText(agentId)}: ${count(sessions, 'session')} learned, ${seen}`;
    }),
    list('Tools in use that nothing declares', found.undeclaredTools, (use) => {
      return `${named(use)}: ${count(use.sessions, 'session')}, ${GRANTED[use.granted]}`;
    }),
    list('Tools declared that no agent of the class uses', found.unusedTools, ({ agentClass, tool, agents }) => {
      return `${inertText(tool)} of class ${inertText(agentClass)} (${count(agents, 'agent')})`;
    }),
    list('Grants that were never used', found.unusedGrants, ({ agentId, tool, ...grant }) => {
      const by = grant.approverId === '' ? 'nobody named' : inertText(grant.approverId);
      const proper = grant.authorised ? '' : ', who may not';
      return `${inertText(tool)} for ${inertText(agentId)}, by ${by}${proper}, ${age(grant.ageMs)} ago; ${end(grant)}`;
    }),
  ].filter((text) => text !== '');
  const { emptyClasses, unnamedTools } = found;
  const notes = [
    `${count(found.agents, 'agent')} looked at${sections.length === 0 ? '; all observed is declared, all declared is used' : ''}`,
  ];
  if (emptyClasses.length > 0)
    notes.push(`classes without any of them: ${emptyClasses.map((c) => inertText(c)).join(', ')}`);
  if (unnamedTools > 0) notes.push(`${count(unnamedTools, 'tool')} left out: an agent used more names than are kept`);
  return `${[...sections, ...notes].join('\n')}\n`;
}

const GRANTED: Record<SeenDiscovery['undeclaredTools']['items'][number]['granted'], string> = {
  'in-force': 'granted',
  ended: 'under a grant that has ended',
  never: 'never granted',
};

/** A list under its title; empty text for an empty one. */
function list<T>(title: string, { items, total }: { items: readonly T[]; total: number }, line: (item: T) => string) {
  if (total === 0) return '';
  const rest = total - items.length;
  const lines = [...items.map(line), ...(rest > 0 ? [`and ${rest} more`] : [])];
  return `${title} (${total})\n${lines.map((text) => `  ${text}\n`).join('')}`;
}

function named({ agentId, agentClass, tool }: { agentId: string; agentClass: string; tool: string }): string {
  return `${inertText(tool)} by ${inertText(agentId)} (${inertText(agentClass)})`;
}

function end({
  standing,
  endsAt,
}: Pick<SeenDiscovery['unusedGrants']['items'][number], 'standing' | 'endsAt'>): string {
  if (endsAt === undefined) return 'does not end';
  return `${standing === 'expired' ? 'expired' : standing === 'ending' ? 'about to end, at' : 'ends'} ${describeTime(endsAt)}`;
}

function age(ms: number): string {
  const hours = Math.floor(ms / HOUR_MS);
  if (hours < 48) return hours === 0 ? 'less than an hour' : count(hours, 'hour');
  return count(Math.floor(hours / 24), 'day');
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
