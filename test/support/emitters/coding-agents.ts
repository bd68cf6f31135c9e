import type { realSdk } from './otel-sdk.js';

type Sdk = ReturnType<typeof realSdk>;
type Attributes = Record<string, string | number | boolean>;

/**
 * What coding agents say of one turn with an allowed and a rejected call, written from their documentation (fixtures;
 * the agents themselves need an account with a vendor): Claude Code code.claude.com/docs/en/monitoring-usage; Codex
 * codex-rs/otel/src/events/session_telemetry.rs at 0136a731; Gemini CLI docs/cli/telemetry.md at 04bcbc6b.
 */
export interface CodingAgentEvents {
  product: string;
  resource: Record<string, string>;
  agentId: string;
  sessionId: string;
  /** Of its allowed and its rejected call. */
  rawDecisions: [string, string];
  /** As the product's exporter names and fills them, in order. */
  events: { body: string; eventName?: string; attributes: Attributes }[];
}

const claudeCommon = { 'session.id': 'session-c', 'user.id': 'install-1', 'user.email': 'ann@example.org' };
const claude = (name: string, attributes: Attributes) => ({
  body: `claude_code.${name}`,
  attributes: { ...claudeCommon, 'event.name': name, ...attributes },
});

export const CLAUDE_CODE: CodingAgentEvents = {
  product: 'claude-code',
  resource: { 'service.name': 'claude-code', 'host.name': 'laptop-7' },
  agentId: 'claude-code@laptop-7',
  sessionId: 'session-c',
  rawDecisions: ['accept/config', 'reject/user_reject'],
  events: [
    claude('user_prompt', { prompt: 'List the files, then push', prompt_length: 25 }),
    claude('api_request', {
      model: 'claude-sonnet-5',
      cost_usd: 0.0125,
      duration_ms: 1_500,
      input_tokens: 120,
      output_tokens: 40,
      cache_read_tokens: 900,
      cache_creation_tokens: 10,
      request_id: 'req_1',
      'agent.name': 'Explore',
    }),
    claude('assistant_response', { response: 'I will list them.', model: 'claude-sonnet-5', request_id: 'req_1' }),
    claude('tool_decision', {
      tool_name: 'Bash',
      tool_use_id: 'toolu_1',
      decision: 'accept',
      source: 'config',
      tool_parameters: JSON.stringify({ bash_command: 'ls', full_command: 'ls -la /srv' }),
    }),
    claude('tool_result', {
      tool_name: 'Bash',
      tool_use_id: 'toolu_1',
      success: 'true',
      duration_ms: 30,
      decision_type: 'accept',
      decision_source: 'config',
      tool_input: JSON.stringify({ command: 'ls -la /srv', description: 'List' }),
    }),
    claude('tool_decision', {
      tool_name: 'Bash',
      tool_use_id: 'toolu_2',
      decision: 'reject',
      source: 'user_reject',
      tool_parameters: JSON.stringify({ bash_command: 'git', full_command: 'git push --force' }),
    }),
  ],
};

const codexCommon = { 'conversation.id': 'session-x', 'user.account_id': 'account-1', model: 'gpt-6', slug: 'gpt-6' };
const codex = (name: string, attributes: Attributes) => ({
  body: '',
  // The bridge from Rust's tracing names records after their place in the source.
  eventName: 'event otel/src/events/session_telemetry.rs:812',
  attributes: { ...codexCommon, 'event.name': name, ...attributes },
});

export const CODEX: CodingAgentEvents = {
  product: 'codex',
  resource: { 'service.name': 'codex_cli_rs' },
  agentId: 'codex@account-1',
  sessionId: 'session-x',
  rawDecisions: ['approved/config', 'denied/user'],
  events: [
    codex('codex.user_prompt', { prompt_length: '25', prompt: 'List the files, then push' }),
    codex('codex.api_request', { duration_ms: '1500', 'http.response.status_code': 200, attempt: 0 }),
    codex('codex.sse_event', { 'event.kind': 'response.completed', duration_ms: '3' }),
    codex('codex.sse_event', {
      'event.kind': 'response.completed',
      input_token_count: '120',
      output_token_count: '40',
      tool_token_count: '160',
    }),
    codex('codex.tool_decision', { tool_name: 'shell', call_id: 'call_1', decision: 'approved', source: 'config' }),
    codex('codex.tool_result', {
      tool_name: 'shell',
      call_id: 'call_1',
      arguments: JSON.stringify({ command: ['ls', '-la', '/srv'] }),
      duration_ms: '30',
      success: 'true',
      output: 'a.txt',
      mcp_server: '',
    }),
    codex('codex.tool_decision', { tool_name: 'shell', call_id: 'call_2', decision: 'denied', source: 'user' }),
    codex('codex.tool_result', {
      tool_name: 'shell',
      call_id: 'call_2',
      arguments: JSON.stringify({ command: ['git', 'push', '--force'] }),
      duration_ms: '0',
      success: 'false',
      output: 'rejected by user',
      mcp_server: '',
    }),
  ],
};

const geminiCommon = { 'session.id': 'session-g', 'installation.id': 'install-9', 'user.email': 'ann@example.org' };
const gemini = (name: string, attributes: Attributes) => ({
  body: '',
  attributes: { ...geminiCommon, 'event.name': name, ...attributes },
});

export const GEMINI_CLI: CodingAgentEvents = {
  product: 'gemini-cli',
  resource: { 'service.name': 'gemini-cli' },
  agentId: 'gemini-cli@install-9',
  sessionId: 'session-g',
  rawDecisions: ['auto_accept', 'reject'],
  events: [
    gemini('gemini_cli.user_prompt', { prompt_length: 25, prompt_id: 'p1', prompt: 'List the files, then push' }),
    gemini('gemini_cli.api_response', {
      model: 'gemini-3-pro',
      status_code: 200,
      duration_ms: 1_500,
      input_token_count: 120,
      output_token_count: 40,
      cached_content_token_count: 900,
    }),
    gemini('gen_ai.client.inference.operation.details', {
      'gen_ai.operation.name': 'generate_content',
      'gen_ai.request.model': 'gemini-3-pro',
      'gen_ai.usage.input_tokens': 120,
      'gen_ai.usage.output_tokens': 40,
      'gen_ai.output.messages': JSON.stringify([
        { role: 'assistant', parts: [{ type: 'tool_call', id: 'g1', name: 'run_shell_command', arguments: {} }] },
      ]),
    }),
    gemini('gemini_cli.tool_call', {
      function_name: 'run_shell_command',
      function_args: JSON.stringify({ command: 'ls -la /srv' }),
      duration_ms: 30,
      success: true,
      decision: 'auto_accept',
      prompt_id: 'p1',
    }),
    gemini('gemini_cli.tool_call', {
      function_name: 'run_shell_command',
      function_args: JSON.stringify({ command: 'git push --force' }),
      duration_ms: 0,
      success: false,
      decision: 'reject',
      prompt_id: 'p1',
    }),
  ],
};

export const CODING_AGENTS = [CLAUDE_CODE, CODEX, GEMINI_CLI];

/** Has the real SDK send one agent's events, a second apart. @param startMs epoch ms */
export function sayTurn(sdk: Sdk, { events }: CodingAgentEvents, startMs: number): void {
  for (const [i, { body, eventName, attributes }] of events.entries()) {
    const timestamp = startMs + i * 1_000;
    sdk.logger.emit({ body, attributes, timestamp, ...(eventName === undefined ? {} : { eventName }) });
  }
}
