import { beforeAll, describe, expect, it } from 'vitest';
import { decodeProtobuf } from '../../../src/normalize/otlp/decode.js';
import type { OtlpSpan } from '../../../src/normalize/otlp/model.js';
import { readSpan } from '../../../src/normalize/genai/read-span.js';
import { REQUEST, runOpenInferenceAgent, runVercelAgent } from '../../support/emitters/agents.js';
import { collectExports, realSdk } from '../../support/emitters/otel-sdk.js';
import { standInModel } from '../../support/emitters/stand-in-model.js';

type Sdk = ReturnType<typeof realSdk>;

async function spansOf(run: (modelUrl: string, sdk: Sdk) => Promise<void>): Promise<OtlpSpan[]> {
  const [collector, model] = [await collectExports(), await standInModel()];
  const sdk = realSdk(collector.url, 'protobuf');
  await run(model.url, sdk);
  await sdk.close();
  await Promise.all([collector.close(), model.close()]);
  const limits = { maxRecordBytes: 1_000_000, maxRecords: 1_000 };
  return collector.sent
    .filter(({ path }) => path === '/v1/traces')
    .flatMap(({ body }) => decodeProtobuf('traces', body, limits).records)
    .flatMap(({ value }) => (value.signal === 'traces' ? [value] : []));
}

describe('spans of the real Vercel AI SDK', () => {
  let spans: OtlpSpan[];
  beforeAll(async () => {
    spans = await spansOf((url, { tracer }) => runVercelAgent(url, tracer));
  });

  it('are a run, two requests to the model and a call of a tool', () => {
    const operations = spans.map((span) => readSpan(span)?.operation ?? 'none');
    expect(operations.toSorted((a, b) => a.localeCompare(b))).toEqual(['agent', 'model', 'model', 'tool']);
  });

  it('say who, what was asked, declared, called and answered, and what it cost', () => {
    const said = spans.map(readSpan).filter((one) => one !== undefined);
    for (const one of said) expect(one).toMatchObject({ agentId: 'travel-agent', sessionId: 'session-1' });
    const [first, second] = said.filter(({ operation }) => operation === 'model');
    expect(first?.input.at(-1)).toMatchObject({ role: 'user', text: REQUEST });
    expect(first?.output.flatMap(({ calls }) => calls)).toMatchObject([{ tool: 'book_hotel', callId: 'call_1' }]);
    expect(first).toMatchObject({ inputTokens: 120, outputTokens: 15, model: 'stand-in-1' });
    expect(second?.output.map(({ text }) => text)).toEqual(['Your room is booked.']);
    const tool = said.find(({ operation }) => operation === 'tool')?.tool;
    expect(tool).toMatchObject({ name: 'book_hotel', callId: 'call_1', args: { city: 'Paris', nights: 2 } });
    expect(tool?.result).toContain('R-77');
  });
});

describe('spans of the real OpenInference instrumentation of OpenAI', () => {
  let spans: OtlpSpan[];
  beforeAll(async () => {
    spans = await spansOf((url, { provider }) => runOpenInferenceAgent(url, provider));
  });

  it('are requests to the model with their messages, declared calls and tokens', () => {
    const said = spans.map(readSpan).filter((one) => one !== undefined);
    expect(said.map(({ operation }) => operation)).toEqual(['model', 'model']);
    const [first, second] = said;
    expect(first?.input).toMatchObject([{ role: 'user', text: REQUEST }]);
    expect(first?.output.flatMap(({ calls }) => calls)).toMatchObject([
      { tool: 'book_hotel', callId: 'call_1', args: { city: 'Paris' } },
    ]);
    expect(first).toMatchObject({ inputTokens: 120, outputTokens: 15 });
    expect(second?.input.flatMap(({ answers }) => answers)).toEqual([{ callId: 'call_1', text: '{"booked":true}' }]);
  });
});
