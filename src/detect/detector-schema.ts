import { z } from 'zod';
import { SEVERITIES } from '../model/incident.js';
import { STREAMS } from '../model/observation.js';
import { detectorCaseSchema } from './case-schema.js';
import { MAX_CONDITION_CHARS } from './condition.js';
import { OBSERVATION_KINDS } from './vocabulary.js';

/** Most evidence one detector can give, nats: one in 10^13. Keeps a slip of the pen from convicting alone. */
const MAX_NATS = 30;

const line = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .refine((value) => !value.trim().includes('\n'), 'write one line');
const nats = z.number().gt(0).max(MAX_NATS);

const evidenceSchema = z
  .strictObject({
    /** The surprise that a baseline measured, at most `cap`. */
    measure: z.string().min(1).exactOptional(),
    cap: nats.exactOptional(),
    /** The measure is part of the call's combined risk already: the signal explains it and is not added again. */
    ingredient: z.boolean().exactOptional(),
    /** A fixed number, where no baseline can say how rare it is. */
    nats: nats.exactOptional(),
    /** Share of clean cases in which it also happens, where that is known. */
    pValue: z.number().gt(0).max(1).exactOptional(),
    /** A rule was broken; no statistics needed. */
    violation: z.literal(true).exactOptional(),
  })
  .superRefine((evidence, context) => {
    const forms = [evidence.measure, evidence.nats, evidence.violation].filter((form) => form !== undefined);
    if (forms.length !== 1) {
      context.addIssue('give exactly one of: {measure: name, cap: nats}, {nats: number}, {violation: true}');
      return;
    }
    if ((evidence.measure === undefined) !== (evidence.cap === undefined)) {
      context.addIssue({ code: 'custom', path: ['cap'], message: 'goes with measure: {measure: newTarget, cap: 8}' });
    }
    if (evidence.ingredient !== undefined && evidence.measure === undefined) {
      context.addIssue({ code: 'custom', path: ['ingredient'], message: 'goes with measure; leave it out' });
    }
    if (evidence.pValue === undefined) return;
    if (evidence.nats === undefined) {
      context.addIssue({ code: 'custom', path: ['pValue'], message: 'goes with nats: {nats: 3, pValue: 0.04}' });
    } else if (evidence.nats > -Math.log(evidence.pValue) + 0.01) {
      const most = (-Math.log(evidence.pValue)).toFixed(2);
      context.addIssue({
        code: 'custom',
        path: ['nats'],
        message: `is more than the p-value supports; write ${most} or less (-ln of the p-value)`,
      });
    }
  });

/** What a finding is about, by lane. */
const COOLDOWN_UNITS = { event: 'call', window: 'window', session: 'session' } as const;

const TAG_FIX =
  'write an OWASP agentic id (ASI01 to ASI10), an OWASP LLM id (LLM01 to LLM10) or an ATLAS technique (AML.T0051)';

/** One file in `detectors/`. Unknown fields are refused; docs/detectors.md is the manual. */
export const detectorSchema = z
  .strictObject({
    id: z
      .string()
      .max(64)
      .regex(/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/, 'write lower-case words joined by dashes, like the file name'),
    title: line(100),
    description: z.string().min(1).max(2000),
    /** How it is run; see src/detect/kinds. */
    kind: z.string().default('measure'),
    lane: z.enum(['event', 'window', 'session']),
    /** Kinds of observations it listens to; the index that lets a thousand detectors cost little. */
    observes: z.array(z.enum(OBSERVATION_KINDS)).min(1).exactOptional(),
    when: z.string().min(1).max(MAX_CONDITION_CHARS),
    /** Kind `sequence`: what must have come before in the session, in this order. */
    after: z
      .array(z.strictObject({ when: z.string().min(1).max(MAX_CONDITION_CHARS) }))
      .min(1)
      .max(6)
      .exactOptional(),
    /** Kind `sequence`: event time from the first step to the last, at most. */
    withinSeconds: z
      .number()
      .gt(0)
      .max(30 * 24 * 3600)
      .exactOptional(),
    evidence: evidenceSchema,
    /** Streams whose evidence it is; the first is the one whose share of the risk it counts towards. */
    streams: z.array(z.enum(STREAMS)).min(1),
    severity: z.enum(SEVERITIES),
    tags: z
      .array(z.string().regex(/^(?:(?:ASI|LLM)(?:0[1-9]|10)|AML\.T\d{4}(?:\.\d{3})?)$/, TAG_FIX))
      .min(1)
      .max(16),
    /** Shown and counted, never acted on. */
    shadow: z.boolean().default(false),
    reason: line(300),
    observed: line(200).exactOptional(),
    expected: line(200).exactOptional(),
    /** Once per call, window or session; per session a finding half as strong again may follow. */
    cooldown: z.enum(['call', 'window', 'session']).exactOptional(),
    cases: z.array(detectorCaseSchema).max(50),
  })
  .superRefine((detector, context) => {
    const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (detector.lane === 'event' && detector.observes === undefined) {
      refuse('observes', 'is required in the event lane, for example [tool_attempt, tool_call]');
    }
    if (detector.lane !== 'event' && detector.observes !== undefined) {
      refuse('observes', `belongs to the event lane; a ${detector.lane} joins all streams, leave it out`);
    }
    const unit = COOLDOWN_UNITS[detector.lane];
    if (detector.cooldown !== undefined && detector.cooldown !== 'session' && detector.cooldown !== unit) {
      refuse('cooldown', `the ${detector.lane} lane knows ${unit === 'session' ? 'session' : `${unit} and session`}`);
    }
    const isSequence = detector.kind === 'sequence';
    if (isSequence && detector.lane !== 'event') refuse('lane', 'a sequence is made of events; write event');
    for (const field of ['after', 'withinSeconds'] as const) {
      if (isSequence && detector[field] === undefined) refuse(field, 'is required for kind: sequence');
      if (!isSequence && detector[field] !== undefined) refuse(field, 'belongs to kind: sequence; leave it out');
    }
    for (const side of ['observed', 'expected'] as const) {
      const fromMeasure = detector.evidence.measure !== undefined;
      if (fromMeasure && detector[side] !== undefined) refuse(side, 'comes from the measure; leave it out');
      if (!fromMeasure && detector[side] === undefined) {
        refuse(side, 'is required where no measure says it, for example observed: "{tool} without being announced"');
      }
    }
    for (const expected of ['fires', 'silent'] as const) {
      if (!detector.cases.some((one) => one.expect === expected)) {
        refuse('cases', `add at least one case with expect: ${expected}`);
      }
    }
    const names = detector.cases.map((one) => one.name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) refuse('cases', `two cases are named "${twice}"; give each its own name`);
  });

export type DetectorDefinition = z.infer<typeof detectorSchema>;
export type Lane = DetectorDefinition['lane'];
