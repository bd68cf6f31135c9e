import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeRecord } from '../../src/log/record-codec.js';
import type { Observation } from '../../src/model/observation.js';
import { secretOf, startApi, type ApiStack } from '../support/api-stack.js';
import { CODING_AGENTS, CLAUDE_CODE, CODEX, sayTurn } from '../support/emitters/coding-agents.js';
import { realSdk, type Encoding } from '../support/emitters/otel-sdk.js';

const START_MS = 1_764_000_000_000;
let stack: ApiStack;
beforeAll(async () => {
  stack = await startApi();
});
afterAll(async () => {
  await stack.close();
});

function logged(agentId: string): Observation[] {
  return stack.log
    .read(stack.log.tail, 100_000)
    .map((entry) => decodeRecord(entry))
    .flatMap((record) => (record.type === 'observation' && record.value.agentId === agentId ? [record.value] : []));
}

/** Sends a turn through the real SDK. @param host so that each test has agents of its own */
async function say(events: (typeof CODING_AGENTS)[number], host: string, key = 'all', encoding: Encoding = 'protobuf') {
  const about = { ...events.resource, 'host.name': host };
  const sdk = realSdk(stack.url, encoding, { Authorization: `Bearer ${secretOf(key)}` }, about);
  sayTurn(sdk, events, START_MS);
  await sdk.close();
  return logged(`${events.product}@${host}`);
}

describe.each(CODING_AGENTS)('events of $product', (events) => {
  it.each(['protobuf', 'json'] as const)('are a turn on three streams, by %s', async (encoding) => {
    const seen = await say(events, `host-${encoding}`, 'all', encoding);
    expect(seen.map(({ sessionId }) => sessionId)).toEqual(seen.map(() => events.sessionId));
    const calls = seen.filter((one) => one.kind === 'tool_call');
    expect(calls.map(({ decision }) => decision)).toEqual(['allow', 'deny']);
    expect(calls.map(({ rawDecision }) => rawDecision)).toEqual(events.rawDecisions);
    expect(calls[0]?.targets.map(({ value }) => value).join(' ')).toContain('/srv');
    expect(seen.filter(({ kind }) => kind === 'prompt')).toMatchObject([{ chars: 25 }]);
    const messages = seen.filter((one) => one.kind === 'message');
    expect(messages.flatMap(({ declared }) => declared).length).toBeGreaterThan(0);
    expect(messages.reduce((sum, { tokens = 0 }) => sum + tokens, 0)).toBe(40);
  });

  it('say what a session spent once', async () => {
    const seen = await say(events, 'host-spend');
    const samples = seen.flatMap((one) => (one.kind === 'sample' ? [one.values] : []));
    const total = (name: string) => samples.reduce((sum, values) => sum + (values[name] ?? 0), 0);
    expect([total('inputTokens'), total('outputTokens'), total('latencyMs')]).toEqual([120, 40, 1_500]);
  });

  it('are an agent per machine, by the id of the installation where the host is not named', async () => {
    const sdk = realSdk(stack.url, 'json', { Authorization: `Bearer ${secretOf('all')}` }, events.resource);
    sayTurn(sdk, events, START_MS);
    await sdk.close();
    expect(logged(events.agentId).length).toBeGreaterThan(0);
    const everyone = stack.log.read(stack.log.tail, 100_000).map((entry) => decodeRecord(entry));
    expect(JSON.stringify(everyone)).not.toContain('ann@example.org');
  });

  it('are claims where the key may not write the action stream', async () => {
    const seen = await say(events, 'host-claims', 'runtime');
    expect(new Set(seen.map(({ stream }) => stream))).toEqual(new Set(['reasoning']));
  });
});

it('joins what Codex decided about a call with what came of it', async () => {
  const seen = await say(CODEX, 'host-join');
  const calls = seen.filter((one) => one.kind === 'tool_call');
  expect(calls).toMatchObject([
    { callId: 'call_1', decision: 'allow', rawDecision: 'approved/config' },
    { callId: 'call_2', decision: 'deny', rawDecision: 'denied/user' },
  ]);
  // The result of a denied call would look like a call that ran.
  expect(seen.filter((one) => one.kind === 'tool_result')).toMatchObject([{ callId: 'call_1' }]);
});

it('keeps the counters of Claude Code apart from what its events say, under the same agent and session', async () => {
  const about = { 'service.name': 'claude-code', 'host.name': 'host-meter' };
  const sdk = realSdk(stack.url, 'protobuf', { Authorization: `Bearer ${secretOf('all')}` }, about, true);
  const attributes = { 'session.id': 'session-m', 'user.id': 'install-1', 'agent.name': 'Explore' };
  sdk.meter.createCounter('claude_code.token.usage').add(120, { ...attributes, type: 'input' });
  sayTurn(sdk, CLAUDE_CODE, START_MS);
  await sdk.close();
  const samples = logged('claude-code@host-meter').flatMap((one) => (one.kind === 'sample' ? [one] : []));
  const counted = samples.filter(({ values }) => values['claude_code.token.usage.input'] !== undefined);
  expect(counted).toMatchObject([{ sessionId: 'session-m', values: { 'claude_code.token.usage.input': 120 } }]);
  expect(samples.filter(({ values }) => values['inputTokens'] !== undefined)).toHaveLength(1);
});
