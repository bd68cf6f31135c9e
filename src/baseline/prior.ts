import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { FEATURES } from './evidence.js';
import { explainIssue, issuePath } from '../lib/explain-issue.js';

const weight = z.number().min(-100).max(100);

/** The file format of `baselines/prior.json`. */
const priorSchema = z.strictObject({
  version: z.literal(1),
  provenance: z.strictObject({
    fitted: z.string(),
    data: z.string(),
    folds: z.string(),
    date: z.iso.date(),
    rows: z.number().int().min(0),
    crossValidatedLogLoss: z.number(),
    constantLogLoss: z.number(),
  }),
  toolExpectation: z.strictObject({
    bias: weight,
    weights: z.strictObject({
      /** Log odds of the tool's rate in similar requests: where a request much like this one is known, and where not. */
      nearWhenKnown: weight,
      nearWhenNew: weight,
      /** Share of the tool's name that the request holds, likewise. */
      nameWhenKnown: weight,
      nameWhenNew: weight,
      /** How well the most similar request is known. */
      known: weight,
    }),
  }),
  evidence: z.strictObject({
    fitted: z.string(),
    data: z.string(),
    folds: z.string(),
    date: z.iso.date(),
    weights: z.record(z.enum(FEATURES.map(([name]) => name)), z.number().min(0).max(100)),
  }),
});

/** What is fitted once on many agents' clean sessions and shipped: how a tool relates to a request. */
export type Prior = z.infer<typeof priorSchema>;
export type ToolExpectation = Prior['toolExpectation'];
export type Models = Pick<Prior, 'toolExpectation' | 'evidence'>;

/** @throws Error naming the file, the field and what to do */
export function parsePrior(value: unknown, file: string): Prior {
  const result = priorSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) => `${issuePath(issue) || 'the file'} ${explainIssue(issue, value)}`,
  );
  throw new Error(`${file}: ${problems.join('; ')}. Restore the shipped file or refit it with bench/fit-prior.ts`);
}

/** Reads `baselines/prior.json`. @throws Error naming the file and what is wrong with it */
export function loadPrior(file: string): Prior {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new Error(`${file}: cannot be read as JSON; restore the shipped file`, { cause });
  }
  return parsePrior(value, file);
}
