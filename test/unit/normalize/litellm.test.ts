import { describe, expect, it } from 'vitest';
import { litellmNormalizer } from '../../../src/normalize/litellm.js';
import { STREAMS } from '../../../src/model/observation.js';
import { configurationChange, guardedCall, mcpCall, request, responsesRequest } from '../../support/records/litellm.js';

const context = {
  principal: { id: 'k', role: 'ingest' as const, tenant: 't', streams: new Set(STREAMS), agents: ['*'] },
  observedAt: 1,
  seed: 7,
};
const seen = (record: unknown) =>
  litellmNormalizer.normalize(record, context).map((one) => {
    if (!one.ok) throw new Error(`${one.field} ${one.reason}`);
    return one.observation;
  });

describe('LiteLLM', () => {
  it('reads a request as prompt, answer with declared calls, and spend', () => {
    expect(seen(request())).toMatchObject([
      { kind: 'prompt', agentId: 'travel-agent', sessionId: 'session-3', traceId: 'trace-7', time: 1_764_000_000_250 },
      { kind: 'message', declared: [{ callId: 'call_1', tool: 'book_hotel' }], model: 'gpt-4o', tokens: 10 },
      {
        kind: 'sample',
        time: 1_764_000_001_500,
        values: { inputTokens: 20, outputTokens: 10, costUsd: 0.0042, latencyMs: 1_250 },
      },
    ]);
  });

  it('tells agents of one key apart by a header, and lets none pass for the agent of another key', () => {
    const metadata = { user_api_key_alias: 'shared', requester_custom_headers: { 'x-agent-id': 'travel-agent' } };
    expect(seen(request({ metadata }))[0]).toMatchObject({ agentId: 'shared/travel-agent' });
  });

  it('reads the answer of the responses API alike', () => {
    expect(seen(responsesRequest())[1]).toMatchObject({
      kind: 'message',
      chars: 'I will book it.'.length,
      declared: [{ callId: 'call_1', tool: 'book_hotel' }],
    });
  });

  it('reads a call of an MCP tool and its result', () => {
    expect(seen(mcpCall())).toMatchObject([
      { kind: 'tool_call', tool: 'mail/send_mail', decision: 'allow', sessionId: 'mcp-session-1' },
      { kind: 'tool_result', tool: 'mail/send_mail' },
    ]);
  });

  it('says denied where a guardrail stopped the call, and gives no result', () => {
    expect(seen(guardedCall())).toMatchObject([
      { kind: 'tool_call', decision: 'deny', error: 'GuardrailRaisedException' },
    ]);
  });

  it('makes no answer of a request that failed', () => {
    const failed = request({ status: 'failure', response: {}, error_str: 'rate limited' });
    expect(seen(failed).map(({ kind }) => kind)).toEqual(['prompt', 'sample']);
  });

  it('names the guardrails that intervened', () => {
    const guarded = request({
      status_fields: { guardrail_status: 'guardrail_intervened' },
      guardrail_information: [{ guardrail_name: 'pii-mask' }],
    });
    expect(seen(guarded).at(-1)).toMatchObject({
      kind: 'policy_deny',
      reason: 'a guardrail intervened: pii-mask',
    });
  });

  it('reads a change of a key as a change of what its agent may do', () => {
    expect(seen(configurationChange())).toMatchObject([
      {
        stream: 'governance',
        kind: 'capability_change',
        agentId: 'travel-agent',
        requesterId: 'admin-7',
        reason: 'updated in LiteLLM_VerificationToken',
      },
    ]);
  });
});
