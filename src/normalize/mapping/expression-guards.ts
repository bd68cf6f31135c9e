import type { ASTNode } from '@marcbachmann/cel-js';
import { excerpt, NO_PATTERNS } from '../../lib/cel-problems.js';
import { didYouMean } from '../../lib/nearest-name.js';

const METHODS = new Set(
  'startsWith endsWith contains size lowerAscii upperAscii trim split join substring indexOf lastIndexOf'.split(' '),
);
const FUNCTIONS = new Set('size has string int double bool type timestamp dyn'.split(' '));
/** The first argument of these is the name that stands for one element. */
const LOOPS = new Set('exists all exists_one filter map'.split(' '));

/**
 * What is refused in an expression of a mapping, one line each with the fix: native regular expressions, loops within
 * loops (the time would grow with the square of what an agent sends), and functions that are not on the list.
 */
export function expressionProblems(root: ASTNode): string[] {
  const problems: string[] = [];
  visit(root, false, problems);
  return problems;
}

function visit(node: ASTNode, inLoop: boolean, problems: string[]): void {
  if (node.op === 'call') {
    const [name, args] = node.args;
    if (!FUNCTIONS.has(name)) problems.push(unknown(name, node));
    for (const arg of args) visit(arg, inLoop, problems);
  } else if (node.op === 'rcall') {
    const [name, receiver, args] = node.args;
    const isLoop = LOOPS.has(name);
    if (!isLoop && !METHODS.has(name)) problems.push(unknown(name, node));
    if (isLoop && inLoop) problems.push(`a loop inside a loop is refused (at \`${excerpt(node)}\`)`);
    visit(receiver, inLoop, problems);
    for (const arg of args) visit(arg, inLoop || isLoop, problems);
  } else for (const inner of nodesIn(node.args)) visit(inner, inLoop, problems);
}

function unknown(name: string, node: ASTNode): string {
  const all = [...METHODS, ...FUNCTIONS, ...LOOPS];
  const why =
    name === 'matches'
      ? NO_PATTERNS
      : `"${name}" is not available in mappings${didYouMean(name, all) || `; use ${[...new Set(all)].join(', ')} or in`}`;
  return `${why} (at \`${excerpt(node)}\`)`;
}

/** Nodes among the parts of a node, however they are grouped. */
function nodesIn(parts: unknown): ASTNode[] {
  if (Array.isArray(parts)) return parts.flatMap((part) => nodesIn(part));
  return isNode(parts) ? [parts] : [];
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}
