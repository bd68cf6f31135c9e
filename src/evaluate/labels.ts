import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { SessionLabel } from './figures.js';

const labelSchema = z.object({
  label: z.enum(['benign', 'hijacked', 'attacked_resisted', 'attacked_partial']),
  kind: z.enum(['user_task', 'direct_goal', 'text_goal']).default('user_task'),
  suite: z.string().default(''),
  userTask: z.string().default(''),
  injectionTask: z.string().nullable().default(null),
  taskSeenInTrain: z.boolean().default(true),
  exposedSeq: z.number().nullable().default(null),
  harmSeq: z.number().nullable().default(null),
});
const labelsSchema = z.record(z.string(), labelSchema);

/** Reads a labels file (session id -> label). @throws Error naming file, session and field */
export function readLabels(file: string): Map<string, SessionLabel> {
  const parsed = labelsSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (parsed.success) return new Map(Object.entries(parsed.data));
  const [issue] = parsed.error.issues;
  throw new Error(`${file}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not a labels file'}`);
}
