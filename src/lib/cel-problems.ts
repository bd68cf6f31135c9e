import type { ASTNode, ParseError } from '@marcbachmann/cel-js';

/** Why `matches()` of CEL, here a native RegExp, is refused wherever people write expressions. */
export const NO_PATTERNS =
  'regular expressions are refused, because a hostile text can make them run for minutes; use startsWith, endsWith, contains or in';

/** The piece of source a node was made of, bounded. */
export function excerpt(node: ASTNode): string {
  const piece = node.input.slice(node.range.start, node.range.end).replaceAll('\n', ' ');
  return piece.length > 60 ? `${piece.slice(0, 59)}…` : piece;
}

/**
 * Why an expression cannot be parsed, in plain words.
 *
 * @param shorten what to do where it is too large
 */
export function parseProblem(error: unknown, source: string, shorten: string): string {
  if (!isCelError(error)) return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  if (error.code === 'limit_exceeded') {
    return `too large: ${error.summary} (${limitInWords(error.summary)}); ${shorten}`;
  }
  const at = error.range?.start ?? 0;
  const near = source.slice(Math.max(0, at - 20), at + 20).replaceAll('\n', ' ');
  return `cannot be read: ${error.summary} (near \`${near}\`, character ${at + 1})`;
}

/** Whether an error is the CEL library's own, with a code and a summary. */
export function isCelError(error: unknown): error is ParseError {
  return error instanceof Error && 'summary' in error && 'code' in error;
}

function limitInWords(summary: string): string {
  if (summary.includes('maxDepth')) return 'nested too deep';
  return summary.includes('maxListElements') ? 'a list is too long' : 'too many parts';
}
