import type { OtlpLog, OtlpSpan } from '../otlp/model.js';
import { isRecord } from './attribute-reader.js';
import { messagesOf, type ChatMessage } from './messages.js';
import type { Said } from './said.js';
import { readSemanticConventions, whoOf } from './semantic-conventions.js';

/** Roles of the events of the conventions up to 1.36, each of which is one message. */
const MESSAGE_EVENTS: Readonly<Record<string, string>> = {
  'gen_ai.system.message': 'system',
  'gen_ai.user.message': 'user',
  'gen_ai.assistant.message': 'assistant',
  'gen_ai.tool.message': 'tool',
};
const DETAILS = 'gen_ai.client.inference.operation.details';
const CHOICE = 'gen_ai.choice';

/** Name of an event: its own field, or the attribute that older emitters put it in. */
export function eventNameOf({ eventName, attributes }: OtlpLog): string {
  const attribute = attributes.get('event.name');
  return eventName === '' && typeof attribute === 'string' ? attribute : eventName;
}

/**
 * What a log record of the GenAI conventions says: the details of a whole request (current), or one message of it (up to
 * 1.36). An event of an assistant or tool only repeats the history; what the model said now is the choice.
 */
export function readGenAiLog(log: OtlpLog): Said | undefined {
  const name = eventNameOf(log);
  if (name === DETAILS) return readSemanticConventions(asSpan(log));
  const who = whoOf(log.attributes);
  if (name === CHOICE) return { operation: 'model', ...who, input: [], output: choiceOf(log) };
  const role = MESSAGE_EVENTS[name];
  if (role !== 'user') return undefined;
  const input = messagesOf(withRole(log.body, role));
  return input.length === 0 ? undefined : { operation: 'agent', ...who, input, output: [] };
}

function choiceOf({ body }: OtlpLog): ChatMessage[] {
  const message = isRecord(body) && isRecord(body['message']) ? body['message'] : body;
  return messagesOf(withRole(message, 'assistant'));
}

function withRole(body: unknown, role: string): unknown {
  if (typeof body === 'string') return [{ role, content: body }];
  return isRecord(body) ? [{ role, ...body }] : [];
}

/** The details of a request stand in the same attributes as those of its span. */
function asSpan(log: OtlpLog): OtlpSpan {
  const { resource, scope, traceId, spanId, timeMs, attributes } = log;
  return {
    signal: 'traces',
    resource,
    scope,
    traceId,
    spanId,
    parentSpanId: '',
    name: 'chat',
    startMs: timeMs,
    endMs: timeMs,
    attributes,
    events: [],
    statusCode: 0,
    statusMessage: '',
  };
}
