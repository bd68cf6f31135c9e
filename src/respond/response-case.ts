import { z } from 'zod';
import { COMMAND_ACTIONS, type CommandAction } from '../model/command.js';
import { SEVERITIES } from '../model/incident.js';
import type { ResponseCaps } from '../model/response-policy.js';
import type { ScopeHistory } from './cool-down.js';
import type { PolicyCase, PolicyFacts } from './policy.js';

const MAX_TIMES = 1_000;

const count = z.number().int().min(0).max(1_000_000);
const ageMs = z.number().min(0);
/** How many, or how long ago each of them was, ms. A number means that all of them are of this moment. */
const ages = z.union([count, z.array(ageMs).max(MAX_TIMES)]);
const action = z.enum(COMMAND_ACTIONS);

/**
 * An incident and all that the response policy asks about it, as data: what a person writes down to try a policy, and
 * what a running observer gives out about one of its incidents. What is left out is as on a quiet day.
 */
export const responseCaseSchema = z.strictObject({
  agentId: z.string().min(1).max(256).default('some-agent'),
  /** Class whose policy is asked; the one that the agent belongs to when it is left out. */
  agentClass: z.string().min(1).max(64).exactOptional(),
  /** Empty where the incident is about no single session. */
  sessionId: z.string().max(256).default('some-session'),
  severity: z.enum(SEVERITIES),
  riskNats: z.number().default(0),
  /** Independent emitters behind the evidence. */
  emitters: z.number().int().min(0).max(1_000).default(2),
  /** Whether an invariant is broken. */
  violation: z.boolean().default(false),
  /** Tool of the strongest signal. */
  tool: z.string().min(1).max(256).exactOptional(),
  mode: z.enum(['observe', 'act']).exactOptional(),
  /** Other incidents of the agent that were judged true or were contained. */
  priorIncidents: ages.default(0),
  /** Sessions of the agent with an open incident over the same tool. */
  toolSessions: ages.default(0),
  /** Containments of the same agent, tool or session, by rung. */
  containments: z.partialRecord(action, ages).default({}),
  /** How long ago a person lifted one, by rung, ms. */
  liftedAgoMs: z.partialRecord(action, ageMs).default({}),
  /** Rungs that hold for the agent as a whole already, or that a person is asked about. */
  standing: z.array(action).default([]),
  /** Automatic commands within the last minute: of the tenant, and of all tenants. */
  commandsLastMinute: count.default(0),
  totalCommandsLastMinute: count.default(0),
  /** Agents that are contained, of so many known. */
  contained: count.default(0),
  known: count.default(100),
  /** Whether this agent is among them. */
  isContained: z.boolean().default(false),
  /** What many agents of the class do alike, where the whole case rests on that. */
  sharedBehaviour: z.string().min(1).max(1_000).exactOptional(),
});
export type ResponseCase = z.infer<typeof responseCaseSchema>;

/** The case in the form that the policy reads. */
export function policyCaseOf({ agentId, sessionId, tool, ...rest }: ResponseCase): PolicyCase {
  const { severity, riskNats, emitters, violation } = rest;
  return {
    agentId,
    severity,
    riskNats,
    emitters,
    violation,
    ...(sessionId === '' ? {} : { sessionId }),
    ...(tool === undefined ? {} : { tool }),
  };
}

/** @param mode of the install, where the case names none */
export function policyFactsOf(
  given: ResponseCase,
  { caps, mode }: { caps: ResponseCaps; mode: 'observe' | 'act' },
): PolicyFacts {
  const { contained, known, standing, commandsLastMinute, totalCommandsLastMinute, isContained } = given;
  const maxContained = Math.max(caps.minContainedAgents, Math.floor(caps.maxContainedShare * known));
  return {
    mode: given.mode ?? mode,
    // Times count backwards from here.
    now: 0,
    priorIncidents: (withinMs) => within(given.priorIncidents, withinMs),
    toolSessions: (_, withinMs) => within(given.toolSessions, withinMs),
    settled: () => false,
    stands: (rung) => standing.includes(rung),
    scope: (rung) => scopeOf(given, rung),
    commandsLastMinute,
    totalCommandsLastMinute,
    reach: { contained, known, maxContained },
    isContained,
    sharedBehaviour: given.sharedBehaviour,
  };
}

function scopeOf({ containments, liftedAgoMs }: ResponseCase, rung: CommandAction): ScopeHistory {
  const given = containments[rung] ?? [];
  const times = typeof given === 'number' ? Array.from({ length: Math.min(given, MAX_TIMES) }, () => 0) : given;
  const containedAt = times.map((ageMs) => -ageMs);
  const lifted = liftedAgoMs[rung];
  return lifted === undefined ? { containedAt } : { containedAt, liftedAt: -lifted };
}

function within(given: number | readonly number[], withinMs: number): number {
  return typeof given === 'number' ? given : given.filter((age) => age <= withinMs).length;
}
