import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeRecord } from '../../src/log/record-codec.js';
import type { Observation } from '../../src/model/observation.js';
import { EXPORT_RESPONSE, RPC_STATUS } from '../../src/normalize/otlp/definitions.js';
import { LIMITS, secretOf, startApi, type ApiStack } from '../support/api-stack.js';
import { REQUEST, runVercelAgent } from '../support/emitters/agents.js';
import { realSdk, SpanKind, type Encoding } from '../support/emitters/otel-sdk.js';
import { standInModel } from '../support/emitters/stand-in-model.js';

let stack: ApiStack;
beforeAll(async () => {
  stack = await startApi();
});
afterAll(async () => {
  await stack.close();
});

const bearer = (key: string) => ({ Authorization: `Bearer ${secretOf(key)}` });

/** Observations in the log about one agent. */
function logged(agentId: string): Observation[] {
  return stack.log
    .read(stack.log.tail, 100_000)
    .map((entry) => decodeRecord(entry))
    .flatMap((record) => (record.type === 'observation' && record.value.agentId === agentId ? [record.value] : []));
}

async function post(signal: string, body: Buffer | string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${stack.url}/v1/${signal}`, {
    method: 'POST',
    body,
    headers: { ...bearer('all'), 'Content-Type': 'application/json', ...headers },
  });
}

const spansOf = (...spans: object[]) => JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });
const span = (change: object = {}) => ({
  traceId: '5b8efff798038103d269b633813fc60c',
  spanId: 'eee19b7ec3c1b174',
  name: 'execute_tool pay',
  startTimeUnixNano: '1764000000000000000',
  endTimeUnixNano: '1764000000100000000',
  attributes: [
    attribute('gen_ai.operation.name', 'execute_tool'),
    attribute('gen_ai.tool.name', 'pay'),
    attribute('gen_ai.agent.id', 'payer'),
    attribute('gen_ai.tool.call.arguments', '{"to":"Ann"}'),
  ],
  ...change,
});

describe.each(['protobuf', 'json'] as const)('the real SDK, %s', (encoding: Encoding) => {
  it('has a run of an agent observed on three streams', async () => {
    const model = await standInModel();
    const sdk = realSdk(stack.url, encoding, bearer('all'));
    await runVercelAgent(model.url, sdk.tracer);
    await sdk.close();
    await model.close();
    const seen = logged('travel-agent').filter(({ sessionId }) => sessionId === 'session-1');
    const kinds = seen.map(({ stream, kind }) => `${stream}/${kind}`);
    for (const kind of [
      'reasoning/prompt',
      'reasoning/message',
      'action/tool_call',
      'action/tool_result',
      'metric/sample',
    ]) {
      expect(kinds).toContain(kind);
    }
    const call = seen.find(({ kind }) => kind === 'tool_call');
    expect(call).toMatchObject({ tool: 'book_hotel', callId: 'call_1', decision: 'allow' });
    expect(seen.find(({ kind }) => kind === 'prompt')).toMatchObject({ chars: REQUEST.length });
  });

  it('gives the tool span its agent from the span around it, though that ends last', async () => {
    const sdk = realSdk(stack.url, encoding, bearer('all'));
    const agent = sdk.tracer.startSpan('invoke_agent late', {
      kind: SpanKind.INTERNAL,
      attributes: {
        'gen_ai.operation.name': 'invoke_agent',
        'gen_ai.agent.id': `late-${encoding}`,
        'gen_ai.conversation.id': 'conversation-9',
      },
    });
    const { otelContext, trace } = await import('../support/emitters/otel-sdk.js');
    const tool = sdk.tracer.startSpan(
      'execute_tool look',
      { attributes: { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'look' } },
      trace.setSpan(otelContext.active(), agent),
    );
    tool.end();
    agent.end();
    await sdk.close();
    expect(logged(`late-${encoding}`)).toMatchObject([
      { kind: 'tool_call', tool: 'look', sessionId: 'conversation-9' },
    ]);
  });

  it('reports metrics as what happened since the last report', async () => {
    const sdk = realSdk(stack.url, encoding, bearer('all'));
    sdk.meter.createGauge('queue.depth').record(4, { 'gen_ai.agent.id': `gauged-${encoding}` });
    await sdk.close();
    expect(logged(`gauged-${encoding}`)).toMatchObject([{ kind: 'sample', values: { 'queue.depth': 4 } }]);
  });
});

describe('OTLP over HTTP', () => {
  it('answers an accepted export with an empty response in its own encoding', async () => {
    const json = await post('traces', spansOf(span()));
    expect([json.status, json.headers.get('content-type'), await json.text()]).toEqual([200, 'application/json', '{}']);
    const proto = await post('traces', Buffer.alloc(0), { 'Content-Type': 'application/x-protobuf' });
    expect([proto.status, (await proto.arrayBuffer()).byteLength]).toEqual([200, 0]);
  });

  it('takes the same export twice and gives the same ids', async () => {
    const body = spansOf(span({ spanId: 'aaa19b7ec3c1b174' }));
    await post('traces', body);
    await post('traces', body);
    const ids = logged('payer')
      .filter(({ spanId }) => spanId === 'aaa19b7ec3c1b174')
      .map(({ id }) => id);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
  });

  it('takes gzip', async () => {
    const response = await post('traces', gzipSync(spansOf(span({ spanId: 'bbb19b7ec3c1b174' }))), {
      'Content-Encoding': 'gzip',
    });
    expect(response.status).toBe(200);
    expect(logged('payer').some(({ spanId }) => spanId === 'bbb19b7ec3c1b174')).toBe(true);
  });

  it('says how many records were refused and why, and takes their neighbours', async () => {
    const body = spansOf(span({ spanId: 'ccc19b7ec3c1b174' }), span({ traceId: '00' }));
    const response = await post('traces', body);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      partialSuccess: { rejectedSpans: '1', errorMessage: 'record 1: traceId must be 16 bytes that are not all zero' },
    });
    expect(logged('payer').some(({ spanId }) => spanId === 'ccc19b7ec3c1b174')).toBe(true);
  });

  it('refuses with a status of the protocol', async () => {
    const proto = { 'Content-Type': 'application/x-protobuf' };
    const broken = await post('traces', Buffer.from('this is not protobuf at all'), proto);
    expect(broken.status).toBe(400);
    expect(RPC_STATUS.toObject(RPC_STATUS.decode(new Uint8Array(await broken.arrayBuffer())))).toMatchObject({
      code: 3,
    });
    expect((await post('logs', '{"resourceLogs":')).status).toBe(400);
    expect((await post('logs', '[]', { 'Content-Type': 'text/plain' })).status).toBe(415);
    const bomb = gzipSync(Buffer.alloc(LIMITS.maxOtlpBytes + 1));
    expect((await post('traces', bomb, { ...proto, 'Content-Encoding': 'gzip' })).status).toBe(413);
    expect((await post('traces', spansOf(span()), { Authorization: 'Bearer nobody' })).status).toBe(401);
  });

  it('rejects, with a reason, what nothing places', async () => {
    const lonely = span({
      attributes: [attribute('gen_ai.operation.name', 'execute_tool')],
      traceId: '9'.repeat(32),
    });
    const response = await post('traces', spansOf(lonely));
    const { partialSuccess } = (await response.json()) as { partialSuccess: Record<string, string> };
    expect(partialSuccess['rejectedSpans']).toBe('1');
    expect(partialSuccess['errorMessage']).toContain('gen_ai.agent.id');
  });

  it('takes a tool’s span of a key without the action stream as a claim', async () => {
    const claimed = span({
      spanId: 'ddd19b7ec3c1b174',
      attributes: [
        ...span().attributes.filter(({ key }) => key !== 'gen_ai.agent.id'),
        attribute('gen_ai.agent.id', 'claimer'),
      ],
    });
    await post('traces', spansOf(claimed), bearer('runtime'));
    expect(logged('claimer')).toMatchObject([{ stream: 'reasoning', kind: 'message', declared: [{ tool: 'pay' }] }]);
  });

  it('answers a partial success in protobuf too', () => {
    const bytes = EXPORT_RESPONSE.encode(
      EXPORT_RESPONSE.fromObject({ partialSuccess: { rejected: 3, errorMessage: 'x' } }),
    ).finish();
    expect(Buffer.from(bytes).toString('hex')).toBe('0a050803120178');
  });
});
