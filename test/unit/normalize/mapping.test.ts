import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STREAMS, type Observation } from '../../../src/model/observation.js';
import {
  compileExpression,
  ExpressionError,
  recordForCel,
  type Outcome,
} from '../../../src/normalize/mapping/expression.js';
import { MappingError, MappingFolder, readMapping } from '../../../src/normalize/mapping/mapping-folder.js';
import { eventually } from '../../support/eventually.js';
import { repositoryRoot } from '../../support/recorded.js';
import { decision } from '../../support/records/opa.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const context = {
  principal: { id: 'k', role: 'ingest' as const, tenant: 't', streams: new Set(STREAMS), agents: ['*'] },
  observedAt: 1,
  seed: 7,
};

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

function write(name: string, text: string): string {
  const path = join(directory.path, name);
  writeFileSync(path, text);
  return path;
}

const CHAT = `match: record.event == "chat"
observations:
  - stream: reasoning
    kind: prompt
    fields:
      id: record.id
      time: record.at * 1000
      agentId: record.bot
      sessionId: record.thread
      text: record.question
  - when: has(record.cost)
    stream: metric
    kind: sample
    fields:
      id: record.id
      time: record.at * 1000
      agentId: record.bot
      values.costUsd: record.cost
      values.tokens: record.usage.tokens
    constants:
      values.requests: 1
`;
const chat = { event: 'chat', id: 17, at: 1_764_000_000.5, bot: 'helper', question: 'why?' };

function mapped(text: string, record: unknown) {
  return readMapping(write('chat.yaml', text)).normalizer.normalize(record, context);
}
const seen = (text: string, record: unknown): Observation[] =>
  mapped(text, record).map((one) => {
    if (!one.ok) throw new Error(`${one.field}: ${one.reason}`);
    return one.observation;
  });
function problems(text: string): readonly string[] {
  try {
    readMapping(write('chat.yaml', text));
  } catch (error) {
    if (error instanceof MappingError) return error.problems;
    throw error;
  }
  return [];
}

describe('a mapping', () => {
  it('makes observations of a record, leaving out what it does not have', () => {
    const both = seen(CHAT, { ...chat, cost: 0.25 });
    expect(both).toMatchObject([
      { kind: 'prompt', agentId: 'helper', time: 1_764_000_000_500, chars: 4 },
      { kind: 'sample', values: { costUsd: 0.25, requests: 1 } },
    ]);
    expect(both[0]?.sessionId).not.toBe('s1');
    expect(new Set(both.map(({ id }) => id)).size).toBe(2);
    expect(seen(CHAT, chat)).toHaveLength(1);
  });

  it('says nothing about records that do not match, and counts them', () => {
    const { normalizer, counters } = readMapping(write('chat.yaml', CHAT));
    expect(normalizer.normalize({ event: 'other' }, context)).toEqual([]);
    expect(normalizer.normalize(null, context)).toEqual([]);
    expect(counters).toEqual({ records: 2, unmatched: 2 });
  });

  it('refuses a record that lacks what is required, with the field and the expression', () => {
    expect(mapped(CHAT, { ...chat, bot: null })).toEqual([
      { ok: false, field: 'agentId', reason: 'the mapping finds no value: it is null (`record.bot`)' },
    ]);
    expect(mapped(CHAT, { ...chat, at: 'soon' })).toMatchObject([{ field: 'time' }]);
  });

  it('is not blinded by arguments called like parts of objects', () => {
    const hostile: unknown = JSON.parse('{"constructor": {"x": 1}, "__proto__": "y", "to": "z"}');
    const { normalizer } = readMapping(join(repositoryRoot, 'mappings', 'opa.yaml'));
    const record = decision({ input: { agent: 'a', tool: 't', args: hostile } });
    expect(normalizer.normalize(record, context)).toMatchObject([{ ok: true, observation: { tool: 't' } }]);
  });
});

describe('the shipped mapping of OPA', () => {
  const { normalizer } = readMapping(join(repositoryRoot, 'mappings', 'opa.yaml'));
  const one = (change: Record<string, unknown>) => normalizer.normalize(decision(change), context);

  it.each([
    [true, 'allow'],
    [false, 'deny'],
    [{ allow: true }, 'allow'],
    [{ allow: false }, 'deny'],
    [{ deny: ['x'] }, 'deny'],
    [undefined, 'deny'],
  ])('reads the result %j as %s', (result, expected) => {
    const record = decision();
    delete record['result'];
    const given = result === undefined ? record : { ...record, result };
    expect(normalizer.normalize(given, context)).toMatchObject([{ observation: { decision: expected } }]);
  });

  it('takes over who, what, why and by which policy', () => {
    expect(one({ result: { allow: false, reason: 'not in hours' } })).toMatchObject([
      {
        observation: {
          agentId: 'travel-agent',
          sessionId: 's1',
          tool: 'send_mail',
          reason: 'not in hours',
          ruleId: 'agents/decision',
          policyVersion: 'W3sibCI6InN5cy9jYXRhbG9n',
          time: Date.parse('2026-11-29T17:00:00.123Z'),
        },
      },
    ]);
  });

  it('reads a decision that ended in an error as one, and nothing in decisions about other things', () => {
    expect(one({ error: { code: 'eval_conflict_error' } })).toMatchObject([{ observation: { decision: 'error' } }]);
    expect(one({ input: { user: 'ann' } })).toEqual([]);
  });
});

describe('docs/sources.md', () => {
  it('shows a mapping that works', () => {
    const text = readFileSync(join(repositoryRoot, 'docs', 'sources.md'), 'utf8');
    const [, example = ''] = /## Mappings[^]*?```yaml\n([^]*?)```/.exec(text) ?? [];
    const record = {
      event: 'tool',
      uuid: 'u1',
      at: 1_764_000_000,
      bot: { name: 'b' },
      tool: 't',
      cost: 1,
      blocked: true,
    };
    expect(seen(example, record)).toMatchObject([
      { kind: 'tool_call', decision: 'deny', ruleId: 'chat-bot' },
      { kind: 'sample', values: { costUsd: 1 } },
    ]);
  });
});

describe('mistakes in a mapping', () => {
  const line = (text: string, change: (text: string) => string) => problems(change(text)).join('\n');

  it.each([
    ['kind: prompt', 'kind: promt', /chat\.yaml:4: .*there is no kind "promt" on stream reasoning/],
    [
      'agentId: record.bot\n      sessionId',
      'agent_id: record.bot\n      sessionId',
      /chat\.yaml:\d+: .*did you mean "agentId"/,
    ],
    ['      agentId: record.bot\n      sessionId', '      sessionId', /lacks "agentId", which every prompt must have/],
    ['text: record.question', 'text: record.question.matches("(a+)+$")', /regular expressions are refused/],
    ['text: record.question', 'text: question', /Unknown variable: question/],
    ['text: record.question', 'text: record.(', /chat\.yaml:10: .*cannot be read/],
    ['text: record.question', 'text: record.a.map(x, record.a.map(y, x))', /a loop inside a loop is refused/],
    ['text: record.question', 'text: record.question.lowerAsci()', /did you mean "lowerAscii"/],
    ['text: record.question', 'text: 7', /must be text; got the number 7/],
    ['values.requests: 1', 'values.requests: many', /has a value that this field cannot have/],
    ['match:', 'matches:', /chat\.yaml:1: matches: is no field here/],
  ])('%s -> %s', (from, to, expected) => {
    expect(CHAT).toContain(from);
    expect(line(CHAT, (text) => text.replace(from, to))).toMatch(expected);
  });

  it('are refused for an expression that is too long or too large', () => {
    expect(() => compileExpression('1+'.repeat(999) + '1')).toThrow(ExpressionError);
    expect(() => compileExpression(`"${'x'.repeat(3_000)}"`)).toThrow(/longer than 2000/);
  });
});

describe('expressions', () => {
  it('never throw, whatever the record', () => {
    const all = ['record.a.b', 'record.a * 2 + 1', 'size(record.a) > 1', 'record.a.filter(x, x > 1)', 'record'].map(
      compileExpression,
    );
    fc.assert(
      fc.property(fc.record({ a: fc.anything({ withMap: true, withBigInt: true, withDate: true }) }), (record) => {
        for (const expression of all) {
          expect(['value', 'missing', 'error']).toContain(expression.evaluate(recordForCel(record)).is);
        }
      }),
    );
  });

  it('read a path as the interpreter does, which an expression with an operator goes through', () => {
    const key = fc.constantFrom('a', 'b', 'constructor', '__proto__', 'length');
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom(1, 'text', true, null),
        fc.array(tie('value'), { maxLength: 2 }),
        tie('map'),
      ),
      map: fc
        .array(fc.tuple(key, tie('value')), { maxLength: 3 })
        .map((entries) => Object.fromEntries(entries) as unknown),
    })).map;
    fc.assert(
      fc.property(json, fc.array(key, { minLength: 1, maxLength: 3 }), (raw, keys) => {
        const source = ['record', ...keys].join('.');
        const record = recordForCel(raw);
        const direct = compileExpression(source).evaluate(record);
        const interpreted = compileExpression(`true ? ${source} : record`).evaluate(record);
        // The two word differently what is missing.
        const told = (outcome: Outcome) => (outcome.is === 'value' ? outcome : outcome.is);
        expect(told(interpreted)).toEqual(told(direct));
      }),
      { numRuns: 1_000 },
    );
  });

  it('read JSON as it is: what goes in comes out', () => {
    const whole = compileExpression('record.a');
    fc.assert(
      fc.property(fc.jsonValue(), (a) => {
        const outcome = whole.evaluate(recordForCel({ a }));
        expect(outcome).toEqual(a === null ? { is: 'missing', what: 'it is null' } : { is: 'value', value: a });
      }),
    );
  });
});

describe('the folder of mappings', () => {
  it('takes a changed file in, and keeps what it had where the change is a mistake', async () => {
    const notices: unknown[] = [];
    const folder = new MappingFolder({ directory: directory.path, notice: (_, facts) => notices.push(facts) });
    folder.start();
    expect(folder.has('chat')).toBe(false);
    write('chat.yaml', CHAT);
    await eventually('chat is read', () => folder.has('chat'));
    const before = folder.normalizer('map/chat');
    write('chat.yaml', 'observations: 7');
    write('other.yaml', CHAT);
    await eventually('other is read', () => folder.has('other'));
    expect(folder.normalizer('map/chat')).toBe(before);
    expect(JSON.stringify(notices)).toContain('chat.yaml:1: observations');
    rmSync(join(directory.path, 'chat.yaml'));
    await eventually('chat is gone', () => !folder.has('chat'));
    expect(folder.status()['refused']).toEqual([]);
    folder.stop();
  });

  it('is empty, and says so, where the folder is not there', () => {
    const folder = new MappingFolder({ directory: join(directory.path, 'no'), notice: () => {} });
    folder.start();
    expect(folder.status()).toMatchObject({ watched: false, mappings: {} });
    expect(JSON.stringify(folder.status())).toContain('sources.mappingsDir');
    folder.stop();
  });

  it('refuses a name that no address can have', () => {
    expect(() => readMapping(write('Chat Log.yaml', CHAT))).toThrow(/lower-case letters/);
  });
});
