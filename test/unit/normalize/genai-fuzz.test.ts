import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { STREAMS } from '../../../src/model/observation.js';
import { readGenAiLog } from '../../../src/normalize/genai/read-log.js';
import { readSpan } from '../../../src/normalize/genai/read-span.js';
import type { Said } from '../../../src/normalize/genai/said.js';
import { workNormalizer } from '../../../src/normalize/genai/work-normalizer.js';
import type { OtlpValue } from '../../../src/normalize/otlp/model.js';

/** Attributes of every convention that is read, with values that lead far into its reader. */
const LIKELY: Record<string, OtlpValue[]> = {
  'gen_ai.operation.name': ['chat', 'execute_tool', 'invoke_agent'],
  'gen_ai.input.messages': ['[{"role":"user","parts":[{"type":"text","content":"hi"}]}]', '[{"role":7}]'],
  'gen_ai.output.messages': ['[{"role":"assistant","parts":[{"type":"tool_call","name":"t"}]}]'],
  'gen_ai.tool.name': ['t'.repeat(400)],
  'gen_ai.tool.call.arguments': ['{"a":1}', 'x'.repeat(300_000)],
  'gen_ai.tool.call.result': ['\ud800'.repeat(250_000)],
  'gen_ai.usage.output_tokens': [-1, 1.5, 1e300],
  'gen_ai.prompt.0.role': ['user'],
  'gen_ai.prompt.0.content': ['hi'],
  'openinference.span.kind': ['LLM', 'TOOL', 'AGENT'],
  'llm.input_messages.0.message.role': ['user'],
  'llm.output_messages.0.message.tool_calls.0.tool_call.function.name': ['t'],
  'input.value': ['{"a":1}'],
  'output.value': ['done'],
  'ai.operationId': ['ai.toolCall', 'ai.generateText', 'ai.generateText.doGenerate'],
  'ai.prompt.messages': ['[{"role":"user","content":[{"type":"text","text":"hi"}]}]'],
  'ai.response.toolCalls': ['[{"toolName":"t","input":"{}"}]'],
  'ai.toolCall.name': ['t'],
  'ai.toolCall.args': ['[[[[]]]]'],
  'mcp.method.name': ['tools/call'],
};

const pairs = Object.entries(LIKELY).flatMap(([key, values]) =>
  values.map((value): [string, OtlpValue] => [key, value]),
);
const odd = fc.tuple(fc.constantFrom(...Object.keys(LIKELY)), fc.jsonValue({ maxDepth: 5 }) as fc.Arbitrary<OtlpValue>);
const attributes = fc
  .array(fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...pairs) }, odd), { maxLength: 12 })
  .map((list) => new Map(list));

const CONTEXT = {
  principal: { id: 'k', role: 'ingest' as const, tenant: 't', streams: new Set(STREAMS), agents: ['*'] },
  observedAt: 1_000,
  seed: 1,
};

/** Sizes of what comes of it: observations, and reasons of refusals. */
function madeOf(said: Said | undefined): { observed: number[]; reasons: number[] } {
  if (said === undefined) return { observed: [], reasons: [] };
  const place = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), agentId: 'a', sessionId: 's' };
  const results = workNormalizer.normalize({ said, id: 'id', startMs: 500, endMs: 1_000, ...place }, CONTEXT);
  return {
    observed: results.flatMap((one) => (one.ok ? [JSON.stringify(one.observation).length] : [])),
    reasons: results.flatMap((one) => (one.ok ? [] : [one.reason.length])),
  };
}

it('never throws, stays bounded and names every refusal, whatever a span or event holds', () => {
  const record = fc.record({
    attributes,
    name: fc.constantFrom('chat m', 'execute_tool t', 'ai.toolCall', 'GET /'),
    eventName: fc.constantFrom('gen_ai.choice', 'gen_ai.user.message', 'gen_ai.client.inference.operation.details'),
    body: fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<OtlpValue>,
    statusCode: fc.constantFrom(0, 1, 2),
  });
  let made = 0;
  fc.assert(
    fc.property(record, ({ name, eventName, body, statusCode, ...rest }) => {
      const around = { resource: new Map<string, OtlpValue>(), scope: '', traceId: '', spanId: '', ...rest };
      const times = { startMs: 500, endMs: 1_000, timeMs: 1_000 };
      const status = { statusCode, statusMessage: '', events: [], parentSpanId: '' };
      const log = { eventName, body, severityText: '', ordinal: 0 };
      for (const said of [
        readSpan({ signal: 'traces', name, ...around, ...times, ...status }),
        readGenAiLog({ signal: 'logs', ...around, ...times, ...log }),
      ]) {
        const { observed, reasons } = madeOf(said);
        made += observed.length;
        expect(Math.max(0, ...observed)).toBeLessThan(400_000);
        expect(Math.min(100, ...reasons)).toBeGreaterThan(10);
        expect(Math.max(100, ...reasons)).toBeLessThan(1_000);
      }
    }),
    { numRuns: 200 },
  );
  expect(made).toBeGreaterThan(200);
});
