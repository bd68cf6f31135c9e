import { describe, expect, it } from 'vitest';
import { ConditionError, ConditionLanguage, metricNames } from '../../../src/detect/condition.js';
import { eventVariables, windowVariables } from '../../../src/detect/vocabulary.js';
import type { Assessment } from '../../../src/detect/port.js';
import { assessCall, assessMetric } from './assessments.js';

const MEASURES = new Set(['requestTool', 'newTarget']);
const language = new ConditionLanguage<Assessment>(eventVariables(MEASURES, ['latencyMs']));
const windowLanguage = new ConditionLanguage(windowVariables(MEASURES));

function problemsOf(source: string): readonly string[] {
  try {
    language.compile(source);
  } catch (error) {
    if (error instanceof ConditionError) return error.problems;
    throw error;
  }
  return [];
}

const call = assessCall({
  tool: 'send_money',
  effect: 'write',
  targets: [{ field: 'to', kind: 'iban', value: 'DE123', origin: 'result' }],
  session: { calls: 4, declared: true },
  measures: { requestTool: { nats: 5.5, sampleSize: 40, observed: 'send_money', expected: 'read' } },
});

describe('conditions that load', () => {
  it.each<[string, boolean]>([
    ['true', true],
    ['tool == "send_money" && session.calls > 3', true],
    ['session.calls == 4', true],
    ['4 == session.calls', true],
    ['session.calls != 4', false],
    ['session.calls in [1, 2, 4]', true],
    ['session.calls + 1 > 4 && session.calls * 2 == 8 && session.calls / 2 <= 2', true],
    ['session.calls > 3.5 && session.calls >= 4', true],
    ['session.calls > -3', true],
    ['!session.declared || session.writes > 0', false],
    ['effect in ["write", "auth"]', true],
    ['tool in ["send_money", "pay"]', true],
    ['tool.startsWith("send_") && tool.contains("mon") && !tool.endsWith("x")', true],
    ['measure.requestTool > 5 && samples.requestTool >= 40', true],
    ['measure.newTarget > 0', false],
    ['measure.newTarget == 0 && samples.newTarget == 0', true],
    ['metric.latencyMs > 1', false],
    ['targetCount == 1 && "iban" in targetKinds && "result" in targetOrigins', true],
    ['targetValues.exists(v, v.startsWith("DE"))', true],
    ['size(targetValues) == 1 && targetFields.size() > 0', true],
    ['targetValues.filter(v, v == "x").size() == 0', true],
    ['(tool == "a" ? 1 : 2) == 2', true],
    ['tier == "" && error == "" && parentAgentId == ""', true],
    ['tools == []', true],
    ['session.calls > 3 && // why not\n  session.calls < 5', true],
  ])('%s', (source, expected) => {
    expect(language.compile(source).holds(call)).toBe(expected);
  });

  it('reads a metric by name and 0 where it is missing', () => {
    const condition = language.compile('metric.latencyMs > 100');
    expect(condition.holds(assessMetric({ latencyMs: 150 }))).toBe(true);
    expect(condition.holds(assessMetric({ other: 150 }))).toBe(false);
    expect(condition.holds(assessMetric({}))).toBe(false);
  });

  it('says which metrics a condition reads', () => {
    expect(metricNames('metric.latencyMs > 1 && tools.exists(t, metric.costUsd > 2)').sort()).toEqual([
      'costUsd',
      'latencyMs',
    ]);
    expect(metricNames('metric.__proto__ > 1 && metric.constructor > 2')).toEqual([]);
    expect(metricNames('metric. >')).toEqual([]);
  });

  it('reads guards off the outermost terms only', () => {
    const guards = language.compile('tool in ["a", "b"] && measure.requestTool > 3 && session.calls > 1').guards;
    expect([...(guards.tools ?? [])]).toEqual(['a', 'b']);
    expect([...guards.leastNats]).toEqual([['requestTool', 3]]);
    expect(language.compile('tool == "a" || session.calls > 1').guards.tools).toBeUndefined();
    expect(language.compile('!(tool == "a")').guards.tools).toBeUndefined();
    expect([...(language.compile('"a" == tool && tool in ["a", "b"]').guards.tools ?? [])]).toEqual(['a']);
  });
});

describe('conditions that are refused, with the fix', () => {
  it.each<[string, string]>([
    ['sesion.calls > 3', 'unknown variable "sesion.calls"; did you mean "session.calls"? (at `sesion.calls`)'],
    ['session.cals > 3', 'did you mean "session.calls"?'],
    ['session_calls > 3', 'did you mean "session.calls"?'],
    ['calls > 3', 'did you mean "session.calls"?'],
    ['tol == "x"', 'did you mean "tool"?'],
    ['agent_id == "x"', 'did you mean "agentId"?'],
    ['measure.requesttool > 3', 'did you mean "measure.requestTool"?'],
    ['measure.nothingLikeIt > 3', 'unknown variable "measure.nothingLikeIt" (at'],
    ['window.calls > 3', 'unknown variable "window.calls"'],
    ['session', '"session" is a group; name one of its fields: session.calls'],
    ['tool.length > 3', '"tool" has no fields'],
    ['tool', 'gives text, not true or false; compare it with something'],
    ['session.calls', 'gives number, not true or false'],
    [
      'tool > 3',
      'cannot be compared or combined: text > number; write texts in quotes and numbers without (at `tool > 3.0`)',
    ],
    ['tool == 3', 'text == number'],
    ['session.calls == "3"', 'number == text; write texts in quotes and numbers without'],
    ['session.declared == "yes"', 'a flag stands alone'],
    ['tool && session.declared', '&& and || join comparisons'],
    ['tool in ["a", 3]', 'write all texts, or all numbers'],
    ['tool.startsWith(3)', "there is no 'text.startsWith(number)'"],
    [
      'effect == "wirte"',
      'effect is never "wirte"; did you mean "write"? It is one of: read, write, auth, unknown, ""',
    ],
    ['decision in ["allow", "denied"]', 'decision is never "denied"'],
    ['"toolcall" == kind', 'did you mean "tool_call"?'],
    ['tool.matches("(a+)+$")', 'make them run for minutes; use startsWith, endsWith, contains or in'],
    ['matches(tool, "a")', 'regular expressions are refused'],
    ['session.calls > 3 && (tool == "x" || !tool.matches("a"))', 'regular expressions are refused'],
    ['targetValues.exists(v, v.matches("a"))', 'regular expressions are refused'],
    ['(tool + "").matches(tool)', 'regular expressions are refused'],
    ['true ? tool.matches("a") : false', 'regular expressions are refused'],
    ['has(session.calls)', 'has() is not needed'],
    ['tool.strtsWith("a")', '"strtsWith" is not available in conditions; did you mean "startsWith"?'],
    ['dyn(tool) == 3', '"dyn" is not available in conditions; use startsWith'],
    ['int(tool) > 3', '"int" is not available'],
    ['cel.bind(x, tool, x == "a")', '"bind" is not available'],
    ['tools.map(t, t + "x") == []', '"map" is not available'],
    ['tools[0] == "a"', 'indexing is refused'],
    ['session["calls"] > 3', 'indexing is refused'],
    ['{"a": 1}.a == 1', '"a" cannot be read here'],
    ['tool in {"a": 1}', 'maps cannot be written'],
    ['session.calls > 0x10', 'write a decimal number'],
    ['session.calls > 3u', 'write a plain number'],
    ['session.calls > 99999999999999999999', 'write a decimal number'],
    ['tool == null', 'nothing is ever null'],
    ['tool == b"x"', 'write a plain number such as 3 or 0.5, or a text in quotes'],
    ['session.calls / session.writes > 2', 'divide by a number other than 0'],
    ['session.calls / 0 > 2', 'divide by a number other than 0'],
    ['session.calls % 2 == 0', 'the remainder is not available'],
    ['tools.exists(a, targetValues.exists(b, a == b))', 'a loop inside a loop is refused'],
    ['tools.exists(tool, tool == "a")', '"tool" is already a variable; choose another name'],
    ['tool == ', 'cannot be read: Unexpected token: EOF (near `tool == `, character 9)'],
    ['', 'cannot be read'],
    ['tool = "x"', 'cannot be read'],
    ['tools.exists(1, true)', 'cannot be read: exists(var, predicate) invalid predicate iteration variable'],
  ])('%s', (source, expected) => {
    expect(problemsOf(source).join('\n')).toContain(expected);
  });

  it.each<[string, string, string]>([
    [
      'nesting',
      `${'('.repeat(40)}true${')'.repeat(40)}`,
      'too large: Exceeded maxDepth (24) (nested too deep); split it',
    ],
    ['parts', Array.from({ length: 220 }, () => 'revision>1').join('||'), 'too many parts'],
    ['a list', `tool in [${Array.from({ length: 300 }, () => '"x"').join(',')}]`, 'a list is too long'],
    ['its text', `tool == "${'x'.repeat(5000)}"`, 'longer than 4000 characters'],
  ])('too much of %s', (_, source, expected) => {
    expect(problemsOf(source).join('\n')).toContain(expected);
  });

  it('lists every problem of a condition, not the first alone', () => {
    expect(problemsOf('tol == "x" && sesion.calls > 3 && effect == "wirte"')).toHaveLength(3);
  });

  it('keeps the lanes apart', () => {
    expect(() => windowLanguage.compile('tool == "x"')).toThrow(/unknown variable "tool"/);
    expect(() => windowLanguage.compile('silent.reasonng')).toThrow(/did you mean "silent.reasoning"/);
    expect(windowLanguage.compile('silent.reasoning && window.writes > 0').reads).toEqual(
      new Set(['silent.reasoning', 'window.writes']),
    );
  });
});

describe('hostile values', () => {
  it('cannot make a condition throw, whatever an agent writes', () => {
    const hostile = assessCall({
      tool: '__proto__',
      effect: 'write',
      targets: [{ field: 'constructor', kind: 'toString', value: '\u0000\ud800', origin: 'none' }],
    });
    const sources = [
      'tool == "__proto__" && targetValues.exists(v, v.contains("x") || v.size() > 0)',
      'targetKinds.all(k, k.lowerAscii() != "")',
      'measure.requestTool > 0 || metric.latencyMs > 0 || tools.size() == 0',
    ];
    for (const source of sources) expect(language.compile(source).holds(hostile)).toBe(true);
  });

  it('refuses to declare a metric named like something every object has', () => {
    expect(() => new ConditionLanguage(eventVariables(MEASURES, ['__proto__']))).toThrow(RangeError);
    expect(problemsOf('metric.constructor > 1').join()).toContain('unknown variable "metric.constructor"');
  });
});
