import { setTimeout as sleep } from 'node:timers/promises';
import { inertText, MAX_LINE_CHARS } from '../lib/text/inert-text.js';
import { textOf, UsageError, type CommandContext } from './command.js';
import { describeTime } from './confirmations.js';
import { ObserverError, observerOf, type Observer, type SeenLift } from './observer.js';
import { requiredText, waitOf } from './order.js';

const FLEET_WIDE = ['all', 'confirm', 'reject', 'pending'] as const;
const POLL_MS = 100;

/** Whether the command line is about many agents at once. */
export function isFleetWide({ values }: CommandContext): boolean {
  return FLEET_WIDE.some((option) => values[option] !== undefined) || values['class'] !== undefined;
}

/** `--all`, `--confirm`, `--reject`, `--pending`: lifting for many agents needs two persons. @returns the exit code */
export async function liftMany(context: CommandContext): Promise<number> {
  const given = FLEET_WIDE.filter((option) => context.values[option] !== undefined);
  if (given.length !== 1 || context.positionals.length > 0) {
    throw new UsageError(
      'say one of COMMAND_ID, --all [--class CLASS], --confirm LIFT_ID, --reject LIFT_ID, --pending',
    );
  }
  if (given[0] === 'all') return proposeLift(context);
  if (given[0] === 'pending') return pendingLifts(context);
  const what = given[0] === 'confirm' ? 'confirm' : 'reject';
  return decideLift(context, what, textOf(context, what) ?? '');
}

/** The first person: proposes to lift every containment, or every one of a class. */
async function proposeLift(context: CommandContext): Promise<number> {
  const reason = requiredText(context, 'reason');
  const agentClass = textOf(context, 'class');
  const observer = observerOf(context);
  const liftId = await observer.proposeLift(agentClass === undefined ? { reason } : { reason, agentClass });
  const lift = await awaitLift(observer, context, ({ id }) => id === liftId);
  const { out } = context.console;
  out(lift === undefined ? `proposed ${liftId}\n` : `proposed ${describe(lift)}`);
  out(`nothing is lifted yet; a second person confirms with: parallax lift --confirm ${liftId} --reason TEXT\n`);
  return 0;
}

/** The second person. */
async function decideLift(context: CommandContext, what: 'confirm' | 'reject', id: string): Promise<number> {
  const reason = requiredText(context, 'reason');
  const observer = observerOf(context);
  await observer.decideLift(id, what, { reason });
  const lift = await awaitLift(observer, context, (one) => one.id === id && one.state !== 'proposed');
  if (lift === undefined)
    throw new ObserverError('the observer has not decided yet; "parallax lift --pending" shows it');
  context.console.out(describe(lift));
  const wanted = what === 'confirm' ? 'confirmed' : 'rejected';
  if (lift.state === 'confirmed') context.console.out('"parallax containments --all" shows what gateways confirm\n');
  return lift.state === wanted ? 0 : 1;
}

/** What waits for a second person. */
async function pendingLifts(context: CommandContext): Promise<number> {
  const lifts = (await observerOf(context).lifts()).filter(({ state }) => state === 'proposed');
  context.console.out(lifts.length === 0 ? 'nothing waits for a second person\n' : lifts.map(describe).join(''));
  return 0;
}

/** The lift, once the observer has scored the order. */
async function awaitLift(
  observer: Observer,
  context: CommandContext,
  is: (lift: SeenLift) => boolean,
): Promise<SeenLift | undefined> {
  const until = performance.now() + waitOf(context);
  while (performance.now() < until) {
    const found = (await observer.lifts()).find(is);
    if (found !== undefined) return found;
    await sleep(POLL_MS);
  }
  return undefined;
}

function describe({ id, agentClass, incidentIds, commands, agents, ...lift }: SeenLift): string {
  const whose =
    agentClass === undefined
      ? incidentIds === undefined
        ? 'all agents'
        : `${incidentIds.length} incidents`
      : `class ${inertText(agentClass)}`;
  const size = `${commands} ${commands === 1 ? 'containment' : 'containments'} of ${agents} ${agents === 1 ? 'agent' : 'agents'}`;
  const decided = lift.decidedBy === undefined ? '' : `, ${lift.state} by ${inertText(lift.decidedBy)}`;
  const open = lift.state === 'proposed' ? `, open until ${describeTime(lift.expiresAt)}` : '';
  const reason = inertText(lift.reason, MAX_LINE_CHARS);
  return `${id}  ${whose}: ${size}; proposed by ${inertText(lift.proposedBy)}${open}${decided}: ${reason}\n`;
}
