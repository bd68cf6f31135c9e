type Change = Record<string, unknown>;

/** A `StandardLoggingPayload`, with the fields and forms of litellm/types/utils.py and of LiteLLM's logging_spec page. */
export function request(change: Change = {}): Record<string, unknown> {
  return {
    id: 'chatcmpl-9f1',
    trace_id: 'trace-7',
    litellm_call_id: 'call-7',
    call_type: 'acompletion',
    stream: false,
    status: 'success',
    status_fields: { llm_api_status: 'success', guardrail_status: 'not_run' },
    custom_llm_provider: 'openai',
    model: 'gpt-4o',
    total_tokens: 30,
    prompt_tokens: 20,
    completion_tokens: 10,
    startTime: 1_764_000_000.25,
    endTime: 1_764_000_001.5,
    response_cost: 0.0042,
    end_user: '',
    request_tags: [],
    metadata: {
      user_api_key_hash: '88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b',
      user_api_key_alias: 'travel-agent',
      requester_custom_headers: { 'x-session-id': 'session-3' },
      mcp_tool_call_metadata: null,
    },
    messages: [
      { role: 'system', content: 'You book hotels.' },
      { role: 'user', content: 'A hotel in Paris, please' },
    ],
    response: {
      id: 'chatcmpl-9f1',
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          finish_reason: 'tool_calls',
          message: {
            role: 'assistant',
            content: 'I will book it.',
            tool_calls: [
              { id: 'call_1', type: 'function', function: { name: 'book_hotel', arguments: '{"city":"Paris"}' } },
            ],
          },
        },
      ],
    },
    error_str: null,
    error_information: null,
    ...change,
  };
}

/** The same through the responses API, whose answer has another form. */
export function responsesRequest(): Record<string, unknown> {
  return request({
    id: 'resp_1',
    call_type: 'aresponses',
    messages: 'A hotel in Paris, please',
    response: {
      object: 'response',
      output: [
        { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'I will book it.' }] },
        { type: 'function_call', call_id: 'call_1', name: 'book_hotel', arguments: '{"city":"Paris"}' },
      ],
    },
  });
}

/** A call of an MCP tool through LiteLLM. */
export function mcpCall(change: Change = {}): Record<string, unknown> {
  return request({
    id: 'mcp-1',
    call_type: 'call_mcp_tool',
    messages: [],
    response: null,
    metadata: {
      user_api_key_alias: 'travel-agent',
      mcp_tool_call_metadata: {
        name: 'send_mail',
        arguments: { to: 'ann@example.org', subject: 'Your hotel' },
        result: { content: [{ type: 'text', text: 'sent' }] },
        mcp_server_name: 'mail',
        namespaced_tool_name: 'mail/send_mail',
        mcp_session_id: 'mcp-session-1',
      },
    },
    ...change,
  });
}

/** A call that a guardrail stopped. */
export function guardedCall(): Record<string, unknown> {
  return mcpCall({
    id: 'mcp-2',
    status: 'failure',
    status_fields: { llm_api_status: 'failure', guardrail_status: 'guardrail_intervened' },
    error_information: { error_code: '400', error_class: 'GuardrailRaisedException' },
  });
}

/** A `StandardAuditLogPayload`: values before and after are JSON text. */
export function configurationChange(): Record<string, unknown> {
  return {
    id: 'audit-1',
    updated_at: '2026-11-29T12:00:00Z',
    changed_by: 'admin-7',
    changed_by_api_key: 'hash',
    action: 'updated',
    table_name: 'LiteLLM_VerificationToken',
    object_id: '88dc28d0',
    before_value: '{"key_alias":"travel-agent","models":["gpt-4o"]}',
    updated_values: '{"models":["gpt-4o","o3"]}',
  };
}
