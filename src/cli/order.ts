import { textOf, UsageError, type CommandContext } from './command.js';

const DEFAULT_WAIT = '10s';
const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 60 * 60_000, d: 24 * 60 * 60_000 };

export const WAIT_HELP = `longest wait for the gateways, ${DEFAULT_WAIT}`;

/** `90s`, `30m`, `2h`, `3d` in ms. @throws UsageError naming the option */
export function durationMs(text: string, option: string): number {
  const unit = UNIT_MS[text.slice(-1)];
  const count = Number(text.slice(0, -1));
  if (unit === undefined || !Number.isFinite(count) || count <= 0 || text.length > 12) {
    throw new UsageError(`${option} ${text}: say a number with its unit, for example 90s, 30m, 2h or 3d`);
  }
  return Math.round(count * unit);
}

export function waitOf(context: CommandContext): number {
  return durationMs(textOf(context, 'wait') ?? DEFAULT_WAIT, '--wait');
}

/** @throws UsageError when the option is missing */
export function requiredText(context: CommandContext, name: string): string {
  const text = textOf(context, name)?.trim() ?? '';
  if (text === '') throw new UsageError(`say --${name} TEXT`);
  return text;
}

/** The id of a held call or a command that is the only word. @throws UsageError */
export function approvalIdOf(context: CommandContext): string {
  const [id, ...more] = context.positionals;
  if (id === undefined || more.length > 0) {
    throw new UsageError('name one held call or command; "parallax approvals" lists them');
  }
  return id;
}

/** The command id that is the only word. @throws UsageError */
export function commandIdOf(context: CommandContext): string {
  const [id, ...more] = context.positionals;
  if (id === undefined || more.length > 0) {
    throw new UsageError('name one command; "parallax containments" lists them');
  }
  return id;
}
