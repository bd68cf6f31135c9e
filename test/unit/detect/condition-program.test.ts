import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConditionLanguage } from '../../../src/detect/condition.js';
import type { Assessment } from '../../../src/detect/port.js';
import { eventVariables } from '../../../src/detect/vocabulary.js';
import { assessCall } from './assessments.js';

const language = new ConditionLanguage<Assessment>(eventVariables(new Set(['newTarget']), []));

const TEXTS = ['', 'pay', 'pay_all', 'PAY', ' x ', '😀', '__proto__', 'a"b'];
const quoted = fc.constantFrom(...TEXTS).map((text) => JSON.stringify(text));
const digits = fc.constantFrom('0', '1', '2', '3', '2.5', '-1', '7', '1e3');

/** Conditions of every shape that loads, as source text. */
const { flag } = fc.letrec<{ flag: string; number: string; text: string; list: string; inner: string }>((tie) => ({
  number: fc.oneof(
    { maxDepth: 3 },
    digits,
    fc.constantFrom('session.calls', 'session.writes', 'measure.newTarget', 'targetCount', 'argBytes'),
    fc.tuple(tie('number'), fc.constantFrom('+', '-', '*'), tie('number')).map(([a, op, b]) => `(${a} ${op} ${b})`),
    fc.tuple(tie('number'), fc.constantFrom('2', '0.5')).map(([a, b]) => `(${a} / ${b})`),
    tie('number').map((a) => `(-${a.startsWith('-') ? `(${a})` : a})`),
  ),
  text: fc.oneof(
    { maxDepth: 2 },
    quoted,
    fc.constantFrom('tool', 'operation', 'sessionId'),
    fc.tuple(tie('text'), fc.constantFrom('trim', 'lowerAscii', 'upperAscii')).map(([a, method]) => `${a}.${method}()`),
    fc.tuple(tie('text'), tie('text')).map(([a, b]) => `(${a} + ${b})`),
  ),
  list: fc.oneof(
    { maxDepth: 2 },
    fc.constantFrom('targetValues', 'targetKinds', 'tools'),
    fc.array(quoted, { minLength: 1, maxLength: 3 }).map((all) => `[${all.join(', ')}]`),
    fc.tuple(fc.constantFrom('targetValues', 'tools'), tie('inner')).map(([a, b]) => `${a}.filter(v, ${b})`),
    fc.tuple(fc.constant('targetValues'), fc.constant('targetKinds')).map(([a, b]) => `(${a} + ${b})`),
  ),
  inner: fc.oneof(
    fc.tuple(fc.constant('v'), fc.constantFrom('==', '!=', '<'), quoted).map((parts) => parts.join(' ')),
    fc
      .tuple(fc.constantFrom('startsWith', 'endsWith', 'contains'), tie('text'))
      .map(([method, a]) => `v.${method}(${a})`),
    digits.map((n) => `v.size() > ${n}`),
    fc.constant('v in targetKinds'),
  ),
  flag: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('true', 'false', 'session.declared', 'session.exposed'),
    fc
      .tuple(tie('number'), fc.constantFrom('==', '!=', '<', '<=', '>', '>='), tie('number'))
      .map((p) => `(${p.join(' ')})`),
    fc
      .tuple(tie('text'), fc.constantFrom('==', '!=', '<', '<=', '>', '>='), tie('text'))
      .map((p) => `(${p.join(' ')})`),
    fc.tuple(tie('list'), fc.constantFrom('==', '!='), tie('list')).map((p) => `(${p.join(' ')})`),
    fc.tuple(tie('text'), tie('list')).map(([a, b]) => `(${a} in ${b})`),
    fc
      .tuple(tie('number'), fc.array(digits, { minLength: 1, maxLength: 3 }))
      .map(([a, b]) => `(${a} in [${b.join(', ')}])`),
    fc
      .tuple(tie('list'), fc.constantFrom('exists', 'all', 'exists_one'), tie('inner'))
      .map(([a, loop, b]) => `${a}.${loop}(v, ${b})`),
    fc
      .tuple(tie('text'), fc.constantFrom('startsWith', 'endsWith', 'contains'), tie('text'))
      .map(([a, m, b]) => `${a}.${m}(${b})`),
    fc.tuple(tie('list'), digits).map(([a, b]) => `(size(${a}) == ${b} || ${a}.size() > ${b})`),
    fc.tuple(tie('text'), digits).map(([a, b]) => `(${a}.size() <= ${b})`),
    fc.tuple(tie('flag'), fc.constantFrom('&&', '||', '==', '!='), tie('flag')).map((p) => `(${p.join(' ')})`),
    tie('flag').map((a) => `!${a}`),
    fc.tuple(tie('flag'), tie('flag'), tie('flag')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
  ),
}));

const subject = fc
  .record({
    tool: fc.constantFrom(...TEXTS),
    calls: fc.constantFrom(0, 1, 2, 3, 2.5, Number.NaN, Infinity),
    nats: fc.constantFrom(0, 2, 7, Infinity),
    declared: fc.boolean(),
    values: fc.array(fc.constantFrom(...TEXTS), { maxLength: 4 }),
  })
  .map(({ tool, calls, nats, declared, values }) =>
    assessCall({
      tool,
      session: { calls, declared },
      measures: { newTarget: { nats, sampleSize: 1, observed: '', expected: '' } },
      targets: values.map((value, i) => ({ field: 'to', kind: TEXTS[i] ?? '', value, origin: 'none' })),
    }),
  );

describe('compiled conditions', () => {
  it('say what the interpreter of the CEL library says, and neither of them ever fails', () => {
    const answers = { true: 0, false: 0 };
    fc.assert(
      fc.property(flag, fc.array(subject, { minLength: 1, maxLength: 4 }), (source, subjects) => {
        const condition = language.compile(source);
        for (const one of subjects) {
          const answer = condition.holds(one);
          expect([source, answer]).toEqual([source, condition.interpreted(one)]);
          answers[`${answer}`]++;
        }
      }),
      { numRuns: 3000 },
    );
    // A generator that only made constants would prove nothing.
    expect(Math.min(answers.true, answers.false)).toBeGreaterThan(500);
  });

  it('never hold where their guards do not', () => {
    const term = fc.oneof(
      flag,
      quoted.map((tool) => `tool == ${tool}`),
      digits.map((n) => `measure.newTarget > ${n}`),
      fc.constant('tool in ["pay", "x"]'),
      fc.tuple(quoted, flag).map(([tool, other]) => `(tool == ${tool} || ${other})`),
    );
    const terms = fc.array(term, { minLength: 1, maxLength: 4 }).map((all) => all.join(' && '));
    let guarded = 0;
    fc.assert(
      fc.property(terms, subject, (source, one) => {
        const condition = language.compile(source);
        const { guards } = condition;
        const { observation } = one;
        const tool = 'tool' in observation ? (observation.tool ?? '') : '';
        const nats = one.measures.get('newTarget')?.nats ?? 0;
        const passed = (guards.tools?.has(tool) ?? true) && nats >= (guards.leastNats.get('newTarget') ?? 0);
        if (passed) return;
        guarded++;
        expect([source, condition.holds(one)]).toEqual([source, false]);
      }),
      { numRuns: 2000 },
    );
    expect(guarded).toBeGreaterThan(100);
  });
});
