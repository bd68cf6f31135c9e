import { MAX_NAME_CHARS } from '../../model/wire.js';

/** Deeper than any tool's arguments, and less deep than the observer takes. */
const MAX_DEPTH = 24;

/**
 * Why arguments cannot be put before the observer, or undefined. A call that it cannot be shown whole is not made:
 * size must be no way around it.
 *
 * @param maxChars longest arguments as JSON, characters
 */
export function argumentFault(args: Readonly<Record<string, unknown>>, maxChars: number): string | undefined {
  if (isDeeperThan(args, MAX_DEPTH)) return `the arguments are nested deeper than ${MAX_DEPTH} levels`;
  if (JSON.stringify(args).length > maxChars) return `the arguments are longer than ${maxChars} characters as JSON`;
  const long = Object.keys(args).some((name) => name.length > MAX_NAME_CHARS);
  return long ? `an argument's name is longer than ${MAX_NAME_CHARS} characters` : undefined;
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((item) => isDeeperThan(item, levels - 1));
}
