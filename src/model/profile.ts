import { z } from 'zod';
import { MAX_ENTRIES, namePattern, namePatterns } from './name-patterns.js';
import { EFFECTS, TIERS } from './observation.js';
import { responseOverrideSchema } from './response-policy.js';

export const SENSITIVITIES = ['low', 'medium', 'high'] as const;

/** One line of the tools inventory, `baselines/tools.yaml`. */
export const inventoryToolSchema = z.strictObject({
  name: namePattern,
  /**
   * `pre-approved`: for classes whose profile lists the tool; any other needs a grant. `approval`: each use needs a
   * grant or an approval. `prohibited`: no agent may do it, whatever a gateway allows.
   */
  tier: z.enum(TIERS),
  effect: z.enum(EFFECTS).exactOptional(),
  sensitivity: z.enum(SENSITIVITIES).exactOptional(),
  owner: z.string().min(1).max(256).exactOptional(),
  dataClass: z.string().min(1).max(256).exactOptional(),
});
export type InventoryTool = z.infer<typeof inventoryToolSchema>;

export const inventorySchema = z.strictObject({ tools: z.array(inventoryToolSchema).max(MAX_ENTRIES) });

const approverSchema = z.strictObject({
  id: namePattern,
  /** Tools whose use this approver may grant or approve. */
  mayApprove: namePatterns.min(1),
});

export const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;

/** When agents of a class are at work; `from` later than `to` is a night. */
const hoursSchema = z.strictObject({
  days: z
    .array(z.enum(WEEKDAYS))
    .min(1)
    .default([...WEEKDAYS]),
  /** Full hours, 0 to 24. */
  from: z.number().int().min(0).max(23),
  to: z.number().int().min(1).max(24),
  /** Hours that the class's clock is ahead of UTC. */
  utcOffset: z.number().min(-12).max(14).default(0),
});
export type WorkingHours = z.infer<typeof hoursSchema>;

/** A host or domain, as in `example.com`; it stands for what is below it too. */
const destination = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[^\s/@*:]+$/u, {
    message: 'must be a host or domain such as "example.com", without scheme, port, path or "*"',
  })
  .transform((host) => host.toLowerCase());

const budgetsSchema = z.strictObject({
  costUsdPerSession: z.number().positive().exactOptional(),
  tokensPerSession: z.number().int().positive().exactOptional(),
});

/** How long, and for how many calls, the novelty of a properly granted tool is taken as expected. */
const learningWindowSchema = z.strictObject({
  hours: z
    .number()
    .positive()
    .max(24 * 30)
    .default(72),
  calls: z.number().int().positive().max(1_000).default(40),
});

/** What is expected of a class of agents: one file in `baselines/profiles/`, named after the class. */
export const profileSchema = z.strictObject({
  about: z.string().min(1).max(1_000).exactOptional(),
  /** Ids of the agents of this class. The first class by file name that matches is the agent's; `default` takes the rest. */
  agents: namePatterns.default([]),
  /** Tools that agents of this class are expected to use. */
  tools: namePatterns.default([]),
  /** Hosts and domains that they are expected to send to, be it by mail, address or host; without any, all are. */
  destinations: z.array(destination).max(MAX_ENTRIES).default([]),
  /** When they are expected to be at work; at any time unless given. */
  hours: hoursSchema.exactOptional(),
  /** Tools they may use under a grant only, whatever their tier. */
  needsGrant: namePatterns.default([]),
  /** Who may approve what. Without any, everybody but the agent itself may. */
  approvers: z.array(approverSchema).max(MAX_ENTRIES).default([]),
  budgets: budgetsSchema.prefault({}),
  /** Share of clean sessions of this class that may alarm, instead of the configured one. */
  falseAlarmBudget: z.number().gt(0).lt(0.5).exactOptional(),
  learningWindow: learningWindowSchema.prefault({}),
  /** What is done about incidents of this class, where it differs from the install's `respond`. */
  response: responseOverrideSchema.prefault({}),
  /** Whether the tiers of the inventory hold for these agents. */
  inventory: z.boolean().default(true),
});
export type Profile = z.infer<typeof profileSchema>;

/** A library in one piece, for one agent: how a detector's case writes down what it presumes. */
export const caseLibrarySchema = z.strictObject({
  tools: inventorySchema.shape.tools.default([]),
  profile: profileSchema.omit({ agents: true }).prefault({}),
});
export type CaseLibrary = z.input<typeof caseLibrarySchema>;
