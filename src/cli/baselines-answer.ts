import { z } from 'zod';

const person = { by: z.string(), reason: z.string() };
/** How a version came about, where that was not by learning. */
const origin = {
  rollback: z.object({ toVersion: z.number(), ...person }).exactOptional(),
  restore: z.object({ fromVersion: z.number(), ...person }).exactOptional(),
  rebuild: z.object({ sessions: z.number(), leftOut: z.number(), ...person }).exactOptional(),
};
const versionSchema = z.object({ version: z.number(), time: z.number(), sessionCount: z.number() });
const summarySchema = z.object({
  agentId: z.string(),
  version: z.number(),
  time: z.number(),
  status: z.string(),
  sessionCount: z.number(),
  ...origin,
});

/** One version of a baseline, as the observer answers. */
export const baselineSchema = summarySchema.extend({
  features: z.array(z.object({ feature: z.string(), sampleCount: z.number(), state: z.unknown() })),
  kept: z.array(versionSchema),
  archived: z.array(versionSchema.extend({ stateId: z.string() })),
});

/** How far the latest rebuild is. */
export const rebuildSchema = z.object({
  state: z.enum(['running', 'done', 'failed']),
  expected: z.number(),
  observations: z.number(),
  sessions: z.number(),
  leftOut: z.number(),
  message: z.string().exactOptional(),
});

export const baselineDiffSchema = z.object({
  from: summarySchema,
  to: summarySchema,
  features: z.array(
    z.object({
      feature: z.string(),
      sampleCount: z.object({ from: z.number(), to: z.number() }),
      unit: z.enum(['share', 'value']),
      added: z.array(z.object({ name: z.string(), to: z.number() })),
      addedCount: z.number(),
      removed: z.array(z.object({ name: z.string(), from: z.number() })),
      removedCount: z.number(),
      shifted: z.array(z.object({ name: z.string(), from: z.number(), to: z.number() })),
      shiftedCount: z.number(),
    }),
  ),
});

export type SeenSummary = z.infer<typeof summarySchema>;
export type SeenBaseline = z.infer<typeof baselineSchema>;
export type SeenBaselineDiff = z.infer<typeof baselineDiffSchema>;
export type SeenRebuild = z.infer<typeof rebuildSchema>;
export type SeenVersion = z.infer<typeof versionSchema>;
