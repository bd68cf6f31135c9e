import type { ASTNode } from '@marcbachmann/cel-js';
import { excerpt, NO_PATTERNS } from '../lib/cel-problems.js';
import { didYouMean } from '../lib/nearest-name.js';
import type { VariableType } from './vocabulary.js';

/** A name as conditions may use it. */
export interface KnownName {
  name: string;
  type: VariableType;
  values?: readonly string[];
}

/** What was found in a condition before it is type-checked. */
export interface TreeFindings {
  /** One line each, with the fix. */
  problems: string[];
  /** Where whole-number literals stand in the source; they become doubles, see condition.ts. */
  integers: { start: number; end: number }[];
  /** Variables read, by full name. */
  reads: Set<string>;
}

const METHODS = new Set(['startsWith', 'endsWith', 'contains', 'size', 'lowerAscii', 'upperAscii', 'trim']);
/** The first argument of these is the name that stands for one element. */
const OVER_LISTS = new Set(['exists', 'all', 'exists_one', 'filter']);
const LEFT_OUT: Readonly<Record<string, string>> = {
  matches: NO_PATTERNS,
  has: 'has() is not needed: a fact that is missing reads as "", 0, false or []; compare it instead',
};
const FUNCTION_FIX = `use ${[...METHODS].join(', ')}, ${[...OVER_LISTS].join(', ')} or in`;

/**
 * Walks a parsed condition and refuses everything whose cost or outcome an agent could steer at run time: native
 * regular expressions, nested loops over lists, indexing, conversions, division by something that may be zero. What is
 * left always ends with true or false.
 */
export function inspectTree(root: ASTNode, names: ReadonlyMap<string, KnownName>): TreeFindings {
  const inspector = new TreeInspector(names);
  inspector.visit(root, []);
  return inspector.findings;
}

class TreeInspector {
  readonly findings: TreeFindings = { problems: [], integers: [], reads: new Set() };
  readonly #names: ReadonlyMap<string, KnownName>;
  readonly #groups: ReadonlySet<string>;

  constructor(names: ReadonlyMap<string, KnownName>) {
    this.#names = names;
    this.#groups = new Set([...names.keys()].filter((name) => name.includes('.')).map((name) => groupOf(name)));
  }

  /** @param bound names that stand for list elements here */
  visit(node: ASTNode, bound: readonly string[]): void {
    switch (node.op) {
      case 'value':
        return this.#literal(node);
      case 'id':
        if (!bound.includes(node.args)) this.#name(node.args, node);
        return;
      case '.':
        return this.#field(node, bound);
      case '.?':
      case '[]':
      case '[?]':
        return this.#refuse(
          node,
          'indexing is refused, because a missing element would be an error; use a dotted name, in or exists',
        );
      case 'call':
        return this.#call(node, bound);
      case 'rcall':
        return this.#method(node, bound);
      case 'map':
        return this.#refuse(node, 'maps cannot be written in a condition; use a list and in');
      case 'list':
        for (const element of node.args) this.visit(element, bound);
        return;
      case '?:':
        for (const part of node.args) this.visit(part, bound);
        return;
      case '!_':
      case '-_':
        return this.visit(node.args, bound);
      case '%':
        return this.#refuse(node, 'the remainder is not available; compare with <, <=, >, >= instead');
      case '/':
        if (!isNonZero(node.args[1])) this.#refuse(node, 'divide by a number other than 0, or multiply the other side');
        break;
      case '==':
      case '!=':
      case 'in':
        this.#closedValues(node.args[0], node.args[1]);
        this.#closedValues(node.args[1], node.args[0]);
        break;
      case '&&':
      case '||':
      case '+':
      case '-':
      case '*':
      case '<':
      case '<=':
      case '>':
      case '>=':
        break;
    }
    for (const side of node.args) this.visit(side, bound);
  }

  #literal(node: ASTNode & { op: 'value' }): void {
    const value = node.args;
    if (typeof value === 'bigint') {
      const digits = excerpt(node);
      const decimal = /^[0-9]+$/.test(digits);
      if (decimal && value <= BigInt(Number.MAX_SAFE_INTEGER)) {
        this.findings.integers.push({ start: node.range.start, end: node.range.end });
      } else this.#refuse(node, `write a decimal number up to ${Number.MAX_SAFE_INTEGER}`);
    } else if (value === null) {
      this.#refuse(node, 'nothing is ever null: a fact that is missing reads as "", 0, false or []');
    } else if (typeof value === 'object') {
      this.#refuse(node, 'write a plain number such as 3 or 0.5, or a text in quotes');
    }
  }

  #name(name: string, node: ASTNode): void {
    if (this.#names.has(name)) this.findings.reads.add(name);
    else if (this.#groups.has(name)) {
      const fields = [...this.#names.keys()].filter((known) => groupOf(known) === name);
      this.#refuse(node, `"${name}" is a group; name one of its fields: ${fields.slice(0, 12).join(', ')}`);
    } else this.#refuse(node, `unknown variable "${name}"${didYouMean(name, this.#names.keys())}`);
  }

  #field(node: ASTNode & { op: '.' }, bound: readonly string[]): void {
    const [owner, key] = node.args;
    if (owner.op !== 'id' || bound.includes(owner.args)) {
      this.#refuse(node, `"${key}" cannot be read here: only groups such as session have fields`);
      return;
    }
    const name = `${owner.args}.${key}`;
    if (this.#names.has(name)) this.findings.reads.add(name);
    else if (this.#names.has(owner.args)) this.#refuse(node, `"${owner.args}" has no fields`);
    else this.#refuse(node, `unknown variable "${name}"${didYouMean(name, this.#names.keys())}`);
  }

  #call(node: ASTNode & { op: 'call' }, bound: readonly string[]): void {
    const [name, args] = node.args;
    if (name !== 'size') return this.#refuseFunction(node, name);
    for (const arg of args) this.visit(arg, bound);
  }

  #method(node: ASTNode & { op: 'rcall' }, bound: readonly string[]): void {
    const [name, receiver, args] = node.args;
    if (!METHODS.has(name) && !OVER_LISTS.has(name)) return this.#refuseFunction(node, name);
    this.visit(receiver, bound);
    if (!OVER_LISTS.has(name)) {
      for (const arg of args) this.visit(arg, bound);
      return;
    }
    const [element, body] = args;
    if (element?.op !== 'id' || body === undefined) return;
    if (bound.length > 0) return this.#refuse(node, 'a loop inside a loop is refused; split it into two detectors');
    if (this.#names.has(element.args) || this.#groups.has(element.args)) {
      return this.#refuse(node, `"${element.args}" is already a variable; choose another name for the element`);
    }
    this.visit(body, [...bound, element.args]);
  }

  #refuseFunction(node: ASTNode, name: string): void {
    const reason = Object.hasOwn(LEFT_OUT, name) ? LEFT_OUT[name] : undefined;
    const known = [...METHODS, ...OVER_LISTS];
    this.#refuse(
      node,
      reason ?? `"${name}" is not available in conditions${didYouMean(name, known) || `; ${FUNCTION_FIX}`}`,
    );
  }

  /** `effect == "wirte"` would load and stay silent for ever: closed texts are held against their values. */
  #closedValues(subject: ASTNode, other: ASTNode): void {
    const values = subject.op === 'id' ? this.#names.get(subject.args)?.values : undefined;
    if (values === undefined || subject.op !== 'id') return;
    for (const literal of other.op === 'list' ? other.args : [other]) {
      if (literal.op !== 'value' || typeof literal.args !== 'string' || values.includes(literal.args)) continue;
      const all = values.map((value) => (value === '' ? '""' : value)).join(', ');
      this.#refuse(
        literal,
        `${subject.args} is never ${JSON.stringify(literal.args)}${didYouMean(literal.args, values)} It is one of: ${all}`,
      );
    }
  }

  #refuse(node: ASTNode, problem: string): void {
    this.findings.problems.push(`${problem} (at \`${excerpt(node)}\`)`);
  }
}

function groupOf(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf('.')));
}

function isNonZero(node: ASTNode): boolean {
  return (
    node.op === 'value' && (typeof node.args === 'bigint' || typeof node.args === 'number') && Number(node.args) !== 0
  );
}
