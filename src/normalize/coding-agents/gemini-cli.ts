import type { Decision } from '../../model/observation.js';
import { argumentsOf, numberOf, structureOf, textOf } from '../genai/attribute-reader.js';
import { messagesOf, plainMessage } from '../genai/messages.js';
import { given, type Said, type Who } from '../genai/said.js';
import type { Attributes } from '../otlp/model.js';

const DECISIONS: Readonly<Record<string, Decision>> = {
  accept: 'allow',
  auto_accept: 'allow',
  modify: 'transform',
  reject: 'deny',
};

/**
 * Log events of Gemini CLI (google-gemini/gemini-cli at 04bcbc6b, docs/cli/telemetry.md, "Logs"). A call, its decision
 * and how it ended are one event. A response is told twice: by `gemini_cli.api_response`, which has its cost, and by
 * the event of the GenAI conventions, from which only the model's words and calls are taken.
 *
 * @param event name with its prefix
 */
export function readGeminiCli(event: string, attributes: Attributes, who: Who): Said | undefined {
  const common = { ...who, input: [], output: [] };
  switch (event) {
    case 'gemini_cli.user_prompt': {
      const prompt = textOf(attributes, 'prompt');
      return prompt === undefined
        ? undefined
        : { ...common, operation: 'agent', input: [plainMessage('user', prompt)] };
    }
    case 'gemini_cli.api_response':
      return {
        ...common,
        operation: 'model',
        ...given('model', textOf(attributes, 'model')),
        ...given('inputTokens', numberOf(attributes, 'input_token_count')),
        ...given('outputTokens', numberOf(attributes, 'output_token_count')),
        ...given('cacheReadTokens', numberOf(attributes, 'cached_content_token_count')),
        ...given('durationMs', numberOf(attributes, 'duration_ms')),
      };
    case 'gemini_cli.api_error':
      return { ...common, operation: 'spend', ...given('durationMs', numberOf(attributes, 'duration_ms')) };
    case 'gen_ai.client.inference.operation.details': {
      const output = messagesOf(structureOf(attributes, 'gen_ai.output.messages'));
      if (!output.some(({ text, calls }) => text !== '' || calls.length > 0)) return undefined;
      return { ...common, operation: 'answer', output, ...given('model', textOf(attributes, 'gen_ai.request.model')) };
    }
    case 'gemini_cli.tool_call': {
      const name = textOf(attributes, 'function_name');
      if (name === undefined) return undefined;
      const success = attributes.get('success');
      const raw = textOf(attributes, 'decision');
      return {
        ...common,
        operation: 'tool',
        tool: {
          name,
          ...given('args', argumentsOf(structureOf(attributes, 'function_args'))),
          ...given('decision', raw === undefined ? undefined : { decision: DECISIONS[raw] ?? 'ask', raw }),
        },
        ...given('durationMs', numberOf(attributes, 'duration_ms')),
        ...(success === false || success === 'false' ? { error: textOf(attributes, 'error_type') ?? 'error' } : {}),
      };
    }
    default:
      return undefined;
  }
}
