import type { ASTNode } from '@marcbachmann/cel-js';

/**
 * What must hold for a condition to hold at all, read off its outermost `&&` terms. The runner looks these up in an
 * index instead of asking a thousand conditions. Sound because in CEL `false && anything` is false.
 */
export interface ConditionGuards {
  /** The tool must be one of these; undefined when any may do. */
  tools?: ReadonlySet<string>;
  /** Least value of measures, nats: `measure.x > 3` and `measure.x >= 3` both say 3. */
  leastNats: ReadonlyMap<string, number>;
}

export function readGuards(root: ASTNode): ConditionGuards {
  let tools: Set<string> | undefined;
  const leastNats = new Map<string, number>();
  for (const term of conjuncts(root)) {
    const named = toolsOf(term);
    if (named !== undefined)
      tools = tools === undefined ? named : new Set([...tools].filter((tool) => named.has(tool)));
    const least = leastOf(term);
    if (least !== undefined) leastNats.set(least.measure, Math.max(least.nats, leastNats.get(least.measure) ?? 0));
  }
  return tools === undefined ? { leastNats } : { tools, leastNats };
}

function conjuncts(node: ASTNode): ASTNode[] {
  return node.op === '&&' ? node.args.flatMap(conjuncts) : [node];
}

function toolsOf(term: ASTNode): Set<string> | undefined {
  if (term.op === '==') {
    const [left, right] = term.args;
    const literal = isTool(left) ? right : isTool(right) ? left : undefined;
    const tool = literal === undefined ? undefined : textOf(literal);
    return tool === undefined ? undefined : new Set([tool]);
  }
  if (term.op !== 'in' || !isTool(term.args[0]) || term.args[1].op !== 'list') return undefined;
  const tools = new Set<string>();
  for (const element of term.args[1].args) {
    const tool = textOf(element);
    if (tool === undefined) return undefined;
    tools.add(tool);
  }
  return tools;
}

function isTool(node: ASTNode): boolean {
  return node.op === 'id' && node.args === 'tool';
}

function textOf(node: ASTNode): string | undefined {
  return node.op === 'value' && typeof node.args === 'string' ? node.args : undefined;
}

function leastOf(term: ASTNode): { measure: string; nats: number } | undefined {
  if (term.op !== '>' && term.op !== '>=') return undefined;
  const [left, right] = term.args;
  if (left.op !== '.' || left.args[0].op !== 'id' || left.args[0].args !== 'measure') return undefined;
  return right.op === 'value' && typeof right.args === 'number'
    ? { measure: left.args[1], nats: right.args }
    : undefined;
}
