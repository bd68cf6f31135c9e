import type { OtlpSpan } from '../otlp/model.js';
import { argumentsOf, numberOf, shown, structureOf, textOf, unflatten } from './attribute-reader.js';
import { messagesOf } from './messages.js';
import { given, type Said, type Who } from './said.js';

/** Operations that ask a model. */
const MODEL = new Set(['chat', 'generate_content', 'text_completion', 'completion', 'message']);
const AGENT = new Set(['invoke_agent', 'invoke_workflow', 'create_agent', 'plan']);

/** Who a span of any convention speaks of. Other attributes than its own are for the trace around it. */
export function whoOf(attributes: OtlpSpan['attributes']): Who {
  return {
    ...given(
      'agentId',
      textOf(attributes, 'gen_ai.agent.id', 'gen_ai.agent.name', 'agent.id', 'agent.name', 'parallax.agent.id'),
    ),
    ...given('sessionId', textOf(attributes, 'gen_ai.conversation.id', 'session.id', 'parallax.session.id')),
  };
}

/**
 * The OpenTelemetry conventions for generative AI and MCP: the current ones (open-telemetry/semantic-conventions-genai,
 * schema 1.42), those up to semconv 1.36 (`gen_ai.system`, `gen_ai.prompt`), and the flattened
 * `gen_ai.prompt.0.content` of OpenLLMetry.
 */
export function readSemanticConventions(span: OtlpSpan): Said | undefined {
  const { attributes } = span;
  const named = textOf(attributes, 'gen_ai.operation.name') ?? operationIn(span);
  const isTool = named === 'execute_tool' || textOf(attributes, 'mcp.method.name') === 'tools/call';
  const operation = isTool ? 'tool' : MODEL.has(named ?? '') ? 'model' : AGENT.has(named ?? '') ? 'agent' : undefined;
  if (operation === undefined) return undefined;
  return {
    operation,
    ...whoOf(attributes),
    ...given('model', textOf(attributes, 'gen_ai.response.model', 'gen_ai.request.model')),
    ...given('inputTokens', numberOf(attributes, 'gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens')),
    ...given('outputTokens', numberOf(attributes, 'gen_ai.usage.output_tokens', 'gen_ai.usage.completion_tokens')),
    ...given('costUsd', numberOf(attributes, 'gen_ai.usage.cost')),
    input: messagesOf(
      structureOf(attributes, 'gen_ai.input.messages', 'gen_ai.prompt') ?? unflatten(attributes, 'gen_ai.prompt'),
    ),
    output: messagesOf(
      structureOf(attributes, 'gen_ai.output.messages', 'gen_ai.completion') ??
        unflatten(attributes, 'gen_ai.completion'),
    ).map((message) => (message.role === 'user' ? { ...message, role: 'assistant' } : message)),
    ...(operation === 'tool' ? given('tool', toolOf(span)) : {}),
    ...given('error', errorOf(span)),
  };
}

/** Emitters that set no operation name it in the span: `chat gpt-4o`. */
function operationIn({ name, attributes }: OtlpSpan): string | undefined {
  const first = name.split(' ', 1)[0] ?? '';
  if (first === 'execute_tool' || AGENT.has(first)) return first;
  const isModel = textOf(attributes, 'gen_ai.system', 'gen_ai.provider.name', 'gen_ai.request.model') !== undefined;
  if (!isModel) return undefined;
  return MODEL.has(first) ? first : 'chat';
}

function toolOf({ attributes, name }: OtlpSpan): Said['tool'] {
  const tool =
    textOf(attributes, 'gen_ai.tool.name') ?? (name.includes(' ') ? name.slice(name.indexOf(' ') + 1) : undefined);
  if (tool === undefined || tool === '') return undefined;
  return {
    name: tool,
    ...given('callId', textOf(attributes, 'gen_ai.tool.call.id')),
    ...given('args', argumentsOf(structureOf(attributes, 'gen_ai.tool.call.arguments', 'gen_ai.tool.arguments'))),
    ...given('result', resultOf(structureOf(attributes, 'gen_ai.tool.call.result', 'gen_ai.tool.result'))),
  };
}

export function resultOf(value: unknown): string | undefined {
  const text = shown(value);
  return text === '' ? undefined : text;
}

/** Class of a span's error; its message is no class. */
export function errorOf({ attributes, statusCode }: OtlpSpan): string | undefined {
  return textOf(attributes, 'error.type', 'exception.type') ?? (statusCode === 2 ? 'error' : undefined);
}
