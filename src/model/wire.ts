import { z } from 'zod';
import type { RecordPlace } from './record-place.js';
import { DECISIONS, EFFECTS, GOVERNANCE_KINDS, ORIGINS, TIERS } from './observation.js';

/** Longest texts taken in, characters; longer ones are cut by the emitter or refused by name. */
export const MAX_TEXT_CHARS = 200_000;
export const MAX_NAME_CHARS = 256;
/** Longest free sentence: a reason, a target's value. */
export const MAX_SENTENCE_CHARS = 4_096;
/** Most targets that an emitter may name for one call. */
export const MAX_TARGETS_GIVEN = 64;
/** Most entries of any other list in a record. */
export const MAX_LIST = 512;

const name = z
  .string()
  .min(1)
  .max(MAX_NAME_CHARS)
  .refine((value) => value.isWellFormed(), { message: 'must be well-formed Unicode (no lone surrogates)' });
const text = z.string().max(MAX_TEXT_CHARS);

/** Event time: epoch milliseconds, or an ISO 8601 text with a time zone. */
export const wireTimeSchema = z.union([z.number().int().min(0).max(8.64e15), z.iso.datetime({ offset: true })]);

const common = {
  /** Dedupe key; made from the content when left out. */
  id: name.exactOptional(),
  time: wireTimeSchema,
  agentId: name,
  parentAgentId: name.exactOptional(),
  sessionId: name.exactOptional(),
  traceId: name.exactOptional(),
  spanId: name.exactOptional(),
  callId: name.exactOptional(),
  seq: z.number().int().min(0).exactOptional(),
};

const targetSchema = z.strictObject({
  field: name,
  kind: name,
  value: z.string().max(MAX_SENTENCE_CHARS),
  origin: z.enum(ORIGINS).exactOptional(),
  originCall: name.exactOptional(),
  originTool: name.exactOptional(),
});

const callFields = {
  tool: name,
  operation: name.exactOptional(),
  effect: z.enum(EFFECTS).exactOptional(),
  tier: z.enum(TIERS).exactOptional(),
  /** The call's arguments as the agent gave them. */
  args: z.record(z.string().max(MAX_NAME_CHARS), z.unknown()).exactOptional(),
  /** What the call acts on; worked out from `args` when left out. */
  targets: z.array(targetSchema).max(MAX_TARGETS_GIVEN).exactOptional(),
};

const promptSchema = z.strictObject({ ...common, stream: z.literal('reasoning'), kind: z.literal('prompt'), text });

const messageSchema = z.strictObject({
  ...common,
  stream: z.literal('reasoning'),
  kind: z.literal('message'),
  text: text.exactOptional(),
  tokens: z.number().int().min(0).exactOptional(),
  model: name.exactOptional(),
  declared: z
    .array(z.strictObject({ callId: name.exactOptional(), tool: name }))
    .max(MAX_LIST)
    .exactOptional(),
});

const toolCallSchema = z.strictObject({
  ...common,
  ...callFields,
  stream: z.literal('action'),
  kind: z.literal('tool_call'),
  decision: z.enum(DECISIONS),
  rawDecision: name.exactOptional(),
  reason: z.string().max(MAX_SENTENCE_CHARS).exactOptional(),
  ruleId: name.exactOptional(),
  policyVersion: name.exactOptional(),
  approvalId: name.exactOptional(),
  error: name.exactOptional(),
  resultClass: z.number().int().min(0).max(2).exactOptional(),
});

const toolResultSchema = z.strictObject({
  ...common,
  stream: z.literal('action'),
  kind: z.literal('tool_result'),
  tool: name,
  error: name.exactOptional(),
  text: text.exactOptional(),
  resultClass: z.number().int().min(0).max(2).exactOptional(),
});

const governanceSchema = z.strictObject({
  ...common,
  stream: z.literal('governance'),
  kind: z.enum(GOVERNANCE_KINDS),
  tool: name.exactOptional(),
  tools: z.array(name).max(MAX_LIST).exactOptional(),
  reason: z.string().max(MAX_SENTENCE_CHARS).exactOptional(),
  approverId: name.exactOptional(),
  requesterId: name.exactOptional(),
  approvalId: name.exactOptional(),
  policyVersion: name.exactOptional(),
  posture: name.exactOptional(),
  expiresAt: wireTimeSchema.exactOptional(),
});

const metricSchema = z.strictObject({
  ...common,
  stream: z.literal('metric'),
  kind: z.enum(['sample', 'session_summary']),
  values: z.record(z.string().min(1).max(MAX_NAME_CHARS), z.number()),
});

/** The native wire format, one record. Published as JSON Schema at `GET /v1/schema/observation`. */
export const wireObservationSchema = z.union([
  z.discriminatedUnion('kind', [promptSchema, messageSchema, toolCallSchema, toolResultSchema]),
  governanceSchema,
  metricSchema,
]);
export type WireObservation = z.infer<typeof wireObservationSchema>;
export type WireToolCall = z.infer<typeof toolCallSchema>;

/** A field of one kind of native record, for those who put other formats into it. */
export interface WireField {
  isRequired: boolean;
  accepts: (value: unknown) => boolean;
}

/** The fields of a kind but `stream` and `kind` themselves, by name; undefined where there is no such kind. */
export function wireFields(stream: string, kind: string): ReadonlyMap<string, WireField> | undefined {
  const all = [promptSchema, messageSchema, toolCallSchema, toolResultSchema, governanceSchema, metricSchema];
  const found = all.find(({ shape }) => shape.stream.safeParse(stream).success && shape.kind.safeParse(kind).success);
  if (found === undefined) return undefined;
  const entries = Object.entries<z.ZodType>(found.shape).filter(([name]) => name !== 'stream' && name !== 'kind');
  return new Map(
    entries.map(([name, schema]) => [
      name,
      {
        isRequired: !(schema instanceof z.ZodExactOptional),
        accepts: (value) => schema.safeParse(value).success,
      },
    ]),
  );
}

/** What a gateway asks before it lets a call through. */
export const checkRequestSchema = z.strictObject({
  ...common,
  ...callFields,
  sessionId: name,
  callId: name,
  /** Why the gateway's own rules want a person to agree: held even where nothing else speaks against the call. */
  ask: z.string().min(1).max(MAX_SENTENCE_CHARS).exactOptional(),
  /** How long the gateway will wait, ms; never longer than the server's own deadline. */
  deadlineMs: z.number().int().min(1).max(60_000).exactOptional(),
});
export type CheckRequest = z.infer<typeof checkRequestSchema>;

/** `hold`: do not execute until a person has decided. */
export const checkAnswerSchema = z.object({
  decision: z.enum(['allow', 'hold', 'deny']),
  /** What the answer would have been in `act` mode; differs from `decision` only in `observe`. */
  wouldBe: z.enum(['allow', 'hold', 'deny']),
  reason: z.string(),
  incidentId: z.string().exactOptional(),
  /** The command in force that denies the call; gateways name it as `parallax:<id>` in their audit's `ruleId`. */
  commandId: z.string().exactOptional(),
  /** The held call in `GET /v1/approvals`; its decision is waited for at `GET /v1/holds/{id}`. */
  holdId: z.string().exactOptional(),
  /** A person approved this call: goes into the audit record as `approvalId`. */
  approvalId: z.string().exactOptional(),
  riskNats: z.number(),
  thresholdNats: z.number(),
  /** True when the deadline passed before scoring answered. */
  timedOut: z.boolean(),
});
export type CheckAnswer = z.infer<typeof checkAnswerSchema>;

export const acknowledgementSchema = z.strictObject({
  effective: z.enum(['enforced', 'lifted', 'rejected']),
  detail: z.string().max(1024).exactOptional(),
});
export type AcknowledgementBody = z.infer<typeof acknowledgementSchema>;

/** One refused record of a batch. */
export interface Refusal {
  index: number;
  /** Path of the field, `targets.0.kind`; empty for the record as a whole. */
  field: string;
  reason: string;
}

/** A refused record as its dead letter is made from it. */
export interface RefusedRecord extends Refusal {
  /** The beginning of its text, or all of it. */
  raw: string;
  /** Where it lies, if it did not come with a request. */
  place?: RecordPlace;
}

/** Answer to `POST /v1/observations`. Refused records are in the dead-letter table; the rest is durable. */
export interface IntakeReport {
  accepted: number;
  refused: Refusal[];
}
