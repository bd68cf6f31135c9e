import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codingAgentOf, machineOf } from '../../../../src/normalize/coding-agents/machine.js';
import { readCodingAgent } from '../../../../src/normalize/coding-agents/read-coding-agent.js';
import { ToolDecisions } from '../../../../src/normalize/coding-agents/tool-decisions.js';
import { workNormalizer } from '../../../../src/normalize/genai/work-normalizer.js';
import type { Said } from '../../../../src/normalize/genai/said.js';
import type { Attributes, OtlpLog, OtlpValue } from '../../../../src/normalize/otlp/model.js';
import { STREAMS } from '../../../../src/model/observation.js';
import { CODING_AGENTS } from '../../../support/emitters/coding-agents.js';

function log(
  body: OtlpValue,
  attributes: Record<string, OtlpValue>,
  resource: Record<string, OtlpValue> = {},
): OtlpLog {
  const around = { scope: '', resource: new Map(Object.entries(resource)) as Attributes };
  const empty = { traceId: '', spanId: '', ordinal: 0, severityText: '', eventName: '' };
  return { signal: 'logs', ...around, ...empty, timeMs: 1_000, body, attributes: new Map(Object.entries(attributes)) };
}

function saidOf(record: OtlpLog): Said | undefined {
  const product = codingAgentOf(record);
  return product && readCodingAgent(record, product);
}

const claude = (name: string, attributes: Record<string, OtlpValue>) =>
  saidOf(log(`claude_code.${name}`, { 'event.name': name, 'session.id': 's', 'user.id': 'u', ...attributes }));

describe('events of Claude Code', () => {
  it('say nothing of what is withheld', () => {
    expect(claude('user_prompt', { prompt: '<REDACTED>', prompt_length: 9 })).toBeUndefined();
    expect(claude('assistant_response', { response: '<REDACTED>' })).toBeUndefined();
  });

  it('take the input of a call over its parameters, and name tools of MCP servers', () => {
    const tool_parameters = JSON.stringify({ mcp_server_name: 'db', mcp_tool_name: 'query' });
    const said = claude('tool_result', { tool_name: 'mcp_tool', tool_parameters, tool_input: '{"sql":"select 1"}' });
    expect(said?.tool).toMatchObject({ name: 'mcp__db__query', args: { sql: 'select 1' } });
  });

  it('keep an input that was cut in the middle as text', () => {
    const said = claude('tool_result', { tool_name: 'Write', tool_input: '{"file_path":"/a","content":"xxx' });
    expect(said?.tool?.args).toEqual({ input: '{"file_path":"/a","content":"xxx' });
  });

  it('tell a rejected call once, also where early versions told it twice', () => {
    const rejected = { tool_name: 'Edit', decision: 'reject', source: 'user_reject' };
    expect(claude('tool_decision', rejected)?.tool?.decision).toEqual({ decision: 'deny', raw: 'reject/user_reject' });
    expect(claude('tool_result', { ...rejected, success: 'false' })).toBeUndefined();
  });

  it('read numbers that came as text', () => {
    expect(claude('api_request', { input_tokens: '12', cost_usd: '0.5', output_tokens: 'many' })).toMatchObject({
      inputTokens: 12,
      costUsd: 0.5,
    });
  });
});

describe('whose an event is', () => {
  const who = (attributes: Record<string, OtlpValue>, resource: Record<string, OtlpValue>) =>
    machineOf(log('', attributes, resource), 'claude-code').agentId;

  it('is the machine’s, the installation’s, the account’s, or at least the product’s', () => {
    const ids = { 'user.id': 'install-1', 'user.account_uuid': 'acc' };
    expect(who(ids, { 'host.name': 'laptop-7' })).toBe('claude-code@laptop-7');
    expect(who(ids, {})).toBe('claude-code@install-1');
    expect(who({ 'user.account_uuid': 'acc', 'user.email': 'a@b.org' }, {})).toBe('claude-code@acc');
    expect(who({ 'agent.name': 'Explore' }, {})).toBe('claude-code');
  });

  it('is what the resource names', () => {
    expect(who({ 'user.id': 'u' }, { 'parallax.agent.id': 'coder-ann' })).toBe('coder-ann');
  });

  it('is nobody’s of these where neither event nor service is theirs', () => {
    expect(
      codingAgentOf(log('hello', { 'event.name': 'user_prompt' }, { 'service.name': 'codex-of-law' })),
    ).toBeUndefined();
  });
});

it('forgets what was decided about calls, but not how many it may remember', () => {
  const decisions = new ToolDecisions();
  const call = (operation: 'decision' | 'tool', decision?: 'allow' | 'ask' | 'deny'): Said => {
    const ruling = decision === undefined ? {} : { decision: { decision, raw: 'word' } };
    return { operation, input: [], output: [], tool: { name: 't', callId: 'c', ...ruling } };
  };
  expect(decisions.join(call('tool'), 'key')?.tool?.decision).toBeUndefined();
  decisions.join(call('decision', 'ask'), 'key');
  expect(decisions.join(call('tool'), 'another key')?.tool?.decision).toBeUndefined();
  expect(decisions.join(call('tool'), 'key')?.tool?.decision).toEqual({ decision: 'allow', raw: 'word' });
  decisions.join(call('decision', 'deny'), 'key');
  expect(decisions.join(call('tool'), 'key')).toBeUndefined();
});

it('never throws, stays bounded and names every refusal, whatever an event holds', () => {
  const events = CODING_AGENTS.flatMap((agent) => agent.events.map((one) => ({ ...one, resource: agent.resource })));
  const keys = [...new Set(events.flatMap(({ attributes }) => Object.keys(attributes)))];
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<OtlpValue>,
    fc.jsonValue().map((one) => JSON.stringify(one)),
    fc.constant('x'.repeat(300_000)),
    fc.double(),
  );
  const event = fc.record({
    like: fc.constantFrom(...events),
    attributes: fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 4 }),
  });
  let read = 0;
  fc.assert(
    fc.property(event, ({ like, attributes }) => {
      const named = { ...like.attributes, ...attributes, 'event.name': like.attributes['event.name'] ?? '' };
      const said = saidOf(log(like.body, named, like.resource));
      if (said === undefined) return;
      read++;
      const work = {
        said,
        id: 'id',
        traceId: '',
        spanId: '',
        startMs: 500,
        endMs: 1_000,
        agentId: 'a',
        sessionId: 's',
      };
      const context = {
        principal: { id: 'k', role: 'ingest' as const, tenant: 't', streams: new Set(STREAMS), agents: ['*'] },
        observedAt: 1_000,
        seed: 1,
      };
      for (const result of workNormalizer.normalize(work, context)) {
        const shown = result.ok ? JSON.stringify(result.observation) : result.reason;
        expect(shown.length).toBeGreaterThan(10);
        expect(shown.length).toBeLessThan(result.ok ? 400_000 : 1_000);
      }
    }),
    { numRuns: 400 },
  );
  expect(read).toBeGreaterThan(50);
});
