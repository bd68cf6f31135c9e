import { z } from 'zod';
import { LOWERED_POSTURES, RUNG_MODES, TIMEOUT_ANSWERS, type CommandAction } from './command.js';
import { SEVERITIES } from './incident.js';
import { namePatterns } from './name-patterns.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Longest span that any setting may name, ms: what shall last longer belongs into an agent's entitlements. */
const MAX_SPAN_MS = 30 * 24 * HOUR_MS;
const MAX_COUNT = 1_000;

const spanMs = z.number().int().min(1).max(MAX_SPAN_MS);
const count = z.number().int().min(0).max(MAX_COUNT);

const rungFields = {
  /**
   * How far this rung goes by itself. `off`: not at all; `observe`: it is written down what would have been done;
   * `propose`: a person is asked; `act`: it is done at once where the evidence does.
   */
  mode: z.enum(RUNG_MODES).exactOptional(),
  /** From this severity on. */
  severity: z.enum(SEVERITIES).exactOptional(),
  /** From so many agreeing emitters on; a broken invariant needs none. */
  emitters: z.number().int().min(1).max(16).exactOptional(),
  /** So many for doing it at once; never fewer than two. With fewer a person is asked. */
  actEmitters: z
    .number()
    .int()
    .min(2, { message: 'must be 2 or more: one hand alone never makes Parallax act by itself' })
    .max(16)
    .exactOptional(),
  /** Repeat offence: so many other incidents of the agent that were true or contained, within `priorWithinMs`. */
  priorIncidents: count.exactOptional(),
  priorWithinMs: spanMs.exactOptional(),
  /** So many sessions of the agent with an open incident over the same tool, within `toolWithinMs` of event time. */
  toolSessions: count.exactOptional(),
  toolWithinMs: spanMs.exactOptional(),
  /** How long the containment lasts. */
  containMs: spanMs.min(1_000).exactOptional(),
  /** How long a person has to decide, where one is asked. */
  proposalMs: spanMs.min(1_000).exactOptional(),
  /**
   * What becomes of a proposal that nobody decided about. `expire`: nothing is done. `approve`: it is done, where the
   * evidence would do and only the mode made it a proposal. `escalate`: people are told again, and have as long again.
   */
  onTimeout: z.enum(TIMEOUT_ANSWERS).exactOptional(),
  /** Agents to whom this rung is never applied by itself. */
  neverAct: namePatterns.exactOptional(),
};

const rungOverrideSchema = z.strictObject(rungFields);
const downgradeOverrideSchema = z.strictObject({
  ...rungFields,
  /** `approval`: what is not reading waits for a person; `read-only`: it is refused. */
  posture: z.enum(LOWERED_POSTURES).exactOptional(),
});

const responseFields = {
  alert: z
    .strictObject({
      /** People are told of incidents from this severity on. */
      severity: z.enum(SEVERITIES).exactOptional(),
    })
    .exactOptional(),
  'downgrade-posture': downgradeOverrideSchema.exactOptional(),
  'freeze-tool': rungOverrideSchema.exactOptional(),
  'revoke-session': rungOverrideSchema.exactOptional(),
  'suspend-agent': rungOverrideSchema.exactOptional(),
  /** Agents to whom nothing is ever done automatically. */
  neverAct: namePatterns.exactOptional(),
  /** Against loops of containment and recovery. */
  coolDown: z
    .strictObject({
      /** After so many containments of the same agent, tool or session within `withinMs` the next waits for a person. */
      containments: z.number().int().min(1).max(MAX_COUNT).exactOptional(),
      withinMs: spanMs.exactOptional(),
      /** So long after a person lifted one the next waits for a person. */
      afterLiftMs: z.number().int().min(0).max(MAX_SPAN_MS).exactOptional(),
    })
    .exactOptional(),
};

/** What a profile says about the response to its class: only what differs from the install. */
export const responseOverrideSchema = z.strictObject(responseFields);
export type ResponseOverride = z.infer<typeof responseOverrideSchema>;

/** One rung of the ladder, whole. Times in ms. */
export type Rung = Required<z.infer<typeof rungOverrideSchema>>;
export type DowngradeRung = Required<z.infer<typeof downgradeOverrideSchema>>;

/** The response policy of one class of agents, whole. */
export interface ResponsePolicy {
  alert: Required<NonNullable<ResponseOverride['alert']>>;
  'downgrade-posture': DowngradeRung;
  'freeze-tool': Rung;
  'revoke-session': Rung;
  'suspend-agent': Rung;
  neverAct: readonly string[];
  coolDown: Required<NonNullable<ResponseOverride['coolDown']>>;
}

const STANDARD_RUNG: Rung = {
  mode: 'act',
  severity: 'low',
  emitters: 1,
  actEmitters: 2,
  priorIncidents: 0,
  priorWithinMs: 24 * HOUR_MS,
  toolSessions: 0,
  toolWithinMs: 30 * MINUTE_MS,
  containMs: HOUR_MS,
  proposalMs: HOUR_MS,
  onTimeout: 'expire',
  neverAct: [],
};

/**
 * What holds where nothing is configured. The two rungs that hit a whole agent, and with it sessions that did nothing,
 * do not go by themselves (docs/decisions/0010-ladder.md).
 */
export const STANDARD_RESPONSE: ResponsePolicy = {
  alert: { severity: 'low' },
  'downgrade-posture': { ...STANDARD_RUNG, mode: 'off', severity: 'medium', posture: 'approval' },
  'freeze-tool': { ...STANDARD_RUNG, toolSessions: 5 },
  'revoke-session': { ...STANDARD_RUNG, severity: 'high' },
  'suspend-agent': { ...STANDARD_RUNG, mode: 'propose', priorIncidents: 3 },
  neverAct: [],
  coolDown: { containments: 3, withinMs: 24 * HOUR_MS, afterLiftMs: HOUR_MS },
};

/**
 * A policy with what is said differently on top. A never-act list only grows: what the install protects no class gives
 * up.
 */
export function overlayResponse(base: ResponsePolicy, over: ResponseOverride): ResponsePolicy {
  const rung = <A extends CommandAction>(action: A): ResponsePolicy[A] => ({
    ...base[action],
    ...over[action],
    neverAct: union(base[action].neverAct, over[action]?.neverAct),
  });
  return {
    alert: { ...base.alert, ...over.alert },
    'downgrade-posture': rung('downgrade-posture'),
    'freeze-tool': rung('freeze-tool'),
    'revoke-session': rung('revoke-session'),
    'suspend-agent': rung('suspend-agent'),
    neverAct: union(base.neverAct, over.neverAct),
    coolDown: { ...base.coolDown, ...over.coolDown },
  };
}

function union(own: readonly string[], more: readonly string[] = []): string[] {
  return [...new Set([...own, ...more])];
}

/** How far automatic containment may reach; above it commands wait for a person. Holds for the install, not a class. */
export const responseCapsSchema = z
  .strictObject({
    /** Automatic commands of one tenant within a minute. */
    commandsPerMinute: z.number().int().positive().default(20),
    /** Automatic commands of all tenants together within a minute; five times as many as of one where it is left out. */
    totalCommandsPerMinute: z.number().int().positive().exactOptional(),
    /** Share of a tenant's known agents that may be contained at once, but at least `minContainedAgents` of them. */
    maxContainedShare: z.number().gt(0).max(1).default(0.1),
    minContainedAgents: z.number().int().positive().default(3),
  })
  .transform((caps) => ({ totalCommandsPerMinute: 5 * caps.commandsPerMinute, ...caps }));
export type ResponseCaps = z.infer<typeof responseCapsSchema>;

/** The install's own settings: the policy of classes that say nothing else, whole, and what holds for all of them. */
export const respondSchema = z
  .strictObject({
    ...responseFields,
    caps: responseCapsSchema.prefault({}),
    /** How long gateways have to confirm each delivery of a command, and how often it is given out. */
    acknowledgeMs: z.number().int().positive().default(5_000),
    maxDeliveries: z.number().int().min(1).max(20).default(3),
    /** A gateway that an agent's calls went through must confirm what is sent against it for so long. */
    gatewayRecentMs: z.number().int().positive().default(HOUR_MS),
  })
  .transform(({ caps, acknowledgeMs, maxDeliveries, gatewayRecentMs, ...over }) => ({
    ...overlayResponse(STANDARD_RESPONSE, over),
    caps,
    acknowledgeMs,
    maxDeliveries,
    gatewayRecentMs,
  }));
export type RespondSettings = z.infer<typeof respondSchema>;
