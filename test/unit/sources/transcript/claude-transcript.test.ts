import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STREAMS } from '../../../../src/model/observation.js';
import type { WireObservation } from '../../../../src/model/wire.js';
import { nativeNormalizer } from '../../../../src/normalize/native.js';
import { ClaudeTranscript } from '../../../../src/sources/transcript/claude-transcript.js';
import { claudeTranscript } from '../../../support/claude-transcript.js';

function read(lines: readonly string[], transcript = new ClaudeTranscript('coder')): WireObservation[] {
  return lines.flatMap((line, i) => transcript.read(line, i) ?? []);
}

const of = (observations: readonly WireObservation[], kind: string) => observations.filter((one) => one.kind === kind);

describe('a transcript of Claude Code', () => {
  const observations = read(claudeTranscript('s1'));

  it('is the user’s words, and not what the product wrote in their name', () => {
    expect(of(observations, 'prompt')).toMatchObject([{ text: 'List the files, then push', sessionId: 's1' }]);
  });

  it('is the model’s words and the calls it declares', () => {
    const declared = of(observations, 'message').flatMap((one) => ('declared' in one ? (one.declared ?? []) : []));
    expect(declared).toEqual([
      { callId: 's1-ls', tool: 'Bash' },
      { callId: 's1-push', tool: 'Bash' },
    ]);
    expect(of(observations, 'message')[0]).toMatchObject({ text: 'First the list.', model: 'claude-sonnet-5' });
  });

  it('is calls that ran and calls that were rejected', () => {
    expect(of(observations, 'tool_call')).toMatchObject([
      { callId: 's1-ls', decision: 'allow', args: { command: 'ls -la /srv' } },
      { callId: 's1-push', decision: 'deny', rawDecision: 'user-rejected' },
    ]);
    expect(of(observations, 'tool_result')).toMatchObject([{ callId: 's1-ls', text: 'a.txt' }]);
  });

  it('counts a response once, though each of its parts repeats its usage', () => {
    const total = new Map<string, number>();
    for (const one of observations) {
      for (const [name, value] of Object.entries('values' in one ? one.values : {})) {
        total.set(name, (total.get(name) ?? 0) + value);
      }
    }
    expect(Object.fromEntries(total)).toEqual({ inputTokens: 10, cacheReadTokens: 900, outputTokens: 15 });
  });

  it('does not take a tool’s words for a rejection', () => {
    const lines = claudeTranscript('s2').map((line) => line.replace(/"toolUseResult":"User rejected.*(?=})/, '"x":1'));
    expect(of(read(lines), 'tool_call')).toMatchObject([{ decision: 'allow' }, { decision: 'allow', error: 'error' }]);
  });

  it('tells a call without a result when the user speaks again, and begins again before it', () => {
    const lines = claudeTranscript('s3');
    const transcript = new ClaudeTranscript('coder');
    read(lines.slice(0, 5), transcript);
    expect(transcript.restartOffset(5)).toBe(3);
    const [next] = claudeTranscript('s3').slice(1, 2);
    expect(transcript.read(next ?? '', 6)?.map((one) => one.kind)).toEqual(['tool_call', 'tool_call', 'prompt']);
    expect(transcript.restartOffset(7)).toBe(7);
  });

  it('gives the same ids when it is read again', () => {
    const ids = observations.map(({ id }) => id);
    expect(read(claudeTranscript('s1')).map(({ id }) => id)).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('says which lines are no entries', () => {
    const transcript = new ClaudeTranscript('coder');
    for (const line of ['no json', '[]', '{}', '{"type":"user"}', '{"type":"assistant","timestamp":"x","uuid":"u"}']) {
      expect(transcript.read(line, 0)).toBeUndefined();
    }
    expect(transcript.read('{"type":"file-history-snapshot"}', 0)).toEqual([]);
  });
});

it('never throws, and gives what the observer takes, whatever a transcript holds', () => {
  const lines = claudeTranscript('s4').map((line) => JSON.parse(line) as Record<string, unknown>);
  const part = fc.record(
    {
      type: fc.constantFrom('text', 'thinking', 'tool_use', 'tool_result', 'image'),
      id: fc.oneof(fc.string({ maxLength: 400 }), fc.constant('s4-ls')),
      tool_use_id: fc.constantFrom('s4-ls', 's4-push', ''),
      name: fc.string({ unit: 'binary', maxLength: 600 }),
      input: fc.jsonValue({ maxDepth: 3 }),
      content: fc.jsonValue({ maxDepth: 2 }),
      text: fc.oneof(fc.string({ unit: 'binary' }), fc.constant('\ud800'.repeat(250_000))),
    },
    { requiredKeys: ['type'] },
  );
  const change = fc.tuple(fc.nat(lines.length - 1), fc.array(part, { maxLength: 4 }), fc.jsonValue({ maxDepth: 2 }));
  const context = {
    principal: { id: 'k', role: 'ingest' as const, tenant: 't', streams: new Set(STREAMS), agents: ['*'] },
    observedAt: 1_000,
    seed: 1,
  };
  let taken = 0;
  fc.assert(
    fc.property(fc.array(change, { maxLength: 5 }), (changes) => {
      const changed = lines.map((line) => ({ ...line }));
      for (const [at, content, toolUseResult] of changes) {
        const line = changed[at];
        if (line !== undefined) Object.assign(line, { message: { role: 'user', id: 'm', content }, toolUseResult });
      }
      for (const one of read(changed.map((line) => JSON.stringify(line)))) {
        const refused = nativeNormalizer.normalize(one, context).filter((result) => !result.ok);
        expect(refused).toEqual([]);
        taken++;
      }
    }),
    { numRuns: 60 },
  );
  expect(taken).toBeGreaterThan(200);
});
