import { stableId } from '../lib/hash.js';
import type { Stream } from '../model/observation.js';
import { MAX_NAME_CHARS, MAX_TEXT_CHARS, type WireObservation, type WireToolCall } from '../model/wire.js';
import { readLines } from './line-reader.js';
import type { RecordedContent } from './recorded-content.js';
import { parseRecordedEvent, type RecordedEvent, type RecordedToolCall } from './recorded-event.js';

/** Who speaks in a recording. No two streams come from one hand: that is what makes agreement worth something. */
export type Speaker = 'agent-runtime' | 'gateway' | 'governance' | 'platform';

/** Which principal speaks for which stream, and the role and binding its key needs. */
export const SPEAKERS: Readonly<Record<Speaker, { stream: Stream; role: 'ingest' | 'gateway'; source: string }>> = {
  'agent-runtime': { stream: 'reasoning', role: 'ingest', source: 'reasoning' },
  gateway: { stream: 'action', role: 'gateway', source: 'audit' },
  governance: { stream: 'governance', role: 'ingest', source: 'governance' },
  platform: { stream: 'metric', role: 'ingest', source: 'metrics' },
};

/** One recorded event, and what its speaker would have sent to the observer. */
export interface RecordedStep {
  event: RecordedEvent;
  /** Event time, epoch ms. */
  timeMs: number;
  speaker: Speaker;
  /** One observation, and after a call also its `tool_result` where its text is known. */
  observations: WireObservation[];
}

/**
 * Reads a recording (`.jsonl` or `.jsonl.gz`, one event a line) as the steps of its sessions, in the file's order.
 *
 * @param content result texts by call, from the recording's content file
 * @throws RecordedDataError naming file and line
 */
export async function* readRecordedSteps(file: string, content?: RecordedContent): AsyncGenerator<RecordedStep> {
  for await (const { line, text } of readLines(file)) {
    const event = parseRecordedEvent(text, `${file}:${line}`);
    yield toStep(event, content?.textOf(event.sessionId, event.seq));
  }
}

/**
 * Converts one recorded event.
 *
 * @param resultText what a call gave back, where it is known
 */
export function toStep(event: RecordedEvent, resultText?: string): RecordedStep {
  const timeMs = Date.parse(event.ts);
  const base = {
    id: stableId('rec', event.sessionId, event.seq),
    time: timeMs,
    agentId: event.agentId,
    sessionId: event.sessionId,
    seq: event.seq,
  };
  const step = (speaker: Speaker, ...observations: WireObservation[]): RecordedStep => ({
    event,
    timeMs,
    speaker,
    observations,
  });
  switch (event.type) {
    case 'session.start':
      return step('governance', { ...base, stream: 'governance', kind: 'session_start', tools: names(event.tools) });
    case 'capability.narrow':
      return step('governance', {
        ...base,
        stream: 'governance',
        kind: 'capability_change',
        tools: names(event.tools),
      });
    case 'policy.deny': {
      const { callId } = event;
      const tool = nameOf(event.tool);
      const reason = event.reason === undefined ? {} : { reason: event.reason.slice(0, MAX_REASON_CHARS) };
      return step('governance', { ...base, stream: 'governance', kind: 'policy_deny', callId, tool, ...reason });
    }
    case 'content_filter.redact': {
      const tool = nameOf(event.tool);
      const { callId } = event;
      return step('governance', { ...base, stream: 'governance', kind: 'content_redaction', callId, tool });
    }
    case 'prompt':
      return step('agent-runtime', { ...base, stream: 'reasoning', kind: 'prompt', text: textOf(event.text) });
    case 'assistant': {
      const tokens = event.tokensEst === undefined ? {} : { tokens: event.tokensEst };
      const declared = event.declared.map((d) => ({ ...d, tool: nameOf(d.tool) }));
      const text = textOf(event.text);
      return step('agent-runtime', { ...base, stream: 'reasoning', kind: 'message', text, ...tokens, declared });
    }
    case 'tool_call': {
      const call = toToolCall(event, base);
      return resultText === undefined
        ? step('gateway', call)
        : step('gateway', call, toToolResult(event, call, textOf(resultText)));
    }
    case 'session.summary':
      break;
  }
  return step('platform', { ...base, stream: 'metric', kind: 'session_summary', values: numbersOf(event) });
}

const MAX_REASON_CHARS = 4096;
const MAX_VALUE_CHARS = 4096;
const MAX_TARGETS = 64;
const MAX_TOOLS = 512;

function toToolCall(
  event: RecordedToolCall,
  base: { id: string; time: number; agentId: string; sessionId: string; seq: number },
): WireToolCall {
  const call: WireToolCall = {
    ...base,
    stream: 'action',
    kind: 'tool_call',
    callId: event.callId,
    tool: nameOf(event.tool),
    effect: event.effect,
    args: event.args,
    targets: event.targets.slice(0, MAX_TARGETS).map(({ field, kind, value, origin, originCall, originTool }) => ({
      field: nameOf(field),
      kind: nameOf(kind),
      value: value.slice(0, MAX_VALUE_CHARS),
      ...(origin === undefined ? {} : { origin }),
      ...(typeof originCall === 'string' ? { originCall } : {}),
      ...(typeof originTool === 'string' ? { originTool: nameOf(originTool) } : {}),
    })),
    decision: event.decision,
    resultClass: event.resultSizeClass,
  };
  if (event.reason !== undefined) call.reason = event.reason.slice(0, MAX_REASON_CHARS);
  if (event.error !== null) call.error = nameOf(event.error);
  return call;
}

function toToolResult(event: RecordedToolCall, call: WireToolCall, text: string): WireObservation {
  const { time, agentId, tool } = call;
  const { sessionId, callId, seq } = event;
  return {
    id: stableId('rec', sessionId, seq, 'result'),
    time,
    agentId,
    sessionId,
    callId,
    // The next event is the first that an alarm on this result can still stop.
    seq: seq + 1,
    stream: 'action',
    kind: 'tool_result',
    tool,
    text,
    resultClass: event.resultSizeClass,
    ...(call.error === undefined ? {} : { error: call.error }),
  };
}

const SUMMARY_OWN_FIELDS: ReadonlySet<string> = new Set(['seq']);

function numbersOf(event: Record<string, unknown>): Record<string, number> {
  const values: Record<string, number> = {};
  for (const [name, value] of Object.entries(event)) {
    if (typeof value === 'number' && !SUMMARY_OWN_FIELDS.has(name)) values[nameOf(name)] = value;
  }
  return values;
}

/** A model can invent any tool name, the empty one included. */
function nameOf(text: string): string {
  return text === '' ? '(empty)' : text.slice(0, MAX_NAME_CHARS);
}

function names(list: readonly string[]): string[] {
  return list.slice(0, MAX_TOOLS).map(nameOf);
}

function textOf(text: string): string {
  return text.slice(0, MAX_TEXT_CHARS);
}
