import { z } from 'zod';

const rollbackSchema = z.object({ toVersion: z.number(), by: z.string(), reason: z.string() });
const summarySchema = z.object({
  agentId: z.string(),
  version: z.number(),
  time: z.number(),
  status: z.string(),
  sessionCount: z.number(),
  rollback: rollbackSchema.exactOptional(),
});

/** One version of a baseline, as the observer answers. */
export const baselineSchema = summarySchema.extend({
  features: z.array(z.object({ feature: z.string(), sampleCount: z.number(), state: z.unknown() })),
  kept: z.array(
    z.object({
      version: z.number(),
      time: z.number(),
      sessionCount: z.number(),
      rollback: rollbackSchema.exactOptional(),
    }),
  ),
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
