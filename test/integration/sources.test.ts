import { gzipSync } from 'node:zlib';
import { CloudEvent, HTTP } from 'cloudevents';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IntakeReport } from '../../src/model/wire.js';
import type { Observation } from '../../src/model/observation.js';
import { startApi, type ApiStack, type PostOptions } from '../support/api-stack.js';
import { meshEvent, nativeEvent } from '../support/records/cloud-events.js';
import { mcpCall, request } from '../support/records/litellm.js';
import { decision } from '../support/records/opa.js';

let stack: ApiStack;
beforeAll(async () => {
  stack = await startApi();
});
afterAll(async () => {
  await stack.close();
});

/** Posts and reports, with the observations that this request added to the log. */
async function send(path: string, body: string | Uint8Array, options: PostOptions = {}) {
  const before = stack.log.head;
  const response = await stack.post(path, body, options);
  const report = (await response.json()) as IntakeReport;
  const seen = stack
    .logged()
    .slice(before - stack.log.tail + 1)
    .flatMap((record): Observation[] => (record.type === 'observation' ? [record.value] : []));
  return { status: response.status, report, seen };
}

describe('POST /v1/sources/cloudevents', () => {
  const path = '/v1/sources/cloudevents';
  const event = (change: Record<string, unknown> = {}) =>
    new CloudEvent({
      id: 'event-9',
      source: 'urn:example:gateway',
      type: 'io.parallax.observation',
      time: '2026-11-29T12:00:00.000Z',
      data: { stream: 'reasoning', kind: 'prompt', agentId: 'ce-agent', sessionId: 's1', text: 'a hotel' },
      ...change,
    });

  it.each(['binary', 'structured'] as const)('takes the %s form of the cloudevents package', async (form) => {
    const message = HTTP[form](event());
    const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)]));
    const { report, seen } = await send(path, String(message.body), { type: headers['content-type'] ?? '', headers });
    expect(report).toEqual({ accepted: 1, refused: [] });
    expect(seen).toMatchObject([{ agentId: 'ce-agent', kind: 'prompt', time: Date.parse('2026-11-29T12:00:00Z') }]);
  });

  it('gives an event the same id in either form', async () => {
    const binary = HTTP.binary(event());
    const structured = HTTP.structured(event());
    const ids = [];
    for (const { headers, body } of [binary, structured]) {
      const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
      const { seen } = await send(path, String(body), { type: own['content-type'] ?? '', headers: own });
      ids.push(seen[0]?.id);
    }
    expect(ids[0]).toBeDefined();
    expect(ids[0]).toBe(ids[1]);
  });

  it('takes a batch, refuses by index, keeps a dead letter', async () => {
    const batch = [nativeEvent(), { ...nativeEvent(), type: 'com.example.other' }, meshEvent()];
    const { status, report, seen } = await send(path, JSON.stringify(batch), {
      type: 'application/cloudevents-batch+json; charset=utf-8',
    });
    expect(status).toBe(200);
    expect(report).toMatchObject({ accepted: 2, refused: [{ index: 1, field: 'type' }] });
    expect(seen).toMatchObject([{ kind: 'prompt' }, { kind: 'tool_call', agentId: 'did:mesh:travel-agent' }]);
    expect(stack.logged().filter(({ type }) => type === 'dead-letter').length).toBeGreaterThan(0);
  });

  it('takes events that come as plain JSON', async () => {
    const { report } = await send(path, JSON.stringify([meshEvent()]));
    expect(report.accepted).toBe(1);
  });

  it('refuses forms it does not know, and more than one event in the binary form', async () => {
    const post = async (type: string, body: string, headers: Record<string, string> = {}) =>
      (await stack.post(path, body, { type, headers })).status;
    expect(await post('application/cloudevents+avro', '{}')).toBe(415);
    expect(await post('text/plain', '{}')).toBe(415);
    expect(await post('text/plain', 'x', { 'ce-specversion': '1.0' })).toBe(415);
    expect(await post('application/json', '[{},{}]', { 'ce-specversion': '1.0' })).toBe(400);
  });
});

describe('POST /v1/sources/litellm', () => {
  const path = '/v1/sources/litellm';
  const two = [request(), mcpCall()];
  const expected = ['prompt', 'message', 'sample', 'tool_call', 'tool_result'];

  it('takes a JSON array, the default log_format', async () => {
    const { report, seen } = await send(path, JSON.stringify(two));
    expect(report).toEqual({ accepted: 2, refused: [] });
    expect(seen.map(({ kind }) => kind)).toEqual(expected);
  });

  it('takes lines, which LiteLLM sends as application/json', async () => {
    const { report, seen } = await send(path, two.map((one) => JSON.stringify(one)).join('\n'));
    expect(report.accepted).toBe(2);
    expect(seen.map(({ kind }) => kind)).toEqual(expected);
  });

  it('takes a single object, also one over several lines, also gzip', async () => {
    const text = JSON.stringify(request(), undefined, 2);
    expect((await send(path, text)).report.accepted).toBe(1);
    const zipped = await send(path, gzipSync(text), { headers: { 'content-encoding': 'gzip' } });
    expect(zipped.report.accepted).toBe(1);
  });

  it('refuses a record that is none, by its index', async () => {
    const { report } = await send(path, JSON.stringify([null, request()]));
    expect(report).toMatchObject({ accepted: 1, refused: [{ index: 0, field: '' }] });
  });

  it('takes nothing on streams that the key may not write', async () => {
    const { report, seen } = await send(path, JSON.stringify(two), { key: 'runtime' });
    expect(seen.map(({ stream }) => stream)).toEqual(['reasoning', 'reasoning']);
    expect(report).toMatchObject({ accepted: 1, refused: [{ index: 1, field: 'stream' }] });
  });
});

describe('POST /v1/sources/opa/logs', () => {
  const path = '/v1/sources/opa/logs';
  const zipped = { headers: { 'content-encoding': 'gzip' } };

  it('takes what OPA uploads, in either address, and gives a decision that comes again the same id', async () => {
    const chunk = gzipSync(JSON.stringify([decision(), decision({ decision_id: 'other', result: false })]));
    const first = await send(path, chunk, zipped);
    expect(first).toMatchObject({ status: 200, report: { accepted: 2, refused: [] } });
    expect(first.seen).toMatchObject([
      { kind: 'tool_call', decision: 'allow', agentId: 'travel-agent', tool: 'send_mail' },
      { decision: 'deny' },
    ]);
    const again = await send(`${path}/team-a`, chunk, zipped);
    expect(again.seen.map(({ id }) => id)).toEqual(first.seen.map(({ id }) => id));
  });

  it('acknowledges a chunk of which it refuses a part, and says which', async () => {
    const chunk = JSON.stringify([decision({ timestamp: 'never' }), decision()]);
    expect(await send(path, chunk)).toMatchObject({
      status: 200,
      report: { accepted: 1, refused: [{ index: 0, field: 'time' }] },
    });
  });
});

describe('POST /v1/sources/map/:name', () => {
  it('reads records by the mapping of that name', async () => {
    const { report } = await send('/v1/sources/map/opa', JSON.stringify(decision()));
    expect(report).toEqual({ accepted: 1, refused: [] });
  });

  it('says where a mapping goes that is not there', async () => {
    const response = await stack.post('/v1/sources/map/nothing', '{}');
    expect(response.status).toBe(404);
    expect(await response.text()).toContain('sources.mappingsDir');
  });
});
