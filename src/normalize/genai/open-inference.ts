import type { OtlpSpan } from '../otlp/model.js';
import { argumentsOf, numberOf, structureOf, textOf, unflatten } from './attribute-reader.js';
import { messagesOf, plainMessage } from './messages.js';
import { given, type Said } from './said.js';
import { errorOf, resultOf, whoOf } from './semantic-conventions.js';

const OPERATIONS: Readonly<Record<string, Said['operation']>> = { LLM: 'model', TOOL: 'tool', AGENT: 'agent' };

/** OpenInference (Arize; spec/semantic_conventions.md): flattened messages, `input.value` and `output.value`. */
export function readOpenInference(span: OtlpSpan): Said | undefined {
  const { attributes } = span;
  const operation = OPERATIONS[textOf(attributes, 'openinference.span.kind') ?? ''];
  if (operation === undefined) return undefined;
  const input = messagesOf(unflatten(attributes, 'llm.input_messages'));
  const output = messagesOf(unflatten(attributes, 'llm.output_messages'));
  const asked = operation === 'agent' ? textOf(attributes, 'input.value') : undefined;
  return {
    operation,
    ...whoOf(attributes),
    ...given('model', textOf(attributes, 'llm.model_name', 'embedding.model_name')),
    ...given('inputTokens', numberOf(attributes, 'llm.token_count.prompt')),
    ...given('outputTokens', numberOf(attributes, 'llm.token_count.completion')),
    ...given('costUsd', numberOf(attributes, 'llm.cost.total')),
    input: input.length > 0 || asked === undefined ? input : [plainMessage('user', asked)],
    output,
    ...(operation === 'tool' ? given('tool', toolOf(span)) : {}),
    ...given('error', errorOf(span)),
  };
}

function toolOf({ attributes, name }: OtlpSpan): Said['tool'] {
  const parameters = structureOf(attributes, 'tool.parameters', 'tool_call.function.arguments');
  return {
    name: textOf(attributes, 'tool.name', 'tool_call.function.name') ?? name,
    ...given('callId', textOf(attributes, 'tool_call.id', 'tool.id')),
    // `tool.parameters` is what the tool takes in some emitters and what it was given in others; the input is never both.
    ...given('args', argumentsOf(structureOf(attributes, 'input.value') ?? parameters)),
    ...given('result', resultOf(structureOf(attributes, 'output.value'))),
  };
}
