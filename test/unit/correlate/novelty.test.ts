import { describe, expect, it } from 'vitest';
import { readCall } from '../../../src/correlate/novelty.js';
import type { Assessment } from '../../../src/detect/port.js';
import type { CallObservation } from '../../../src/model/observation.js';
import { call } from '../../support/behaviour.js';

const LABELS = { tool: 'tool', argument: 'argument', source: 'source' };
const TERMS = [
  { label: 'tool', nats: 4 },
  { label: 'argument', nats: 3 },
  { label: 'write', nats: 2 },
];

function measures(nats: Record<string, number>): Assessment['measures'] {
  const one = (value: number) => ({ nats: value, sampleSize: 50, observed: 'b after a', expected: '' });
  return new Map(Object.entries(nats).map(([name, value]) => [name, one(value)]));
}

interface Reading {
  observation?: CallObservation;
  nats?: Record<string, number>;
  terms?: typeof TERMS;
  targets?: { index: number; nats: number }[];
}

function read({ observation, nats = { requestTool: 4 }, terms = TERMS, targets = [] }: Reading) {
  return readCall(
    observation ?? call({ at: 1 }, { tool: 'audit_note', effect: 'write', args: { to: 'x', note: 'done' } }),
    { measures: measures(nats), terms },
    { labels: LABELS, novelty: () => ({ targets, words: [1, 2, 3] }) },
  );
}

describe('readCall', () => {
  it('names one cause a call, the same for every agent', () => {
    expect(read({}).cause).toEqual({ key: 'tool:audit_note', about: 'began to call audit_note' });
    expect(read({ nats: { newTool: 1, transition: 5 } }).cause?.key).toBe('tool:audit_note');
    expect(read({ nats: { requestTool: 1, transition: 5 } }).cause?.key).toBe('step:b after a');
    expect(read({ nats: { requestTool: 1, transition: 1 } })).toMatchObject({ cause: undefined, novel: undefined });
  });

  it('says what of the risk the cause can explain', () => {
    expect(read({}).novel).toEqual({
      cause: 'tool:audit_note',
      nats: 9,
      toolNats: 4,
      argumentNats: 3,
      words: [1, 2, 3],
      wordCount: 3,
    });
  });

  it('lets a new target be explained by nothing, but not a new text or one of a kind that is always new', () => {
    expect(read({ targets: [{ index: 0, nats: 3 }] })).toMatchObject({
      isFirm: true,
      novel: undefined,
      target: { value: 'x' },
    });
    expect(read({ targets: [{ index: 1, nats: 3 }] })).toMatchObject({ isFirm: false, target: undefined });
    expect(read({ targets: [{ index: 0, nats: 0.6 }] }).novel).toBeDefined();
  });

  it('lets the word of an untrusted source, and what handles secrets, be explained by nothing', () => {
    expect(read({ terms: [...TERMS, { label: 'source', nats: 2 }] })).toMatchObject({ isFirm: true, novel: undefined });
    const secret: CallObservation = { ...call({ at: 1 }, { tool: 'rotate_key' }), effect: 'auth' };
    expect(read({ observation: secret })).toMatchObject({ isFirm: true, novel: undefined });
  });
});
