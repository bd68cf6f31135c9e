import { argumentsOf, isRecord, parsed, property, shown, textIn } from './attribute-reader.js';

/** Messages and parts looked at; the newest of a long history are what is new. */
const MAX_MESSAGES = 512;
const MAX_PARTS = 256;

export interface CalledTool {
  callId?: string;
  tool: string;
  args?: Record<string, unknown>;
}

export interface ToolAnswer {
  callId?: string;
  text: string;
}

/** One message between a user, a model and tools, whatever convention it was written in. */
export interface ChatMessage {
  role: string;
  text: string;
  calls: CalledTool[];
  answers: ToolAnswer[];
}

/**
 * Messages in any of the forms in use: the semantic conventions (`parts`), the APIs of model vendors (`content`,
 * `tool_calls`), the Vercel AI SDK (`content` of typed parts), OpenInference (`message.*`). What has none is no message.
 */
export function messagesOf(value: unknown): ChatMessage[] {
  const structure = typeof value === 'string' ? (parsed(value) ?? value) : value;
  if (typeof structure === 'string' && structure !== '') return [plainMessage('user', structure)];
  const list = Array.isArray(structure)
    ? structure
    : isRecord(structure)
      ? (property(structure, 'messages') ?? [structure])
      : [];
  return Array.isArray(list) ? list.slice(-MAX_MESSAGES).flatMap((one) => messageOf(one)) : [];
}

export function plainMessage(role: string, text: string): ChatMessage {
  return { role, text, calls: [], answers: [] };
}

function messageOf(value: unknown): ChatMessage[] {
  // OpenInference wraps each message once more.
  const message = property(value, 'message') ?? value;
  if (!isRecord(message)) return [];
  const role = textIn(message, 'role', 'type') ?? '';
  if (role === '') return [];
  const found = plainMessage(role === 'human' ? 'user' : role === 'ai' ? 'assistant' : role, '');
  const content = property(message, 'parts', 'content', 'contents');
  if (typeof content === 'string') addContent(found, content);
  else if (Array.isArray(content)) for (const part of content.slice(0, MAX_PARTS)) addPart(found, part);
  const calls = property(message, 'tool_calls', 'toolCalls');
  if (Array.isArray(calls))
    for (const call of calls.slice(0, MAX_PARTS)) addCall(found, property(call, 'tool_call') ?? call);
  if (found.role === 'tool' && found.answers.length === 0 && found.text !== '') {
    const callId = textIn(message, 'tool_call_id', 'toolCallId', 'id');
    found.answers.push(callId === undefined ? { text: found.text } : { callId, text: found.text });
    found.text = '';
  }
  return [found];
}

/** Text, or parts that were written down as JSON text. */
function addContent(into: ChatMessage, content: string): void {
  const structure = parsed(content);
  const isParts = Array.isArray(structure) && structure.some((part) => textIn(part, 'type') !== undefined);
  if (isParts) for (const part of structure.slice(0, MAX_PARTS)) addPart(into, part);
  else into.text = joined(into.text, content);
}

function addPart(into: ChatMessage, wrapped: unknown): void {
  if (typeof wrapped === 'string') {
    into.text = joined(into.text, wrapped);
    return;
  }
  const part = property(wrapped, 'message_content') ?? wrapped;
  const type = textIn(part, 'type') ?? 'text';
  switch (type) {
    case 'text':
    case 'reasoning':
    case 'thinking':
    case 'input_text':
    case 'output_text':
      into.text = joined(into.text, textIn(part, 'content', 'text', 'thinking', 'reasoning') ?? '');
      return;
    case 'tool_call':
    case 'tool-call':
    case 'tool_use':
    case 'server_tool_call':
    case 'function_call':
      return addCall(into, part);
    case 'tool_call_response':
    case 'tool-result':
    case 'tool_result':
    case 'server_tool_call_response':
    case 'function_call_output':
      return addAnswer(into, part);
    default:
  }
}

function addCall(into: ChatMessage, call: unknown): void {
  const inner = property(call, 'function');
  const tool = textIn(call, 'name', 'toolName', 'tool_name') ?? textIn(inner, 'name');
  if (tool === undefined) return;
  const callId = textIn(call, 'id', 'toolCallId', 'call_id', 'tool_call_id');
  const args = argumentsOf(
    property(call, 'arguments', 'args', 'input', 'server_tool_call') ?? property(inner, 'arguments', 'args'),
  );
  into.calls.push({ tool, ...(callId === undefined ? {} : { callId }), ...(args === undefined ? {} : { args }) });
}

function addAnswer(into: ChatMessage, answer: unknown): void {
  const callId = textIn(answer, 'id', 'toolCallId', 'tool_use_id', 'call_id', 'tool_call_id');
  // The document of the conventions names the field in two ways.
  const text = shown(property(answer, 'response', 'result', 'output', 'content'));
  into.answers.push(callId === undefined ? { text } : { callId, text });
}

function joined(before: string, more: string): string {
  if (more === '') return before;
  return before === '' ? more : `${before}\n${more}`;
}
