import {
  overlayResponse,
  STANDARD_RESPONSE,
  type ResponseCaps,
  type ResponseOverride,
} from '../../src/model/response-policy.js';
import type { ScopeHistory } from '../../src/respond/cool-down.js';
import type { PolicyCase, PolicyFacts } from '../../src/respond/policy.js';
import type { Circumstances } from '../../src/respond/policy-commands.js';
import type { ResponderOptions } from '../../src/respond/responder.js';

/** Caps that stand in nobody's way. */
export const WIDE_CAPS: ResponseCaps = {
  commandsPerMinute: 20,
  totalCommandsPerMinute: 100,
  maxContainedShare: 1,
  minContainedAgents: 100,
};

/** Options of a responder under one policy for every agent. */
export function responderOptions({
  response = {},
  caps = {},
  ...change
}: Partial<Omit<ResponderOptions, 'caps' | 'policyOf'>> & {
  response?: ResponseOverride;
  caps?: Partial<ResponseCaps>;
} = {}): ResponderOptions {
  const policy = overlayResponse(STANDARD_RESPONSE, response);
  return {
    mode: 'act',
    acknowledgeMs: 5_000,
    maxDeliveries: 2,
    gatewayRecentMs: 60_000,
    caps: { ...WIDE_CAPS, ...caps },
    classOf: () => 'default',
    policyOf: () => policy,
    knownAgents: () => 100,
    load: () => undefined,
    ...change,
  };
}

/** The same containment and proposal time for every rung, ms. */
export function lasting(ms: number): ResponseOverride {
  const rung = { containMs: ms, proposalMs: ms };
  return { 'downgrade-posture': rung, 'freeze-tool': rung, 'revoke-session': rung, 'suspend-agent': rung };
}

/** What the agent did before, however far one looks back. */
export function circumstances(toolSessions: number, priorIncidents = 0): Circumstances {
  return {
    toolSessions: () => toolSessions,
    priorIncidents: () => priorIncidents,
    sharedBehaviour: undefined,
  };
}

/** A severe case with everything that automatic action needs. */
export function policyCase(change: Partial<PolicyCase> = {}): PolicyCase {
  return {
    agentId: 'agent-a',
    sessionId: 's1',
    severity: 'high',
    riskNats: 8,
    emitters: 2,
    violation: false,
    tool: 'send_money',
    ...change,
  };
}

const NOTHING_DONE: ScopeHistory = { containedAt: [] };

/** Facts of an install that acts, in which nothing has happened yet. */
export function policyFacts(change: Partial<PolicyFacts> = {}): PolicyFacts {
  return {
    mode: 'act',
    ...circumstances(0),
    settled: () => false,
    stands: () => false,
    scope: () => NOTHING_DONE,
    commandsLastMinute: 0,
    totalCommandsLastMinute: 0,
    reach: { contained: 0, known: 100, maxContained: 10 },
    isContained: false,
    now: 10_000_000,
    ...change,
  };
}
