import { z } from 'zod';

/** What the observer answers to `GET /v1/sources`, as far as people are shown it. */
export const sourcesSchema = z.object({
  now: z.number(),
  sources: z.array(
    z.object({
      principalId: z.string(),
      lastSeen: z.number().exactOptional(),
      heard: z.array(
        z.object({
          format: z.string(),
          stream: z.string(),
          records: z.number(),
          lastSeen: z.number(),
          lagMs: z.number(),
        }),
      ),
      refused: z.array(z.object({ format: z.string(), field: z.string(), reason: z.string(), count: z.number() })),
      refusedInAll: z.number(),
      placedBy: z.record(z.string(), z.number()),
      shed: z.array(z.object({ stream: z.string(), observations: z.number(), payloads: z.number() })),
      silent: z.object({ forMs: z.number(), expectedMs: z.number(), isLearned: z.boolean() }).exactOptional(),
    }),
  ),
  topics: z
    .array(
      z.object({
        id: z.string(),
        principalId: z.string(),
        groupId: z.string(),
        topics: z.array(z.string()),
        format: z.string(),
        state: z.string(),
        partitions: z.array(z.object({ topic: z.string(), partition: z.number(), lag: z.number() })),
        records: z.number(),
        refused: z.number(),
        unreadable: z.number(),
        lost: z.number(),
        strayed: z.number(),
        lastError: z.object({ time: z.number(), message: z.string() }).exactOptional(),
      }),
    )
    .default([]),
});
export type SeenSources = z.infer<typeof sourcesSchema>;
export type SeenSource = SeenSources['sources'][number];
export type SeenTopics = SeenSources['topics'][number];
