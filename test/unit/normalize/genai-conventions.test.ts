import { describe, expect, it } from 'vitest';
import { readGenAiLog } from '../../../src/normalize/genai/read-log.js';
import { readSpan } from '../../../src/normalize/genai/read-span.js';
import type { OtlpLog, OtlpSpan, OtlpValue } from '../../../src/normalize/otlp/model.js';

/*
 * Fixtures written from documentation: the conventions of open-telemetry/semantic-conventions-genai (schema 1.42) and MCP,
 * those up to semconv 1.36, and OpenLLMetry. What real emitters send is in genai-spans.test.ts.
 */

function span(name: string, attributes: Record<string, OtlpValue>, change: Partial<OtlpSpan> = {}): OtlpSpan {
  return {
    signal: 'traces',
    resource: new Map(),
    scope: '',
    traceId: 'a'.repeat(32),
    spanId: 'b'.repeat(16),
    parentSpanId: '',
    name,
    startMs: 1_000,
    endMs: 1_250,
    attributes: new Map(Object.entries(attributes)),
    events: [],
    statusCode: 0,
    statusMessage: '',
    ...change,
  };
}

function log(eventName: string, body: OtlpValue, attributes: Record<string, OtlpValue> = {}): OtlpLog {
  const { resource, scope, traceId, spanId } = span('', {});
  const entries = new Map(Object.entries(attributes));
  return {
    resource,
    scope,
    traceId,
    spanId,
    eventName,
    body,
    signal: 'logs',
    timeMs: 1,
    severityText: '',
    ordinal: 0,
    attributes: entries,
  };
}

const INPUT = [
  { role: 'system', parts: [{ type: 'text', content: 'Be helpful.' }] },
  { role: 'user', parts: [{ type: 'text', content: 'Weather in Paris?' }] },
];
const OUTPUT = [
  {
    role: 'assistant',
    finish_reason: 'tool_call',
    parts: [
      { type: 'reasoning', content: 'I should look.' },
      { type: 'tool_call', id: 'call_1', name: 'get_weather', arguments: { city: 'Paris' } },
    ],
  },
];

describe('the current conventions', () => {
  it.each([
    ['as structure', INPUT, OUTPUT],
    ['as JSON text, as on spans', JSON.stringify(INPUT), JSON.stringify(OUTPUT)],
  ])('say what was asked, declared and spent: messages %s', (_how, input, output) => {
    const said = readSpan(
      span('chat gpt-4o', {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'gpt-4o',
        'gen_ai.conversation.id': 'conv-1',
        'gen_ai.usage.input_tokens': 97,
        'gen_ai.usage.output_tokens': 52,
        'gen_ai.input.messages': input,
        'gen_ai.output.messages': output,
      }),
    );
    expect(said).toMatchObject({ operation: 'model', sessionId: 'conv-1', model: 'gpt-4o', inputTokens: 97 });
    expect(said?.input.at(-1)).toMatchObject({ role: 'user', text: 'Weather in Paris?' });
    expect(said?.output).toMatchObject([
      { text: 'I should look.', calls: [{ callId: 'call_1', tool: 'get_weather', args: { city: 'Paris' } }] },
    ]);
  });

  it.each(['response', 'result'])('take a tool’s answer under "%s"', (field) => {
    const answer = [{ role: 'tool', parts: [{ type: 'tool_call_response', id: 'call_1', [field]: 'rainy' }] }];
    const said = readSpan(span('chat', { 'gen_ai.operation.name': 'chat', 'gen_ai.input.messages': answer }));
    expect(said?.input[0]?.answers).toEqual([{ callId: 'call_1', text: 'rainy' }]);
  });

  it('say which tool was executed, with what, and how it failed', () => {
    const said = readSpan(
      span(
        'execute_tool get_weather',
        {
          'gen_ai.operation.name': 'execute_tool',
          'gen_ai.tool.call.id': 'call_1',
          'gen_ai.tool.call.arguments': '{"city":"Paris"}',
          'error.type': 'timeout',
        },
        { statusCode: 2 },
      ),
    );
    expect(said).toMatchObject({
      operation: 'tool',
      error: 'timeout',
      tool: { name: 'get_weather', callId: 'call_1', args: { city: 'Paris' } },
    });
  });

  it('name the agent of a run', () => {
    const said = readSpan(
      span('invoke_agent Math Tutor', { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.id': 'asst_5' }),
    );
    expect(said).toMatchObject({ operation: 'agent', agentId: 'asst_5' });
  });

  it('of MCP are calls of tools where a tool is called, and nothing else', () => {
    const call = { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': 'read_file', 'mcp.session.id': 'm1' };
    expect(readSpan(span('tools/call read_file', call))).toMatchObject({
      operation: 'tool',
      tool: { name: 'read_file' },
    });
    expect(readSpan(span('tools/list', { 'mcp.method.name': 'tools/list' }))).toBeUndefined();
  });

  it('of whole requests stand in log events too', () => {
    const said = readGenAiLog(
      log('gen_ai.client.inference.operation.details', null, {
        'gen_ai.operation.name': 'chat',
        'gen_ai.input.messages': INPUT,
        'gen_ai.output.messages': OUTPUT,
      }),
    );
    expect(said).toMatchObject({ operation: 'model', input: [{}, { text: 'Weather in Paris?' }] });
  });
});

describe('the conventions up to 1.36', () => {
  it('of spans: system, prompt and completion tokens, prompt and completion as JSON text', () => {
    const said = readSpan(
      span('chat gpt-4', {
        'gen_ai.system': 'openai',
        'gen_ai.request.model': 'gpt-4',
        'gen_ai.usage.prompt_tokens': 10,
        'gen_ai.usage.completion_tokens': 5,
        'gen_ai.prompt': '[{"role":"user","content":"Hi"}]',
        'gen_ai.completion': '[{"role":"assistant","content":"Hello"}]',
      }),
    );
    expect(said).toMatchObject({ operation: 'model', inputTokens: 10, outputTokens: 5 });
    expect([said?.input[0]?.text, said?.output[0]?.text]).toEqual(['Hi', 'Hello']);
  });

  it('of log events: a message each, and the choice', () => {
    expect(readGenAiLog(log('gen_ai.user.message', { content: 'Hi' }))?.input).toMatchObject([
      { role: 'user', text: 'Hi' },
    ]);
    const calls = [{ id: 'c1', type: 'function', function: { name: 'pay', arguments: '{"to":"Ann"}' } }];
    const choice = readGenAiLog(log('gen_ai.choice', { index: 0, message: { content: 'Paying.', tool_calls: calls } }));
    expect(choice?.output).toMatchObject([
      { text: 'Paying.', calls: [{ callId: 'c1', tool: 'pay', args: { to: 'Ann' } }] },
    ]);
    expect(readGenAiLog(log('gen_ai.assistant.message', { content: 'earlier' }))).toBeUndefined();
  });

  it('of OpenLLMetry: flattened messages', () => {
    const said = readSpan(
      span('openai.chat', {
        'gen_ai.system': 'openai',
        'gen_ai.prompt.0.role': 'user',
        'gen_ai.prompt.0.content': 'Hi',
        'gen_ai.completion.0.role': 'assistant',
        'gen_ai.completion.0.tool_calls.0.name': 'pay',
        'gen_ai.completion.0.tool_calls.0.arguments': '{"to":"Ann"}',
      }),
    );
    expect(said?.input).toMatchObject([{ role: 'user', text: 'Hi' }]);
    expect(said?.output[0]?.calls).toMatchObject([{ tool: 'pay', args: { to: 'Ann' } }]);
  });
});

it('spans of other things say nothing', () => {
  expect(readSpan(span('GET /', { 'http.request.method': 'GET' }))).toBeUndefined();
});
