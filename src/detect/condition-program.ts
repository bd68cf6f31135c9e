import type { ASTNode } from '@marcbachmann/cel-js';
import type { VariableValue } from './vocabulary.js';

type Value = string | number | boolean | readonly Value[];
/** @param element what the name of a loop over a list stands for just now */
type Step<S> = (subject: S, element: Value) => Value;
type Reader<S> = (name: string) => ((subject: S) => VariableValue) | undefined;
type Two = readonly [left: Value, right: Value];

/**
 * Turns a checked condition into nested JavaScript closures: five to ten times faster than the interpreter of the CEL
 * library, which stays the judge (a test holds the two against each other on generated conditions).
 *
 * Small because of what was refused before: all numbers are doubles, nothing is missing, nothing can fail, loops do not
 * nest. The type checker has made sure that operands have the types that the operators here assume.
 *
 * @param reader how to read a variable by its full name
 */
export function conditionProgram<S>(root: ASTNode, reader: Reader<S>): (subject: S) => boolean {
  const step = stepOf(root, reader);
  return (subject) => step(subject, false) === true;
}

function stepOf<S>(node: ASTNode, reader: Reader<S>): Step<S> {
  switch (node.op) {
    case 'value':
      return constant(literal(node));
    case 'id': {
      const read = reader(node.args);
      return read ?? ((_, element) => element);
    }
    case '.': {
      const [owner, key] = node.args;
      const read = owner.op === 'id' ? reader(`${owner.args}.${key}`) : undefined;
      if (read === undefined) throw new RangeError(`.${key} was not declared`);
      return read;
    }
    case 'list': {
      const elements = node.args.map((element) => stepOf(element, reader));
      if (node.args.every(({ op }) => op === 'value')) return constant(node.args.map(literal));
      return (subject, element) => elements.map((step) => step(subject, element));
    }
    case '&&': {
      const [left, right] = pair(node.args, reader);
      return (subject, element) => left(subject, element) === true && right(subject, element) === true;
    }
    case '||': {
      const [left, right] = pair(node.args, reader);
      return (subject, element) => left(subject, element) === true || right(subject, element) === true;
    }
    case '!_': {
      const step = stepOf(node.args, reader);
      return (subject, element) => step(subject, element) !== true;
    }
    case '-_': {
      const step = stepOf(node.args, reader);
      return (subject, element) => -Number(step(subject, element));
    }
    case '?:': {
      const condition = stepOf(node.args[0], reader);
      const [then, otherwise] = pair([node.args[1], node.args[2]], reader);
      return (subject, element) => (condition(subject, element) === true ? then : otherwise)(subject, element);
    }
    case 'call':
    case 'rcall':
      return callOf(node, reader);
    case 'in':
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case '+':
    case '-':
    case '*':
    case '/': {
      const quick = againstLiteral(node, reader);
      if (quick !== undefined) return quick;
      const [left, right] = pair(node.args, reader);
      const combine = OPERATORS[node.op];
      return (subject, element) => combine(left(subject, element), right(subject, element));
    }
    case '.?':
    case '[]':
    case '[?]':
    case '%':
    case 'map':
      throw new RangeError(`${node.op} is refused before it gets here`);
  }
  return node satisfies never;
}

function pair<S>(sides: readonly [ASTNode, ASTNode], reader: Reader<S>): [Step<S>, Step<S>] {
  return [stepOf(sides[0], reader), stepOf(sides[1], reader)];
}

/** Nearly all terms compare a variable with a literal: one call in place of three. */
function againstLiteral<S>(node: ASTNode, reader: Reader<S>): Step<S> | undefined {
  if (node.op !== '==' && node.op !== '!=' && node.op !== '>' && node.op !== '>=') return undefined;
  const [side, other] = node.args;
  if (other.op !== 'value') return undefined;
  const left = stepOf(side, reader);
  const right = literal(other);
  if (node.op === '==') return (subject, element) => left(subject, element) === right;
  if (node.op === '!=') return (subject, element) => left(subject, element) !== right;
  if (typeof right !== 'number') return undefined;
  if (node.op === '>') return (subject, element) => Number(left(subject, element)) > right;
  return (subject, element) => Number(left(subject, element)) >= right;
}

function constant<S>(value: Value): Step<S> {
  return () => value;
}

function literal(node: ASTNode): Value {
  const value = node.op === 'value' ? node.args : undefined;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  throw new RangeError('not a literal that conditions may hold');
}

/** `<` on two numbers or two texts; the checker has refused everything else, which TypeScript cannot know. */
function less(...[left, right]: Two): boolean {
  return (left as number) < (right as number);
}

function atMost(...[left, right]: Two): boolean {
  return (left as number) <= (right as number);
}

const OPERATORS: Record<
  'in' | '==' | '!=' | '<' | '<=' | '>' | '>=' | '+' | '-' | '*' | '/',
  (...sides: Two) => Value
> = {
  in: (left, right) => isList(right) && right.some((element) => same(left, element)),
  '==': same,
  '!=': (left, right) => !same(left, right),
  '<': less,
  '<=': atMost,
  '>': (left, right) => less(right, left),
  '>=': (left, right) => atMost(right, left),
  '+': (left, right) => {
    if (typeof left === 'string') return `${left}${String(right)}`;
    return isList(left) && isList(right) ? [...left, ...right] : Number(left) + Number(right);
  },
  '-': (left, right) => Number(left) - Number(right),
  '*': (left, right) => Number(left) * Number(right),
  '/': (left, right) => Number(left) / Number(right),
};

function same(...[left, right]: Two): boolean {
  if (!isList(left) || !isList(right)) return left === right;
  return left.length === right.length && left.every((element, i) => same(element, right[i] ?? false));
}

function isList(value: Value): value is readonly Value[] {
  return typeof value === 'object';
}

function callOf<S>(node: ASTNode & { op: 'call' | 'rcall' }, reader: Reader<S>): Step<S> {
  const name = node.args[0];
  const [on, ...rest] = node.op === 'call' ? node.args[1] : [node.args[1], ...node.args[2]];
  if (on === undefined) throw new RangeError(`${name} without anything to work on`);
  const receiver = stepOf(on, reader);
  const loop = LOOPS.get(name);
  if (loop !== undefined) {
    const body = rest[1] === undefined ? constant<S>(false) : stepOf(rest[1], reader);
    return (subject, element) => loop(listOf(receiver(subject, element)), (inner) => body(subject, inner) === true);
  }
  const method = METHODS.get(name);
  if (method === undefined) throw new RangeError(`${name} is refused before it gets here`);
  const [argument = constant<S>('')] = rest.map((arg) => stepOf(arg, reader));
  return (subject, element) => method(receiver(subject, element), argument(subject, element));
}

function listOf(value: Value): readonly Value[] {
  return isList(value) ? value : [];
}

const METHODS: ReadonlyMap<string, (...sides: Two) => Value> = new Map<string, (...sides: Two) => Value>([
  ['startsWith', (text, start) => String(text).startsWith(String(start))],
  ['endsWith', (text, end) => String(text).endsWith(String(end))],
  ['contains', (text, part) => String(text).includes(String(part))],
  ['lowerAscii', (text) => String(text).toLowerCase()],
  ['upperAscii', (text) => String(text).toUpperCase()],
  ['trim', (text) => String(text).trim()],
  ['size', (of) => (isList(of) ? of.length : codePoints(String(of)))],
]);

const LOOPS: ReadonlyMap<string, (list: readonly Value[], holds: (element: Value) => boolean) => Value> = new Map<
  string,
  (list: readonly Value[], holds: (element: Value) => boolean) => Value
>([
  ['exists', (list, holds) => list.some(holds)],
  ['all', (list, holds) => list.every(holds)],
  ['exists_one', (list, holds) => list.filter(holds).length === 1],
  ['filter', (list, holds) => list.filter(holds)],
]);

/** CEL counts characters, not halves of surrogate pairs. */
function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
