import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Observation } from '../../src/model/observation.js';
import { secretOf, startApi, type ApiStack } from '../support/api-stack.js';
import { runVercelAgent } from '../support/emitters/agents.js';
import { buildCollector, startCollector } from '../support/emitters/collector.js';
import { realSdk } from '../support/emitters/otel-sdk.js';
import { standInModel } from '../support/emitters/stand-in-model.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const program = await buildCollector();

let stack: ApiStack;
beforeAll(async () => {
  stack = await startApi();
});
afterAll(async () => {
  await stack.close();
});

describe.skipIf(program === undefined)('the real OpenTelemetry Collector', () => {
  it.each(['proto', 'json'] as const)('passes a run of an agent on whole (%s)', async (encoding) => {
    const directory = temporaryDirectory();
    const collector = await startCollector(program ?? '', {
      directory: directory.path,
      observer: stack.url,
      key: secretOf('all'),
      encoding,
    });
    const model = await standInModel();
    const before = stack.logged().length;
    try {
      const sdk = realSdk(collector.url, 'protobuf');
      await runVercelAgent(model.url, sdk.tracer);
      sdk.meter.createGauge('queue.depth').record(4, { 'gen_ai.agent.id': 'travel-agent' });
      await sdk.close();
    } finally {
      await model.close();
      // It sends what it holds before it ends.
      await collector.stop();
      directory.remove();
    }
    const seen = stack
      .logged()
      .slice(before)
      .flatMap((record): Observation[] => (record.type === 'observation' ? [record.value] : []));
    // With its own words where it fails.
    expect(collector.said()).not.toMatch(/Exporting failed/);
    expect(new Set(seen.map(({ agentId }) => agentId))).toEqual(new Set(['travel-agent']));
    const kinds = seen.map(({ kind }) => kind);
    for (const kind of ['prompt', 'message', 'tool_call', 'tool_result', 'sample']) expect(kinds).toContain(kind);
    expect(seen.find(({ kind }) => kind === 'tool_call')).toMatchObject({ tool: 'book_hotel', callId: 'call_1' });
    expect(seen.some((one) => one.kind === 'sample' && one.values['queue.depth'] === 4)).toBe(true);
  });
});
