import type { Decision } from '../../model/observation.js';
import { argumentsOf, numberOf, textOf } from '../genai/attribute-reader.js';
import { plainMessage } from '../genai/messages.js';
import { given, type Said, type Who } from '../genai/said.js';
import type { Attributes } from '../otlp/model.js';

const REDACTED = '[REDACTED]';

/**
 * Log events of OpenAI Codex (openai/codex at 0136a731, codex-rs/otel/src/events/session_telemetry.rs; numbers come as
 * text). What was decided about a call stands in `tool_decision` and what came of it in `tool_result`, under the same
 * `call_id`: the intake puts them together. Of the events of a response only its end has tokens; how long a request
 * took is told by another.
 *
 * @param event name with its prefix
 */
export function readCodex(event: string, attributes: Attributes, who: Who): Said | undefined {
  const common = { ...who, input: [], output: [] };
  switch (event) {
    case 'codex.user_prompt': {
      const prompt = textOf(attributes, 'prompt');
      if (prompt === undefined || prompt === REDACTED) return undefined;
      return { ...common, operation: 'agent', input: [plainMessage('user', prompt)] };
    }
    case 'codex.sse_event': {
      const inputTokens = numberOf(attributes, 'input_token_count');
      const outputTokens = numberOf(attributes, 'output_token_count');
      if (inputTokens === undefined && outputTokens === undefined) return undefined;
      return {
        ...common,
        operation: 'model',
        ...given('model', textOf(attributes, 'model')),
        ...given('inputTokens', inputTokens),
        ...given('outputTokens', outputTokens),
      };
    }
    case 'codex.api_request':
    case 'codex.websocket_request': {
      const durationMs = numberOf(attributes, 'duration_ms');
      return durationMs === undefined ? undefined : { ...common, operation: 'spend', durationMs };
    }
    case 'codex.tool_decision': {
      const tool = toolOf(attributes);
      const word = textOf(attributes, 'decision');
      if (tool === undefined || word === undefined) return undefined;
      const raw = `${word}/${textOf(attributes, 'source') ?? 'unknown'}`;
      return { ...common, operation: 'decision', tool: { ...tool, decision: { decision: decisionOf(word), raw } } };
    }
    case 'codex.tool_result': {
      const tool = toolOf(attributes);
      if (tool === undefined) return undefined;
      const success = attributes.get('success');
      return {
        ...common,
        operation: 'tool',
        tool: { ...tool, ...given('result', textOf(attributes, 'output')) },
        ...given('durationMs', numberOf(attributes, 'duration_ms')),
        ...(success === 'false' || success === false ? { error: 'error' } : {}),
      };
    }
    default:
      return undefined;
  }
}

function toolOf(attributes: Attributes): Said['tool'] {
  const tool = textOf(attributes, 'tool_name');
  if (tool === undefined) return undefined;
  const server = textOf(attributes, 'mcp_server');
  return {
    name: server === undefined || tool.startsWith('mcp__') ? tool : `mcp__${server}__${tool}`,
    ...given('callId', textOf(attributes, 'call_id')),
    ...given('args', argumentsOf(attributes.get('arguments'))),
  };
}

/** Codex's words for a review: `approved`, `approved_for_session` ..., `denied`, `abort`, `timed_out`. */
function decisionOf(word: string): Decision {
  if (word.startsWith('approved')) return 'allow';
  return word === 'denied' || word === 'abort' || word === 'timed_out' ? 'deny' : 'ask';
}
