import type { OtlpSpan } from '../otlp/model.js';
import { argumentsOf, numberOf, structureOf, textOf } from './attribute-reader.js';
import { messagesOf, plainMessage, type CalledTool, type ChatMessage } from './messages.js';
import { given, type Said } from './said.js';
import { errorOf, resultOf, whoOf } from './semantic-conventions.js';

/**
 * Telemetry of the Vercel AI SDK (`experimental_telemetry`): spans `ai.generateText`, `ai.generateText.doGenerate`,
 * `ai.streamText.doStream`, `ai.toolCall`. The outer span of a request repeats what the inner ones say, so it counts as
 * the run of an agent. `ai.telemetry.functionId` names the agent, metadata `sessionId` the session.
 */
export function readVercelAi(span: OtlpSpan): Said | undefined {
  const { attributes } = span;
  const id = textOf(attributes, 'ai.operationId') ?? span.name;
  if (!id.startsWith('ai.')) return undefined;
  const isTool = id === 'ai.toolCall';
  const isModel = /^ai\.[a-zA-Z]+\.do[A-Z][a-zA-Z]+$/.test(id);
  const who = whoOf(attributes);
  return {
    operation: isTool ? 'tool' : isModel ? 'model' : 'agent',
    ...who,
    ...given('agentId', who.agentId ?? textOf(attributes, 'ai.telemetry.metadata.agentId', 'ai.telemetry.functionId')),
    ...given(
      'sessionId',
      who.sessionId ?? textOf(attributes, 'ai.telemetry.metadata.sessionId', 'ai.telemetry.metadata.conversationId'),
    ),
    ...given('model', textOf(attributes, 'gen_ai.response.model', 'ai.response.model', 'ai.model.id')),
    ...given('inputTokens', numberOf(attributes, 'gen_ai.usage.input_tokens', 'ai.usage.promptTokens')),
    ...given('outputTokens', numberOf(attributes, 'gen_ai.usage.output_tokens', 'ai.usage.completionTokens')),
    input: inputOf(span),
    output: isModel ? outputOf(span) : [],
    ...(isTool ? given('tool', toolOf(span)) : {}),
    ...given('error', errorOf(span)),
  };
}

function inputOf({ attributes }: OtlpSpan): ChatMessage[] {
  const messages = messagesOf(structureOf(attributes, 'ai.prompt.messages'));
  if (messages.length > 0) return messages;
  const prompt = structureOf(attributes, 'ai.prompt');
  if (typeof prompt === 'string') return [plainMessage('user', prompt)];
  const listed = messagesOf(prompt);
  if (listed.length > 0) return listed;
  const text = typeof prompt === 'object' && prompt !== null ? Reflect.get(prompt, 'prompt') : undefined;
  return messagesOf(text);
}

function outputOf({ attributes }: OtlpSpan): ChatMessage[] {
  const message = plainMessage('assistant', textOf(attributes, 'ai.response.text', 'ai.result.text') ?? '');
  const calls = structureOf(attributes, 'ai.response.toolCalls', 'ai.result.toolCalls');
  const [listed] = messagesOf([{ role: 'assistant', tool_calls: calls }]);
  const declared: CalledTool[] = listed?.calls ?? [];
  return message.text === '' && declared.length === 0 ? [] : [{ ...message, calls: declared }];
}

function toolOf({ attributes }: OtlpSpan): Said['tool'] {
  const name = textOf(attributes, 'ai.toolCall.name');
  if (name === undefined) return undefined;
  return {
    name,
    ...given('callId', textOf(attributes, 'ai.toolCall.id')),
    ...given('args', argumentsOf(structureOf(attributes, 'ai.toolCall.args', 'ai.toolCall.input'))),
    ...given('result', resultOf(structureOf(attributes, 'ai.toolCall.result', 'ai.toolCall.output'))),
  };
}
