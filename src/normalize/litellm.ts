import { argumentsOf, isRecord, parsed, property, shown, textIn } from './genai/attribute-reader.js';
import { messagesOf, type ChatMessage } from './genai/messages.js';
import type { Refused } from './port.js';
import { refuse } from './refusal.js';
import { normalizerOf, type Draft } from './translate.js';

const MS = 1_000;
const MAX_GUARDRAILS = 16;

/**
 * LiteLLM's `StandardLoggingPayload` (litellm/types/utils.py), as its `generic_api` callback sends it: a request to a
 * model, a call of an MCP tool, or what a guardrail said.
 *
 * The agent is the key's alias, the session what a header or the MCP server names, else its `trace_id`.
 */
export const litellmNormalizer = normalizerOf({
  format: 'litellm',
  translate: (record) => {
    if (!isRecord(record)) return [refuse('', 'must be a StandardLoggingPayload, a JSON object')];
    if (textIn(record, 'table_name') !== undefined) return [changeOf(record)];
    const id = textIn(record, 'id', 'litellm_call_id');
    if (id === undefined) return [refuse('id', 'is missing; send the StandardLoggingPayload as LiteLLM makes it')];
    const startMs = seconds(record['startTime']);
    const endMs = seconds(record['endTime']) ?? startMs;
    if (startMs === undefined || endMs === undefined) {
      return [refuse('startTime', 'must be seconds since 1970, as LiteLLM gives it')];
    }
    const metadata = property(record, 'metadata');
    const agentId = agentOf(record, metadata);
    if (agentId === undefined) {
      return [refuse('metadata.user_api_key_alias', 'nothing names the agent; give each agent a key with an alias')];
    }
    const common = { agentId, traceId: textIn(record, 'trace_id') ?? '', sessionId: sessionOf(record, metadata) ?? id };
    const call = property(metadata, 'mcp_tool_call_metadata');
    const at = { id, startMs, endMs };
    return call === undefined ? requestDrafts(record, common, at) : callDrafts(record, call, common, at);
  },
});

interface Moment {
  id: string;
  startMs: number;
  endMs: number;
}

type Common = Readonly<Record<string, string>>;

function requestDrafts(record: Record<string, unknown>, common: Common, { id, startMs, endMs }: Moment): Draft[] {
  const drafts: Draft[] = [];
  const asked = messagesOf(record['messages']).findLast(({ role, text }) => role === 'user' && text !== '');
  const reasoning = { ...common, stream: 'reasoning' };
  if (asked !== undefined) {
    drafts.push({ ...reasoning, kind: 'prompt', id: `${id}/prompt`, time: startMs, text: asked.text });
  }
  const answers = answersIn(record['response']);
  const declared = answers
    .flatMap(({ calls }) => calls)
    .map(({ callId, tool }) => ({ tool, ...(callId && { callId }) }));
  const tokens = whole(record['completion_tokens']);
  // A request that failed has no answer.
  if (answers.length > 0 || textIn(record, 'status') !== 'failure') {
    drafts.push({
      ...reasoning,
      kind: 'message',
      id: `${id}/message`,
      time: endMs,
      text: answers.flatMap(({ text }) => (text === '' ? [] : [text])).join('\n'),
      declared,
      model: textIn(record, 'model') ?? '',
      ...(tokens === undefined ? {} : { tokens }),
    });
  }
  const values = {
    inputTokens: whole(record['prompt_tokens']),
    outputTokens: tokens,
    costUsd: positive(record['response_cost']),
    latencyMs: Math.max(0, endMs - startMs),
  };
  const known = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  drafts.push({ ...common, stream: 'metric', kind: 'sample', id: `${id}/spend`, time: endMs, values: known });
  if (textIn(record['status_fields'], 'guardrail_status') === 'guardrail_intervened') {
    const reason = textIn(record, 'error_str') ?? guardrailsOf(record);
    drafts.push({ ...common, stream: 'governance', kind: 'policy_deny', id: `${id}/guardrail`, time: endMs, reason });
  }
  return drafts;
}

function callDrafts(
  record: Record<string, unknown>,
  call: unknown,
  common: Common,
  { id, startMs, endMs }: Moment,
): (Draft | Refused)[] {
  const tool = textIn(call, 'namespaced_tool_name', 'name');
  if (tool === undefined) return [refuse('metadata.mcp_tool_call_metadata.name', 'is missing: nothing names the tool')];
  const failed = textIn(record, 'status') === 'failure';
  const error = failed ? { error: textIn(record['error_information'], 'error_class', 'error_code') ?? 'failure' } : {};
  const isDenied = failed && textIn(record['status_fields'], 'guardrail_status') === 'guardrail_intervened';
  const args = argumentsOf(property(call, 'arguments'));
  const acted = { ...common, ...error, stream: 'action', tool, callId: id };
  const result = shown(property(call, 'result') ?? property(record, 'response'));
  return [
    {
      ...acted,
      kind: 'tool_call',
      id: `${id}/call`,
      time: startMs,
      decision: isDenied ? 'deny' : 'allow',
      ...(args && { args }),
    },
    ...(result === '' || failed
      ? []
      : [{ ...acted, kind: 'tool_result', id: `${id}/result`, time: endMs, text: result }]),
  ];
}

/** What the model answered, in the form of any of the APIs that LiteLLM passes on. */
function answersIn(response: unknown): ChatMessage[] {
  const choices = property(response, 'choices');
  if (Array.isArray(choices)) return messagesOf(choices.map((choice) => property(choice, 'message')));
  const output = property(response, 'output');
  if (!Array.isArray(output)) return messagesOf(isRecord(response) ? response : []);
  // The responses API has a call beside the messages instead of in one of them.
  return messagesOf(
    output.map((item) =>
      textIn(item, 'type') === 'function_call' ? { role: 'assistant', content: [item] } : (item as unknown),
    ),
  );
}

function guardrailsOf(record: Record<string, unknown>): string {
  const list = record['guardrail_information'];
  const names = (Array.isArray(list) ? list.slice(0, MAX_GUARDRAILS) : []).flatMap(
    (one) => textIn(one, 'guardrail_name') ?? [],
  );
  return names.length === 0 ? 'a guardrail intervened' : `a guardrail intervened: ${names.join(', ')}`;
}

/**
 * A change of LiteLLM's own configuration (`StandardAuditLogPayload`) is a change of what agents are allowed. It is about
 * the agent of the key that was changed, where the change names one.
 */
function changeOf(record: Record<string, unknown>): Draft | Refused {
  const time = timeOf(record['updated_at']);
  if (time === undefined) return refuse('updated_at', 'must be a time');
  const table = textIn(record, 'table_name') ?? '';
  const alias = ['updated_values', 'before_value'].flatMap(
    (name) => textIn(structure(record[name]), 'key_alias') ?? [],
  );
  return {
    stream: 'governance',
    kind: 'capability_change',
    id: textIn(record, 'id') ?? '',
    time,
    agentId: alias[0] ?? textIn(record, 'object_id') ?? table,
    requesterId: textIn(record, 'changed_by') ?? '',
    reason: `${textIn(record, 'action') ?? 'changed'} in ${table}`,
  };
}

/** LiteLLM writes the values before and after as JSON text. */
function structure(value: unknown): unknown {
  return typeof value === 'string' ? parsed(value) : value;
}

/**
 * LiteLLM vouches for the key, the client alone for the header: with it agents that share a key are told apart, but none
 * can pass for the agent of another key.
 */
function agentOf(record: unknown, metadata: unknown): string | undefined {
  const key = textIn(metadata, 'user_api_key_alias', 'user_api_key_hash');
  const named = textIn(property(metadata, 'requester_custom_headers'), 'x-agent-id', 'x-parallax-agent-id');
  if (key !== undefined) return named === undefined ? key : `${key}/${named}`;
  return named ?? textIn(record, 'end_user');
}

function sessionOf(record: unknown, metadata: unknown): string | undefined {
  const headers = property(metadata, 'requester_custom_headers');
  const mcp = property(metadata, 'mcp_tool_call_metadata');
  return (
    textIn(headers, 'x-session-id', 'agent-session-id') ?? textIn(mcp, 'mcp_session_id') ?? textIn(record, 'trace_id')
  );
}

/** Epoch ms from seconds, whole. */
function seconds(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.round(value * MS) : undefined;
}

function timeOf(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : (seconds(value) ?? Number.NaN);
  return Number.isFinite(ms) ? ms : undefined;
}

function whole(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.round(value) : undefined;
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}
