import { MAX_SENTENCE_CHARS, type WireObservation } from '../../model/wire.js';
import type { CallAttempt } from '../port.js';
import type { AuditFields } from './guard.js';
import type { ToolAnswer } from './port.js';

/** Most of a result's text that goes to the observer, characters: enough to see where later arguments come from. */
const MAX_RESULT_CHARS = 64 * 1024;
const SMALL_CHARS = 4_096;

/** What a call came to. */
export interface CallOutcome {
  /** The server's answer; absent where there was none. */
  answer?: Pick<ToolAnswer, 'content' | 'structuredContent' | 'isError'>;
  /** Error class where it failed. */
  error?: string;
  /** It was allowed and still not made. */
  notMade?: boolean;
}

/** The audit records of one call: what was attempted and decided, and what came back. */
export function auditRecords(
  attempt: CallAttempt,
  { audit, outcome, endedAt }: { audit: AuditFields; outcome: CallOutcome; endedAt: number },
): WireObservation[] {
  const { reason, decision, ...fields } = audit;
  const { answer, error, notMade } = outcome;
  const call: WireObservation = {
    ...attempt,
    ...fields,
    id: `${attempt.callId}-call`,
    stream: 'action',
    kind: 'tool_call',
    decision: notMade === true ? 'error' : decision,
  };
  if (reason !== undefined && reason !== '') call.reason = reason.slice(0, MAX_SENTENCE_CHARS);
  if (error !== undefined) call.error = error;
  if (answer === undefined) return [call];
  const text = textOf(answer);
  const resultClass = text === '' ? 0 : text.length < SMALL_CHARS ? 1 : 2;
  call.resultClass = resultClass;
  const { agentId, sessionId, callId, tool, traceId, spanId } = attempt;
  const result: WireObservation = {
    id: `${attempt.callId}-result`,
    time: endedAt,
    agentId,
    sessionId,
    callId,
    ...(traceId === undefined ? {} : { traceId }),
    ...(spanId === undefined ? {} : { spanId }),
    stream: 'action',
    kind: 'tool_result',
    tool,
    resultClass,
  };
  if (error !== undefined) result.error = error;
  if (text !== '') result.text = text;
  return [call, result];
}

/** The words of a result, of whatever blocks it is made. */
function textOf({ content, structuredContent }: NonNullable<CallOutcome['answer']>): string {
  const texts: string[] = [];
  let chars = 0;
  const add = (text: string): void => {
    if (chars >= MAX_RESULT_CHARS) return;
    texts.push(text);
    chars += text.length + 1;
  };
  for (const block of content) {
    if (block.type === 'text') add(block.text);
    else if (block.type === 'resource') add('text' in block.resource ? block.resource.text : block.resource.uri);
    else if (block.type === 'resource_link') add(block.uri);
    else add(`[${block.type} ${block.mimeType}]`);
  }
  // Servers that follow the protocol say the same as text.
  if (texts.length === 0 && structuredContent !== undefined) add(JSON.stringify(structuredContent));
  return texts.join('\n').slice(0, MAX_RESULT_CHARS);
}
