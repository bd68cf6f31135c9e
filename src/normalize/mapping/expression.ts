import { Environment } from '@marcbachmann/cel-js';
import type { ASTNode, ParseResult } from '@marcbachmann/cel-js';
import { isCelError, parseProblem } from '../../lib/cel-problems.js';
import { fromCel, toCel } from './cel-value.js';
import { expressionProblems } from './expression-guards.js';

/** Longest expression, characters. */
export const MAX_EXPRESSION_CHARS = 2_000;
const LIMITS = { maxAstNodes: 400, maxDepth: 24, maxListElements: 256, maxMapEntries: 64, maxCallArguments: 4 };
/** What the CEL library says of a key or an element that is not there. */
const MISSING = new Set(['no_such_key', 'index_out_of_bounds']);
/** The name by which expressions call the record. */
export const RECORD = 'record';

/** What an expression gives for one record. */
export type Outcome =
  | { is: 'value'; value: unknown }
  /** It reads something that the record does not have. */
  | { is: 'missing'; what: string }
  | { is: 'error'; what: string };

/** An expression that was parsed, refused nothing, and can be asked any number of times. */
export interface Expression {
  readonly source: string;
  /** @param record as `recordForCel` gives it. Never throws. */
  evaluate(record: unknown): Outcome;
}

/** An expression that cannot be used; each problem is one line with the fix. */
export class ExpressionError extends Error {
  override name = 'ExpressionError';

  constructor(readonly problems: readonly string[]) {
    super(problems.join('; '));
  }
}

/**
 * CEL over one `record` of any form, in the library that conditions are written in, with the same things refused: what a
 * hostile record could turn into a slow run. Numbers of JSON are doubles; arithmetic takes whole-number literals too.
 */
const environment = newEnvironment();

/** @throws ExpressionError with every problem found */
export function compileExpression(source: string): Expression {
  if (source.length > MAX_EXPRESSION_CHARS) {
    throw new ExpressionError([`longer than ${MAX_EXPRESSION_CHARS} characters; split the mapping`]);
  }
  let program: ParseResult;
  try {
    program = environment.parse(source);
  } catch (error) {
    throw new ExpressionError([parseProblem(error, source, 'write several observations')]);
  }
  const problems = expressionProblems(program.ast);
  if (problems.length > 0) throw new ExpressionError(problems);
  const checked = program.check();
  if (!checked.valid)
    throw new ExpressionError([`${checked.error?.summary ?? 'cannot be checked'} (in \`${source}\`)`]);
  const path = pathOf(program.ast);
  if (path !== undefined) return { source, evaluate: (record) => follow(record, path) };
  return {
    source,
    evaluate: (record) => {
      try {
        const value: unknown = program({ record });
        return fromCel(value);
      } catch (error) {
        if (!isCelError(error)) return { is: 'error', what: 'cannot be worked out' };
        return { is: MISSING.has(error.code) ? 'missing' : 'error', what: error.summary };
      }
    },
  };
}

/** The keys of an expression that only reads, such as `record.user.id`; undefined for any other. */
function pathOf(root: ASTNode): string[] | undefined {
  const keys: string[] = [];
  let node = root;
  while (node.op === '.') {
    keys.unshift(node.args[1]);
    node = node.args[0];
  }
  return node.op === 'id' && node.args === RECORD ? keys : undefined;
}

/**
 * What most fields of a mapping are, without the interpreter: it raises an error for each key that is not there, which
 * costs more than all the rest. A test holds the two against each other.
 */
function follow(record: unknown, path: readonly string[]): Outcome {
  let value = record;
  for (const key of path) {
    value = memberOf(value, key);
    if (value === undefined) return { is: 'missing', what: `No such key: ${key}` };
  }
  return fromCel(value);
}

function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  if (value instanceof Map) return value.get(key) as unknown;
  return Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

/** A record as expressions can read it; undefined where it is nested too deep. */
export function recordForCel(record: unknown): unknown {
  return toCel(record);
}

function newEnvironment(): Environment {
  const made = new Environment({ limits: LIMITS });
  made.registerVariable(RECORD, 'dyn');
  const operators: [string, (a: number, b: number) => number][] = [
    ['+', (a, b) => a + b],
    ['-', (a, b) => a - b],
    ['*', (a, b) => a * b],
    ['/', (a, b) => a / b],
  ];
  for (const [sign, of] of operators) {
    made.registerOperator(`double ${sign} int`, (a: number, b: bigint) => of(a, Number(b)));
    made.registerOperator(`int ${sign} double`, (a: bigint, b: number) => of(Number(a), b));
  }
  return made;
}
