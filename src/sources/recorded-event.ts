import { z } from 'zod';
import { EFFECTS, ORIGINS, DECISIONS } from '../model/observation.js';
import { RecordedDataError } from './line-reader.js';

const common = {
  ts: z.iso.datetime({ offset: true }),
  agentId: z.string().min(1),
  sessionId: z.string().min(1),
  seq: z.number().int().min(0),
};
const governance = z.literal('governance');
const reasoning = z.literal('reasoning');

const sessionStart = z.object({
  ...common,
  source: governance,
  type: z.literal('session.start'),
  tools: z.array(z.string()),
});
const capabilityNarrow = z.object({
  ...common,
  source: governance,
  type: z.literal('capability.narrow'),
  tools: z.array(z.string()),
});
const policyDeny = z.object({
  ...common,
  source: governance,
  type: z.literal('policy.deny'),
  callId: z.string().min(1),
  tool: z.string(),
  reason: z.string().exactOptional(),
});
const contentRedact = z.object({
  ...common,
  source: governance,
  type: z.literal('content_filter.redact'),
  callId: z.string().min(1),
  tool: z.string(),
});
const prompt = z.object({ ...common, source: reasoning, type: z.literal('prompt'), text: z.string() });
const assistant = z.object({
  ...common,
  source: reasoning,
  type: z.literal('assistant'),
  text: z.string(),
  tokensEst: z.number().int().min(0).exactOptional(),
  declared: z.array(z.object({ callId: z.string().min(1).exactOptional(), tool: z.string() })),
});
const toolCall = z.object({
  ...common,
  source: z.literal('audit'),
  type: z.literal('tool_call'),
  callId: z.string().min(1),
  tool: z.string(),
  effect: z.enum(EFFECTS),
  args: z.record(z.string(), z.unknown()),
  targets: z.array(
    z.object({
      field: z.string(),
      kind: z.string(),
      value: z.string(),
      origin: z.enum(ORIGINS).exactOptional(),
      originCall: z.string().nullable().exactOptional(),
      originTool: z.string().nullable().exactOptional(),
    }),
  ),
  decision: z.enum(DECISIONS),
  reason: z.string().exactOptional(),
  error: z.string().nullable(),
  resultSizeClass: z.number().int().min(0).max(2),
});
const sessionSummary = z.looseObject({ ...common, source: z.literal('metrics'), type: z.literal('session.summary') });

const recordedEventSchema = z.discriminatedUnion('type', [
  sessionStart,
  capabilityNarrow,
  policyDeny,
  contentRedact,
  prompt,
  assistant,
  toolCall,
  sessionSummary,
]);

/** One line of a recorded data set. */
export type RecordedEvent = z.infer<typeof recordedEventSchema>;
export type RecordedToolCall = z.infer<typeof toolCall>;

/** @param place `file:line`, for the error @throws RecordedDataError naming place, field and what is wrong */
export function parseRecordedEvent(text: string, place: string): RecordedEvent {
  return parseRecordedLine(text, place, recordedEventSchema);
}

/** Parses one line of a recording against a schema. */
export function parseRecordedLine<T>(text: string, place: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (fault) {
    throw new RecordedDataError(`${place}: not JSON: ${fault instanceof Error ? fault.message : String(fault)}`, {
      cause: fault,
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const what = parsed.error.issues.map((i) => `${i.path.join('.') || '(the line)'}: ${i.message}`).join('; ');
  throw new RecordedDataError(`${place}: ${what}`);
}
