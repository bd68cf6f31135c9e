import { murmur32 } from '../../src/lib/hash.js';
import { mentionedWords, requestWords } from '../../src/lib/text/words.js';
import type {
  AttemptObservation,
  GovernanceObservation,
  MessageObservation,
  ObservationBase,
  Origin,
  PromptObservation,
  Target,
  ToolCallObservation,
  ToolResultObservation,
} from '../../src/model/observation.js';

export const SEED = 11;

/** Whose behaviour it is, and when. */
export interface Where {
  tenant?: string;
  agentId?: string;
  sessionId?: string;
  /** Event time, epoch ms, and what ids are made of. */
  at: number;
  callId?: string;
}

function base(
  { tenant = 't', agentId = 'agent-a', sessionId = 's1', at, callId }: Where,
  emitter: string,
): ObservationBase {
  return {
    id: `${agentId}/${sessionId}/${at}`,
    schemaVersion: 1,
    time: at,
    observedAt: at,
    tenant,
    agentId,
    sessionId,
    principalId: emitter,
    ...(callId === undefined ? {} : { callId }),
  };
}

export function prompt(where: Where, text: string): PromptObservation {
  return {
    ...base(where, 'runtime'),
    stream: 'reasoning',
    kind: 'prompt',
    chars: text.length,
    ...requestWords(text, SEED),
  };
}

export function message(where: Where, declared: MessageObservation['declared']): MessageObservation {
  return { ...base(where, 'runtime'), stream: 'reasoning', kind: 'message', chars: 0, declared, words: [] };
}

export interface Acting {
  tool: string;
  effect?: 'read' | 'write';
  /** Values by field; a value is a name, taken from `origin`. */
  args?: Record<string, string>;
  origin?: Origin;
  originCall?: string;
  originTool?: string;
}

export function attempt(where: Where, acting: Acting): AttemptObservation {
  return { ...base(where, 'gateway'), ...callFields(acting), stream: 'action', kind: 'tool_attempt', decision: 'none' };
}

export function call(where: Where, acting: Acting, more: Partial<ToolCallObservation> = {}): ToolCallObservation {
  return {
    ...base(where, 'gateway'),
    ...callFields(acting),
    stream: 'action',
    kind: 'tool_call',
    decision: 'allow',
    resultClass: 1,
    ...more,
  };
}

export function result(where: Where, tool: string, text: string): ToolResultObservation {
  const values = mentionedWords(text, { seed: SEED, maxChars: 10_000, maxWords: 1_000 });
  return { ...base(where, 'gateway'), stream: 'action', kind: 'tool_result', tool, resultClass: 1, values };
}

export function control(where: Where, kind: 'policy_deny' | 'content_redaction'): GovernanceObservation {
  return { ...base(where, 'governance'), stream: 'governance', kind, tools: [] };
}

function callFields({ tool, effect = 'read', args = {}, origin = 'prompt', originCall, originTool }: Acting) {
  const words = (value: string) => mentionedWords(value, { seed: SEED, maxChars: 400, maxWords: 24 });
  const targets = Object.entries(args).map(([field, value]): Target => ({
    field,
    kind: field === 'to' ? 'party' : 'text',
    value,
    hash: murmur32(value.toLowerCase(), SEED),
    words: words(value),
    origin,
    ...(originCall === undefined ? {} : { originCall }),
    ...(originTool === undefined ? {} : { originTool }),
  }));
  return { tool, effect, targets, argWords: words(Object.values(args).join(' ')), argBytes: 10 };
}
