import { z } from 'zod';

function first<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), total: z.number() });
}

const use = { agentId: z.string(), agentClass: z.string(), tool: z.string(), sessions: z.number() };

/** What the observer answers to `GET /v1/discovery`, as far as people are shown it. */
export const discoverySchema = z.object({
  agents: z.number(),
  unnamedTools: z.number(),
  unknownAgents: first(z.object({ agentId: z.string(), sessions: z.number(), lastSeenAt: z.number().exactOptional() })),
  undeclaredTools: first(z.object({ ...use, granted: z.enum(['in-force', 'ended', 'never']) })),
  unusedTools: first(z.object({ agentClass: z.string(), tool: z.string(), agents: z.number() })),
  unusedGrants: first(
    z.object({
      agentId: z.string(),
      tool: z.string(),
      approverId: z.string(),
      authorised: z.boolean(),
      ageMs: z.number(),
      endsAt: z.number().exactOptional(),
      standing: z.enum(['in-force', 'ending', 'expired']),
    }),
  ),
  prohibitedTools: first(z.object({ ...use, incidents: z.number(), binding: z.boolean() })),
  emptyClasses: z.array(z.string()),
});
export type SeenDiscovery = z.infer<typeof discoverySchema>;
