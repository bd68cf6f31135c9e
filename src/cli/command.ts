import type { ParseArgsConfig } from 'node:util';

/** Where a command writes: results to `out`, progress and messages to `err`. */
export interface Console {
  out: (text: string) => void;
  err: (text: string) => void;
  /** Progress is drawn in place on a terminal and left out elsewhere. */
  isTerminal: boolean;
}

export interface CommandContext {
  /** Values by option name, as `node:util` parsed them. */
  values: Record<string, string | boolean | string[] | undefined>;
  positionals: string[];
  env: NodeJS.ProcessEnv;
  console: Console;
}

/** One word of the command line. */
export interface CliCommand {
  name: string;
  /** After the name, for the help. */
  usage: string;
  summary: string;
  options: NonNullable<ParseArgsConfig['options']>;
  /** Values that options have when they are given without one. */
  bare?: Readonly<Record<string, string>>;
  /** One line per option, for the help. */
  help: Record<string, string>;
  /** @returns the exit code */
  run: (context: CommandContext) => Promise<number>;
}

/** The user's mistake: shown without a stack, with exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** All values of a repeatable option, also those given as further words: `--train a b`. */
export function listOf(context: CommandContext, name: string): string[] {
  const value = context.values[name];
  if (Array.isArray(value)) return value;
  return typeof value === 'string' ? [value] : [];
}

export function textOf(context: CommandContext, name: string): string | undefined {
  const value = context.values[name];
  return typeof value === 'string' ? value : undefined;
}
