import { argumentsOf, numberOf, structureOf, textIn, textOf } from '../genai/attribute-reader.js';
import { plainMessage } from '../genai/messages.js';
import { given, type Ruling, type Said, type Who } from '../genai/said.js';
import type { Attributes } from '../otlp/model.js';

const REDACTED = '<REDACTED>';

/**
 * Log events of Claude Code (code.claude.com/docs/en/monitoring-usage, "Events", as of v2.1.246). A call that was let
 * through is told by `tool_result`, which repeats the decision (`decision_type`, `decision_source`; `decision` and
 * `source` in early versions) and has the whole input; one that was rejected, by `tool_decision` alone. So no two events need
 * be joined. `assistant_response` and `user_prompt` say nothing while their text is withheld.
 *
 * @param event name with its prefix
 */
export function readClaudeCode(event: string, attributes: Attributes, who: Who): Said | undefined {
  const common = { ...who, input: [], output: [] };
  switch (event) {
    case 'claude_code.user_prompt': {
      const prompt = contentOf(attributes, 'prompt');
      return prompt === undefined
        ? undefined
        : { ...common, operation: 'agent', input: [plainMessage('user', prompt)] };
    }
    case 'claude_code.assistant_response': {
      const response = contentOf(attributes, 'response');
      if (response === undefined) return undefined;
      const output = [plainMessage('assistant', response)];
      return { ...common, operation: 'answer', ...given('model', textOf(attributes, 'model')), output };
    }
    case 'claude_code.api_request':
      return {
        ...common,
        operation: 'model',
        ...given('model', textOf(attributes, 'model')),
        ...given('inputTokens', numberOf(attributes, 'input_tokens')),
        ...given('outputTokens', numberOf(attributes, 'output_tokens')),
        ...given('cacheReadTokens', numberOf(attributes, 'cache_read_tokens')),
        ...given('cacheCreationTokens', numberOf(attributes, 'cache_creation_tokens')),
        ...given('costUsd', numberOf(attributes, 'cost_usd')),
        ...given('durationMs', numberOf(attributes, 'duration_ms')),
      };
    case 'claude_code.api_error':
      return { ...common, operation: 'spend', ...given('durationMs', numberOf(attributes, 'duration_ms')) };
    case 'claude_code.tool_decision': {
      const tool = toolOf(attributes, rulingOf(attributes, 'decision', 'source'));
      return tool && { ...common, operation: 'decision', tool };
    }
    case 'claude_code.tool_result': {
      const ruling =
        rulingOf(attributes, 'decision_type', 'decision_source') ?? rulingOf(attributes, 'decision', 'source');
      const tool = toolOf(attributes, ruling);
      // Early versions told of rejected calls here too; `tool_decision` has told of them already.
      if (tool === undefined || ruling?.decision === 'deny') return undefined;
      return {
        ...common,
        operation: 'tool',
        tool,
        ...given('durationMs', numberOf(attributes, 'duration_ms')),
        ...given('error', failureOf(attributes)),
      };
    }
    default:
      return undefined;
  }
}

function contentOf(attributes: Attributes, name: string): string | undefined {
  const text = textOf(attributes, name);
  return text === REDACTED ? undefined : text;
}

function toolOf(attributes: Attributes, decision: Ruling | undefined): Said['tool'] {
  const tool = textOf(attributes, 'tool_name');
  if (tool === undefined) return undefined;
  const parameters = structureOf(attributes, 'tool_parameters');
  const [server, inner] = [textIn(parameters, 'mcp_server_name'), textIn(parameters, 'mcp_tool_name')];
  return {
    // The tools of configured MCP servers share one name; this is the one that Claude Code has for them elsewhere.
    name: tool === 'mcp_tool' && server !== undefined && inner !== undefined ? `mcp__${server}__${inner}` : tool,
    ...given('callId', textOf(attributes, 'tool_use_id')),
    ...given('args', argumentsOf(structureOf(attributes, 'tool_input') ?? parameters)),
    ...given('decision', decision),
  };
}

function rulingOf(attributes: Attributes, decision: string, source: string): Ruling | undefined {
  const word = textOf(attributes, decision);
  if (word === undefined) return undefined;
  const raw = `${word}/${textOf(attributes, source) ?? 'unknown'}`;
  return { decision: word === 'accept' ? 'allow' : word === 'reject' ? 'deny' : 'ask', raw };
}

function failureOf(attributes: Attributes): string | undefined {
  const success = attributes.get('success');
  if (success !== 'false' && success !== false) return undefined;
  return textOf(attributes, 'error_type') ?? 'error';
}
