import { inertText } from '../lib/text/inert-text.js';
import { dayTime } from '../lib/utc-text.js';
import { textOf, UsageError, type CliCommand, type CommandContext } from './command.js';
import { OBSERVER_HELP, OBSERVER_OPTIONS, observerOf } from './observer.js';

const HOUR_MS = 60 * 60_000;
const MAX_LEAD_HOURS = 30 * 24;

export const keys: CliCommand = {
  name: 'keys',
  usage: 'list | rotate [--lead HOURS]',
  summary: 'show the keys that commands to gateways are signed with, or sign with a new one',
  options: { ...OBSERVER_OPTIONS, lead: { type: 'string' } },
  help: {
    lead: 'rotate: publish the new key so many hours before it signs, for gateways that pin keys; 0',
    ...OBSERVER_HELP,
  },
  run: async (context) => {
    const [verb, ...rest] = context.positionals;
    if (rest.length > 0 || (verb !== 'list' && verb !== 'rotate')) throw new UsageError(`parallax keys ${keys.usage}`);
    return verb === 'list' ? list(context) : rotate(context);
  },
};

async function list(context: CommandContext): Promise<number> {
  const published = await observerOf(context).signingKeys();
  for (const { kid, alg } of published) context.console.out(`${inertText(kid)}  ${inertText(alg)}\n`);
  return 0;
}

async function rotate(context: CommandContext): Promise<number> {
  const text = textOf(context, 'lead') ?? '0';
  const hours = Number(text);
  if (text === '' || !(hours >= 0 && hours <= MAX_LEAD_HOURS)) {
    throw new UsageError(`--lead ${text}: give hours, from 0 to ${MAX_LEAD_HOURS}`);
  }
  const { kid, activeFrom } = await observerOf(context).rotateKeys(Math.round(hours * HOUR_MS));
  context.console.out(
    `${inertText(kid)} is published${hours === 0 ? ' and signs from now on' : ` and signs from ${dayTime(activeFrom)} on`}\n`,
  );
  return 0;
}
