import type { z } from 'zod';
import { describeType } from '../lib/explain-issue.js';
import {
  GOVERNANCE_KINDS,
  STREAMS,
  type GovernanceObservation,
  type MessageObservation,
  type MetricObservation,
  type Observation,
  type ObservationBase,
  type PromptObservation,
  type ToolCallObservation,
  type ToolResultObservation,
} from '../model/observation.js';
import { wireObservationSchema, type WireObservation } from '../model/wire.js';
import { baseFields, epochMs, payloadOf } from './base-fields.js';
import { deriveCall, rawArguments } from './call-fields.js';
import { discretionOf, shownText, textContent } from './content.js';
import { messageWords, requestHashes, resultValues } from './derive.js';
import { visibleText } from './fold-text.js';
import type { Accepted, NormalizeContext, Normalized, Normalizer, Refused } from './port.js';
import { refuse, refuseIssues } from './refusal.js';
import { isGovernance, isMessage, isMetric, isPrompt, isToolCall, isToolResult } from './wire-check.js';

/** Deepest nesting of one record. HTTP intake checks this before parsing; other sources rely on it here. */
const MAX_DEPTH = 64;
const MAX_METRICS = 256;

const [spoken, governanceSchema, metricSchema] = wireObservationSchema.options;
const [promptSchema, messageSchema, toolCallSchema, toolResultSchema] = spoken.options;

/** What a record must be: a quick answer, and a schema that says what is wrong. */
interface Shape<T> {
  schema: z.ZodType<T>;
  fits: (record: unknown) => boolean;
}

const PROMPT = { schema: promptSchema, fits: isPrompt };
const MESSAGE = { schema: messageSchema, fits: isMessage };
const TOOL_CALL = { schema: toolCallSchema, fits: isToolCall };
const TOOL_RESULT = { schema: toolResultSchema, fits: isToolResult };
const GOVERNANCE = { schema: governanceSchema, fits: isGovernance };
const METRIC = { schema: metricSchema, fits: isMetric };

type Wire<K extends WireObservation['kind']> = Extract<WireObservation, { kind: K }>;

/** Parallax's own wire format; its schema is src/model/wire.ts. */
export const nativeNormalizer: Normalizer = {
  format: 'native',
  normalize: (record, context) => [normalizeNative(record, context)],
};

function normalizeNative(record: unknown, context: NormalizeContext): Normalized {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    return refuse('', `a record must be a JSON object; got ${describeType(record)}`);
  }
  if (!isWithinDepth(record, MAX_DEPTH)) return refuse('', `is nested deeper than ${MAX_DEPTH} levels; flatten it`);
  const stream: unknown = Reflect.get(record, 'stream');
  const kind: unknown = Reflect.get(record, 'kind');
  switch (stream) {
    case 'reasoning':
      if (kind === 'prompt') return parsed(PROMPT, record, (wire) => prompt(wire, context));
      if (kind === 'message') return parsed(MESSAGE, record, (wire) => message(wire, context));
      return refuseKind(kind, stream, ['prompt', 'message']);
    case 'action':
      if (kind === 'tool_call') return parsed(TOOL_CALL, record, (wire) => toolCall(wire, record, context));
      if (kind === 'tool_result') return parsed(TOOL_RESULT, record, (wire) => toolResult(wire, context));
      if (kind === 'tool_attempt')
        return refuse('kind', 'an attempt is asked through POST /v1/check, not reported here');
      return refuseKind(kind, stream, ['tool_call', 'tool_result']);
    case 'governance':
      if (!GOVERNANCE_KINDS.some((known) => known === kind)) return refuseKind(kind, stream, GOVERNANCE_KINDS);
      return parsed(GOVERNANCE, record, (wire) => governance(wire, context));
    case 'metric':
      if (kind !== 'sample' && kind !== 'session_summary')
        return refuseKind(kind, stream, ['sample', 'session_summary']);
      return refuseMetricNames(record) ?? parsed(METRIC, record, (wire) => metric(wire, context));
    default:
      return refuse(
        'stream',
        `${stream === undefined ? 'is missing; it must' : 'must'} be one of ${STREAMS.join(', ')}`,
      );
  }
}

function parsed<T>({ schema, fits }: Shape<T>, record: unknown, make: (wire: T) => Accepted): Accepted | Refused {
  // A test holds that what fits by hand fits the schema.
  if (fits(record)) return make(record as T);
  const result = schema.safeParse(record);
  return result.success ? make(result.data) : refuseIssues(result.error, record);
}

function refuseKind(kind: unknown, stream: string, kinds: readonly string[]): Refused {
  const must = kind === undefined ? 'is missing; it must' : 'must';
  return refuse('kind', `${must} be one of ${kinds.join(', ')} where stream is "${stream}"`);
}

function prompt(wire: Wire<'prompt'>, context: NormalizeContext): Accepted {
  const observation: PromptObservation = {
    ...baseFields(wire, context),
    stream: 'reasoning',
    kind: 'prompt',
    chars: wire.text.length,
    ...requestHashes(wire.text, context.seed),
  };
  return withText(observation, wire.text, context);
}

function message(wire: Wire<'message'>, context: NormalizeContext): Accepted {
  const text = wire.text ?? '';
  const observation: MessageObservation = {
    ...baseFields(wire, context),
    stream: 'reasoning',
    kind: 'message',
    chars: text.length,
    declared: (wire.declared ?? []).map(({ callId, tool }) =>
      callId === undefined ? { tool: visibleText(tool) } : { callId: visibleText(callId), tool: visibleText(tool) },
    ),
    words: messageWords(text, context.seed),
  };
  if (wire.tokens !== undefined) observation.tokens = wire.tokens;
  if (wire.model !== undefined) observation.model = visibleText(wire.model);
  return withText(observation, text, context);
}

function toolCall(wire: Wire<'tool_call'>, record: object, context: NormalizeContext): Accepted {
  const discretion = discretionOf(context);
  const { fields, content } = deriveCall(withRawArguments(wire, record), discretion);
  const observation: ToolCallObservation = {
    ...baseFields(wire, context),
    stream: 'action',
    kind: 'tool_call',
    ...fields,
    decision: wire.decision,
  };
  if (wire.rawDecision !== undefined) observation.rawDecision = visibleText(wire.rawDecision);
  if (wire.reason !== undefined) observation.reason = shownText(wire.reason, discretion);
  if (wire.ruleId !== undefined) observation.ruleId = visibleText(wire.ruleId);
  if (wire.policyVersion !== undefined) observation.policyVersion = visibleText(wire.policyVersion);
  if (wire.approvalId !== undefined) observation.approvalId = visibleText(wire.approvalId);
  if (wire.error !== undefined) observation.error = shownText(wire.error, discretion);
  if (wire.resultClass !== undefined) observation.resultClass = wire.resultClass;
  return withContent(observation, content);
}

function toolResult(wire: Wire<'tool_result'>, context: NormalizeContext): Accepted {
  const text = wire.text ?? '';
  const observation: ToolResultObservation = {
    ...baseFields(wire, context),
    stream: 'action',
    kind: 'tool_result',
    tool: visibleText(wire.tool),
    resultClass: wire.resultClass ?? sizeClass(text),
    values: resultValues(text, context.seed),
  };
  if (wire.error !== undefined) observation.error = shownText(wire.error, discretionOf(context));
  return withText(observation, text, context);
}

function governance(wire: Extract<WireObservation, { stream: 'governance' }>, context: NormalizeContext): Accepted {
  const observation: GovernanceObservation = {
    ...baseFields(wire, context),
    stream: 'governance',
    kind: wire.kind,
    tools: (wire.tools ?? []).map(visibleText),
  };
  if (wire.tool !== undefined) observation.tool = visibleText(wire.tool);
  if (wire.reason !== undefined) observation.reason = shownText(wire.reason, discretionOf(context));
  if (wire.approverId !== undefined) observation.approverId = visibleText(wire.approverId);
  if (wire.requesterId !== undefined) observation.requesterId = visibleText(wire.requesterId);
  if (wire.approvalId !== undefined) observation.approvalId = visibleText(wire.approvalId);
  if (wire.policyVersion !== undefined) observation.policyVersion = visibleText(wire.policyVersion);
  if (wire.posture !== undefined) observation.posture = visibleText(wire.posture);
  if (wire.expiresAt !== undefined) observation.expiresAt = epochMs(wire.expiresAt);
  return { ok: true, observation };
}

function metric(wire: Extract<WireObservation, { stream: 'metric' }>, context: NormalizeContext): Accepted {
  const values: MetricObservation['values'] = {};
  for (const [name, value] of Object.entries(wire.values)) values[visibleText(name)] = value;
  return { ok: true, observation: { ...baseFields(wire, context), stream: 'metric', kind: wire.kind, values } };
}

/** `__proto__` would vanish in the parsed record; a name that cannot be kept is refused instead. */
function refuseMetricNames(record: object): Refused | undefined {
  const values: unknown = Reflect.get(record, 'values');
  if (typeof values !== 'object' || values === null) return undefined;
  if (Object.hasOwn(values, '__proto__')) return refuse('values.__proto__', 'is no usable metric name; rename it');
  const count = Object.keys(values).length;
  return count > MAX_METRICS
    ? refuse('values', `has ${count} metrics; send at most ${MAX_METRICS} in one record`)
    : undefined;
}

/** The arguments as they came: the schema's copy leaves `__proto__` out, which an agent may well have sent. */
function withRawArguments(wire: Wire<'tool_call'>, record: object): Wire<'tool_call'> {
  return wire.args === undefined ? wire : { ...wire, args: rawArguments(record) };
}

function withText(observation: Observation, text: string, context: NormalizeContext): Accepted {
  return withContent(observation, textContent(text, discretionOf(context)));
}

function withContent(observation: Observation & ObservationBase, contentJson: string | undefined): Accepted {
  if (contentJson === undefined) return { ok: true, observation };
  return { ok: true, observation, payload: payloadOf(observation, contentJson) };
}

/** 0 empty, 1 below 4 KiB, 2 more. */
function sizeClass(text: string): number {
  return text === '' ? 0 : Buffer.byteLength(text) < 4096 ? 1 : 2;
}

function isWithinDepth(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  for (const name in value) {
    if (!isWithinDepth(Reflect.get(value, name), depth - 1)) return false;
  }
  return true;
}
