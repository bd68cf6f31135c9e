import { z } from 'zod';
import { COMMAND_ACTIONS } from '../model/command.js';
import { DECISIONS, EFFECTS, GOVERNANCE_KINDS, ORIGINS, TIERS } from '../model/observation.js';
import { caseLibrarySchema } from '../model/profile.js';

const name = z.string().min(1).max(256);
const text = z.string().max(10_000);
/** Seconds since the session's start; one second after the event before when left out. */
const at = z.number().min(0).max(1e7).exactOptional();

const callFields = {
  effect: z.enum(EFFECTS).exactOptional(),
  operation: name.exactOptional(),
  tier: z.enum(TIERS).exactOptional(),
  args: z.record(z.string().max(256), z.unknown()).exactOptional(),
  targets: z
    .array(z.strictObject({ field: name, kind: name, value: text, origin: z.enum(ORIGINS).exactOptional() }))
    .max(64)
    .exactOptional(),
  at,
  /** So many of them, `every` seconds apart (one second when left out). */
  repeat: z.number().int().min(1).max(1000).exactOptional(),
  every: z.number().min(0).max(3600).exactOptional(),
};

/** The word each short form starts with, and the rest of its fields. `type` is that word. */
const shapes = [
  z.strictObject({ type: z.literal('prompt'), prompt: text, at }),
  z.strictObject({ type: z.literal('say'), say: text, declares: z.array(name).max(64).exactOptional(), at }),
  z.strictObject({ type: z.literal('attempt'), attempt: name, ...callFields }),
  z.strictObject({
    type: z.literal('call'),
    call: name,
    ...callFields,
    decision: z.enum(DECISIONS).default('allow'),
    approvalId: name.exactOptional(),
    policyVersion: name.exactOptional(),
    error: name.exactOptional(),
  }),
  z.strictObject({
    type: z.literal('result'),
    result: name,
    text: text.exactOptional(),
    error: name.exactOptional(),
    at,
  }),
  z.strictObject({
    type: z.literal('governance'),
    governance: z.enum(GOVERNANCE_KINDS),
    tool: name.exactOptional(),
    tools: z.array(name).max(512).exactOptional(),
    reason: text.exactOptional(),
    approverId: name.exactOptional(),
    requesterId: name.exactOptional(),
    approvalId: name.exactOptional(),
    policyVersion: name.exactOptional(),
    posture: name.exactOptional(),
    /** Seconds after this event at which what it grants ends. */
    expiresAfter: z.number().min(0).max(1e7).exactOptional(),
    at,
  }),
  z.strictObject({
    type: z.literal('contain'),
    contain: z.enum(COMMAND_ACTIONS),
    tool: name.exactOptional(),
    /** Whether the gateway confirms at once that it enforces it. */
    confirmed: z.boolean().default(true),
    at,
  }),
  z.strictObject({ type: z.literal('metric'), metric: z.record(name, z.number()), at }),
] as const;

const HEADS = ['prompt', 'say', 'attempt', 'call', 'result', 'governance', 'contain', 'metric'] as const;

/** `{call: x, effect: write}` gets the `type` that its first word means, so that errors speak of that form alone. */
function withType(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || 'type' in value) return value;
  const head = HEADS.find((word) => Object.hasOwn(value, word));
  return head === undefined ? value : { type: head, ...value };
}

export const caseEventSchema = z.preprocess(
  withType,
  z.discriminatedUnion('type', shapes, {
    error: `start with one of: ${HEADS.join(', ')}, for example {call: read_file}`,
  }),
);
export type CaseEvent = z.infer<typeof caseEventSchema>;

const events = z.array(caseEventSchema).min(1).max(200);

/** Benign sessions that are learned before the session under test. */
const learnSchema = z.strictObject({
  /** How many of them. */
  sessions: z.number().int().min(1).max(1000),
  /** Watched like live traffic, not vouched for: it counts for what is found across sessions. */
  watched: z.boolean().exactOptional(),
  /** `{who}` in any text of the events becomes the next of these in every session. */
  vary: z.record(z.string().regex(/^[a-z][A-Za-z0-9]*$/), z.array(text).min(1).max(200)).exactOptional(),
  events,
});
export type CaseLearning = z.infer<typeof learnSchema>;

export const detectorCaseSchema = z
  .strictObject({
    name: z.string().min(3).max(120),
    /** The reference library that this case presumes, its profile that of every agent; the shipped one when left out. */
    library: caseLibrarySchema.exactOptional(),
    learn: z.array(learnSchema).max(20).exactOptional(),
    events,
    expect: z.enum(['fires', 'silent']),
    /** Event that must be the first to raise the signal, counted from 1. */
    at: z.number().int().min(1).exactOptional(),
  })
  .refine((value) => value.at === undefined || (value.expect === 'fires' && value.at <= value.events.length), {
    path: ['at'],
    message: 'names the event that fires, from 1 to the number of events; leave it out where nothing fires',
  });
export type DetectorCase = z.infer<typeof detectorCaseSchema>;
