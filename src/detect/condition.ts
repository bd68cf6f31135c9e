import { Environment } from '@marcbachmann/cel-js';
import type { ASTNode, ParseError, ParseResult, TypeError as CheckError } from '@marcbachmann/cel-js';
import { parseProblem } from '../lib/cel-problems.js';
import { readGuards } from './condition-guards.js';
import type { ConditionGuards } from './condition-guards.js';
import { conditionProgram } from './condition-program.js';
import { inspectTree } from './condition-tree.js';
import type { Variable, VariableType, VariableValue } from './vocabulary.js';

/** Longest condition, characters. */
export const MAX_CONDITION_CHARS = 4000;
const LIMITS = { maxAstNodes: 400, maxDepth: 24, maxListElements: 256, maxMapEntries: 1, maxCallArguments: 4 };

/** A condition that cannot be used. Each problem is one line and says what to write instead. */
export class ConditionError extends Error {
  override name = 'ConditionError';

  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/** A condition that was parsed, refused nothing, type-checked and can be asked any number of times. */
export interface Condition<S> {
  readonly source: string;
  readonly guards: ConditionGuards;
  /** Variables it reads, by full name. */
  readonly reads: ReadonlySet<string>;
  holds(subject: S): boolean;
  /** The same by the CEL library's own interpreter: slower, and the judge of `holds` in the tests. */
  interpreted(subject: S): boolean;
}

const CEL_TYPES: Readonly<Record<VariableType, string>> = {
  text: 'string',
  number: 'double',
  flag: 'bool',
  list: 'list<string>',
};

/**
 * The language of conditions for one lane: CEL (github.com/google/cel-spec) as implemented by @marcbachmann/cel-js,
 * with every variable declared and typed, and without what a hostile value could turn into an error or a slow run.
 *
 * JavaScript numbers are doubles in CEL, whole-number literals are 64-bit integers, and CEL compares the two with `>`
 * but not with `==` or `in`. So that `session.calls == 3` works, whole-number literals are rewritten to doubles in the
 * source text before checking. In the interpreter that costs nothing (80 to 115 ns for two comparisons, with literals as
 * BigInt, mixed, or as doubles), and it lets condition-program.ts know one kind of number.
 */
export class ConditionLanguage<S> {
  readonly #variables = new Map<string, Variable<S>>();
  readonly #environment = new Environment({ limits: LIMITS });
  readonly #context: object;
  readonly #cursor: { subject: S | undefined } = { subject: undefined };

  /** @throws RangeError for names that cannot be declared, or are declared twice */
  constructor(variables: readonly Variable<S>[]) {
    for (const variable of variables) {
      if (this.#variables.has(variable.name)) throw new RangeError(`variable ${variable.name} is declared twice`);
      if (!isVariableName(variable.name)) throw new RangeError(`"${variable.name}" cannot be a variable's name`);
      this.#variables.set(variable.name, variable);
    }
    this.#context = this.#declare();
    // `size()` gives an integer and cannot be redeclared: let it be compared with the doubles that literals become.
    this.#environment.registerOperator('double == int', (a: number, b: bigint) => a === Number(b));
  }

  /** Every variable, in the order of the documentation. */
  get variables(): readonly Variable<S>[] {
    return [...this.#variables.values()];
  }

  /** How to read a variable, or undefined when there is none of that name. */
  reader(name: string): ((subject: S) => VariableValue) | undefined {
    return this.#variables.get(name)?.read;
  }

  /** @throws ConditionError with every problem found */
  compile(source: string): Condition<S> {
    if (source.length > MAX_CONDITION_CHARS) {
      throw new ConditionError([`longer than ${MAX_CONDITION_CHARS} characters; split it into several detectors`]);
    }
    const findings = inspectTree(this.#parse(source).ast, this.#variables);
    if (findings.problems.length > 0) throw new ConditionError(findings.problems);
    const program = this.#parse(withDoubles(source, findings.integers));
    // Guards are read before checking, which expands macros inside the tree.
    const guards = readGuards(program.ast);
    const checked = program.check();
    if (!checked.valid) throw new ConditionError([typeProblem(checked.error)]);
    if (checked.type !== 'bool') {
      throw new ConditionError([
        `gives ${plainTypes(checked.type ?? 'something else')}, not true or false; compare it with something, for example \`== "x"\` or \`> 3\``,
      ]);
    }
    const cursor = this.#cursor;
    const context = this.#context;
    return {
      source,
      guards,
      reads: findings.reads,
      holds: conditionProgram(program.ast, (name) => this.reader(name)),
      interpreted(subject) {
        cursor.subject = subject;
        const answer: unknown = program(context);
        return answer === true;
      },
    };
  }

  #parse(source: string): ParseResult {
    try {
      return this.#environment.parse(source);
    } catch (error) {
      throw new ConditionError([parseProblem(error, source, 'split it into several detectors')]);
    }
  }

  /** Declares all variables and makes the object that conditions read: getters over the current subject. */
  #declare(): object {
    const context: object = Object.create(null);
    const groups = new Map<string, Variable<S>[]>();
    for (const variable of this.#variables.values()) {
      const dot = variable.name.indexOf('.');
      if (dot < 0) {
        this.#environment.registerVariable(variable.name, CEL_TYPES[variable.type], { description: variable.about });
        this.#addGetter(context, variable.name, variable);
      } else {
        const group = variable.name.slice(0, dot);
        groups.set(group, [...(groups.get(group) ?? []), variable]);
      }
    }
    for (const [group, members] of groups) {
      const keyOf = (member: Variable<S>) => member.name.slice(group.length + 1);
      const addGetter = (holder: object, member: Variable<S>) => this.#addGetter(holder, keyOf(member), member);
      // CEL knows a type by its constructor, so every group needs its own; there is nothing else to it.
      // oxlint-disable-next-line typescript/no-extraneous-class
      const Group = class {};
      for (const member of members) addGetter(Group.prototype, member);
      const fields = Object.fromEntries(members.map((member) => [keyOf(member), CEL_TYPES[member.type]]));
      this.#environment.registerType(`group_${group}`, { ctor: Group, fields });
      this.#environment.registerVariable(group, `group_${group}`);
      Object.defineProperty(context, group, { value: new Group() });
    }
    return context;
  }

  #addGetter(holder: object, key: string, variable: Variable<S>): void {
    const cursor = this.#cursor;
    const { read } = variable;
    Object.defineProperty(holder, key, {
      get: () => (cursor.subject === undefined ? undefined : read(cursor.subject)),
    });
  }
}

/**
 * Names of metrics that a condition reads (`metric.latencyMs`): metrics have no closed list, so what conditions mention
 * is what gets declared. Anything that cannot be parsed has none; compiling it will say why.
 */
export function metricNames(source: string): string[] {
  if (source.length > MAX_CONDITION_CHARS || !source.includes('metric')) return [];
  let root: ASTNode;
  try {
    root = new Environment({ limits: LIMITS }).parse(source).ast;
  } catch {
    return [];
  }
  const names: string[] = [];
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const next = pending.pop();
    if (Array.isArray(next)) pending.push(...next);
    else if (isNode(next)) {
      if (next.op === '.' && next.args[0].op === 'id' && next.args[0].args === 'metric') names.push(next.args[1]);
      pending.push(next.args);
    }
  }
  return names.filter((name) => isVariableName(`metric.${name}`));
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}

/** Every part an identifier, and none that an object has from birth (`constructor`, `__proto__`). */
function isVariableName(name: string): boolean {
  const parts = name.split('.');
  return parts.length <= 2 && parts.every((part) => /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(part) && !(part in {}));
}

function withDoubles(source: string, integers: readonly { start: number; end: number }[]): string {
  let out = '';
  let from = 0;
  for (const { start, end } of [...integers].sort((a, b) => a.start - b.start)) {
    out += `${source.slice(from, start)}${source.slice(start, end)}.0`;
    from = end;
  }
  return out + source.slice(from);
}

function typeProblem(error: ParseError | CheckError | undefined): string {
  if (error === undefined) return 'cannot be type-checked';
  const piece = error.range === undefined ? '' : (error.node?.input ?? '').slice(error.range.start, error.range.end);
  const where = piece === '' ? '' : ` (at \`${piece.replaceAll('\n', ' ').slice(0, 80)}\`)`;
  return `${plainTypes(error.summary)}${typeFix(error.code, error.summary)}${where}`;
}

function typeFix(code: string, summary: string): string {
  switch (code) {
    case 'no_such_overload':
      if (summary.includes('string') && (summary.includes('double') || summary.includes('int'))) {
        return '; write texts in quotes and numbers without';
      }
      return summary.includes('string') && summary.includes('bool')
        ? '; a flag stands alone, as in `session.declared` or `!session.declared`'
        : '; both sides must have the same type';
    case 'invalid_logical_operand':
      return '; && and || join comparisons, as in `tool == "x" && session.calls > 3`';
    case 'heterogeneous_list_element':
      return '; write all texts, or all numbers';
    case 'no_matching_overload':
      return '; check what it is called on and with';
    default:
      return '';
  }
}

/** CEL's names of types in the words of the documentation. */
function plainTypes(summary: string): string {
  return summary
    .replaceAll('list<string>', 'list')
    .replaceAll(/\bstring\b/g, 'text')
    .replaceAll(/\b(?:double|int)\b/g, 'number')
    .replaceAll(/\bbool\b/g, 'flag')
    .replaceAll('found no matching overload for', 'there is no')
    .replaceAll('no such overload:', 'cannot be compared or combined:');
}
