import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { murmur32 } from '../../src/lib/hash.js';
import { leafText } from '../../src/lib/text/leaf-text.js';
import { mentionedWords, requestWords } from '../../src/lib/text/words.js';
import type { GovernanceKind, Observation, ObservationBase, Stream, Target } from '../../src/model/observation.js';
import { parseRecordedEvent, type RecordedEvent, type RecordedToolCall } from '../../src/sources/recorded-event.js';

export const RECORDED_SETS = ['agentdojo', 'agentdyn', 'taubench'] as const;
export type RecordedSet = (typeof RECORDED_SETS)[number];

/** One recorded session as scoring sees it. */
export interface RecordedSession {
  set: RecordedSet;
  agentId: string;
  sessionId: string;
  observations: Observation[];
  /** Tools it was provisioned with. */
  tools: string[];
}

const TENANT = 'recorded';
const MAX_ARG_CHARS = 4_000;

/** The sessions of one file (`train`, `dev`), in the file's order, each in its own order of events. */
export function recordedSessions(data: string, set: RecordedSet, split: string, seed: number): RecordedSession[] {
  const file = join(data, set, `${split}.jsonl.gz`);
  const events = new Map<string, RecordedEvent[]>();
  const lines = gunzipSync(readFileSync(file)).toString('utf8').split('\n');
  for (const [i, line] of lines.entries()) {
    if (line === '') continue;
    const event = parseRecordedEvent(line, `${file}:${i + 1}`);
    const list = events.get(event.sessionId);
    if (list === undefined) events.set(event.sessionId, [event]);
    else list.push(event);
  }
  return [...events].map(([sessionId, list]) => {
    list.sort((a, b) => a.seq - b.seq);
    const start = list.find((event) => event.type === 'session.start');
    return {
      set,
      agentId: list[0]?.agentId ?? '',
      sessionId,
      observations: list.map((event) => observationOf(event, seed)),
      tools: start?.tools ?? [],
    };
  });
}

/** One recorded event as an observation, every stream with an emitter of its own. */
function observationOf(event: RecordedEvent, seed: number): Observation {
  const base = (stream: Stream): ObservationBase => ({
    id: `${event.sessionId}/${event.seq}`,
    schemaVersion: 1,
    time: Date.parse(event.ts),
    observedAt: Date.parse(event.ts),
    tenant: TENANT,
    agentId: event.agentId,
    principalId: `${stream}-emitter`,
    sessionId: event.sessionId,
    seq: event.seq,
  });
  const governance = (kind: GovernanceKind, more: { tools?: string[]; callId?: string } = {}): Observation => ({
    ...base('governance'),
    stream: 'governance',
    kind,
    tools: [],
    ...more,
  });
  switch (event.type) {
    case 'prompt': {
      const { words, values } = requestWords(event.text, seed);
      return { ...base('reasoning'), stream: 'reasoning', kind: 'prompt', chars: event.text.length, words, values };
    }
    case 'assistant':
      return {
        ...base('reasoning'),
        stream: 'reasoning',
        kind: 'message',
        chars: event.text.length,
        declared: event.declared.map(({ callId, tool }) => (callId === undefined ? { tool } : { callId, tool })),
        words: mentionedWords(event.text, { seed, maxChars: 1_500, maxWords: 400 }),
      };
    case 'tool_call':
      return callOf(event, base('action'), seed);
    case 'session.start':
      return governance('session_start', { tools: event.tools });
    case 'capability.narrow':
      return governance('capability_change', { tools: event.tools });
    case 'policy.deny':
      return governance('policy_deny', { callId: event.callId });
    case 'content_filter.redact':
      return governance('content_redaction', { callId: event.callId });
    case 'session.summary':
      break;
  }
  return { ...base('metric'), stream: 'metric', kind: 'session_summary', values: {} };
}

function callOf(event: RecordedToolCall, base: ObservationBase, seed: number): Observation {
  const { tool, effect, decision, callId, args, error, resultSizeClass } = event;
  const argText = leafText(args, MAX_ARG_CHARS);
  return {
    ...base,
    stream: 'action',
    kind: 'tool_call',
    callId,
    tool,
    effect,
    targets: event.targets.map((target) => targetOf(target, seed)),
    argWords: mentionedWords(argText, { seed, maxChars: MAX_ARG_CHARS, maxWords: 200 }),
    argBytes: argText.length,
    decision,
    resultClass: resultSizeClass,
    ...(error === null ? {} : { error }),
  };
}

function targetOf(given: RecordedToolCall['targets'][number], seed: number): Target {
  const { field, kind, value, origin = 'unknown', originCall, originTool } = given;
  return {
    field,
    kind,
    value,
    hash: murmur32(value.toLowerCase(), seed),
    words: mentionedWords(value, { seed, maxChars: 400, maxWords: 24 }),
    origin,
    ...(typeof originCall === 'string' ? { originCall } : {}),
    ...(typeof originTool === 'string' ? { originTool } : {}),
  };
}
