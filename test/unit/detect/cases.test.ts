import { describe, expect, it } from 'vitest';
import { caseSession } from '../../../src/detect/case-session.js';
import { caseEventSchema } from '../../../src/detect/case-schema.js';
import { caseSessions, describeCaseResults, runDetectorCases } from '../../../src/detect/cases.js';
import type { CaseWorld } from '../../../src/detect/cases.js';
import { parseDetectors } from '../../../src/detect/loader.js';
import { IndexedDetectorRunner } from '../../../src/detect/runner.js';
import { detectorText, MEASURES, only } from './detector-text.js';
import { ToyWorld } from './toy-world.js';

function session(...events: object[]) {
  const options = { sessionId: 's', startMs: 1000, values: { who: 'anna@example.com' } };
  return caseSession(
    events.map((event) => caseEventSchema.parse(event)),
    options,
  ).map(({ step }) => {
    if ('order' in step) throw new Error('there is no order in these sessions');
    return 'record' in step ? step.record : step.check;
  });
}

async function play(cases: string, when = 'tool == "pay"') {
  const text = detectorText({ id: 'pays', when }).replace(/^cases:[\s\S]*/m, `cases:\n${cases}`);
  const set = parseDetectors([{ file: 'pays.yaml', text }], MEASURES);
  return runDetectorCases(only(set), async () => new ToyWorld(new IndexedDetectorRunner({ set })));
}

const SILENT = '  - { name: nothing of the kind, events: [{ prompt: hello }], expect: silent }\n';

describe('a case session', () => {
  it('ties announcement, attempt, audit record and result of a call together', () => {
    const steps = session(
      { say: 'two calls', declares: ['pay', 'pay'] },
      { attempt: 'pay' },
      { call: 'pay' },
      { result: 'pay', text: 'done' },
      { call: 'pay' },
      { call: 'pay' },
      { result: 'other' },
    );
    expect(steps.map((step) => step.callId)).toEqual([undefined, 'c1', 'c1', 'c1', 'c2', 'c3', undefined]);
    expect(steps[0]).toMatchObject({
      kind: 'message',
      declared: [
        { tool: 'pay', callId: 'c1' },
        { tool: 'pay', callId: 'c2' },
      ],
    });
  });

  it('puts a second between events, or the time that was written, and repeats calls', () => {
    const steps = session({ prompt: 'a' }, { call: 'x', at: 10, repeat: 3, every: 0.5 }, { metric: { costUsd: 1 } });
    expect(steps.map(({ time }) => time)).toEqual([1000, 11_000, 11_500, 12_000, 13_000]);
    expect(steps.map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4]);
  });

  it('fills in variations wherever there is text, once', () => {
    const [prompt, call] = session({ prompt: 'to {who} {other}' }, { call: 'x', args: { to: ['{who}'], n: 1 } });
    expect(prompt).toMatchObject({ text: 'to anna@example.com {other}' });
    expect(call).toMatchObject({ args: { to: ['anna@example.com'], n: 1 }, decision: 'allow' });
  });

  it('varies what is learned from session to session, and plays the test last', () => {
    const events = [caseEventSchema.parse({ prompt: '{who} {n}' })];
    const { learning, test } = caseSessions({
      name: 'some',
      learn: [
        { sessions: 3, vary: { who: ['a', 'b'] }, events },
        { sessions: 1, events },
      ],
      events,
      expect: 'silent',
    });
    const steps = [...learning.map((one) => one.steps), test].map(([first]) => first?.step);
    const records = steps.map((step) => (step !== undefined && 'record' in step ? step.record : undefined));
    expect(records.map((record) => record?.kind === 'prompt' && record.text)).toEqual([
      'a 1',
      'b 2',
      'a 3',
      '{who} 1',
      '{who} {n}',
    ]);
    expect(records.map((record) => record?.sessionId)).toEqual(['learn-1', 'learn-2', 'learn-3', 'learn-4', 'case']);
    const times = records.map((record) => Number(record?.time));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });
});

describe('results of cases', () => {
  it('pass where the detector does what is expected', async () => {
    const results = await play(
      `  - { name: it pays, events: [{ prompt: hello }, { call: pay }], expect: fires, at: 2 }\n${SILENT}`,
    );
    expect(results.map(({ passed, message }) => [passed, message])).toEqual([
      [true, 'fired on "pay"'],
      [true, 'stayed silent'],
    ]);
    expect(describeCaseResults(results)).toBe('2 of 2 cases passed');
  });

  it('say what was expected and what happened instead', async () => {
    const results = await play(
      [
        '  - { name: never, events: [{ call: read }], expect: fires }\n',
        '  - { name: too early, events: [{ call: pay }, { call: pay }], expect: fires, at: 2 }\n',
        '  - { name: not silent, events: [{ prompt: hi }, { call: pay }], expect: silent }\n',
      ].join(''),
    );
    expect(describeCaseResults(results).split('\n')).toEqual([
      'pays: case "never": expected to fire, but it stayed silent over 1 events and the end of the session',
      'pays: case "too early": expected to fire at event 2 (call pay) first, but it fired at event 1 (call pay)',
      '  reason: fired on "pay"',
      '  observed: seen; expected: not seen (2.00 nats, 0 samples)',
      'pays: case "not silent": expected silence, but it fired at event 2 (call pay)',
      '  reason: fired on "pay"',
      '  observed: seen; expected: not seen (2.00 nats, 0 samples)',
      '0 of 3 cases passed',
    ]);
  });

  it('fail readably when the world does, and close it', async () => {
    let closed = 0;
    const failing: CaseWorld = {
      learn: async () => {},
      play: async () => {
        throw new Error('intake refused targets.0.kind');
      },
      finish: async () => [],
      close: async () => {
        closed++;
      },
    };
    const set = parseDetectors([{ file: 'pays.yaml', text: detectorText({ id: 'pays' }) }], MEASURES);
    const names: string[] = [];
    const results = await runDetectorCases(
      only(set),
      async () => failing,
      (name) => names.push(name),
    );
    expect(results.map(({ message }) => message)).toEqual(
      Array(2).fill('could not be played: intake refused targets.0.kind'),
    );
    expect(closed).toBe(2);
    expect(names).toEqual(['it fires', 'it is silent']);
  });
});
