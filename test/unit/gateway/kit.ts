import {
  createGatewayClient,
  type GatewayClient,
  type GatewayClientOptions,
  type GatewayEvent,
} from '../../../src/gateway/client.js';
import type { Command, Restriction } from '../../../src/model/command.js';
import type { WireObservation } from '../../../src/model/wire.js';

/** A kit with short waits, fixed jitter and a record of everything it said. */
export function kitFor(
  url: string,
  options: Partial<GatewayClientOptions> = {},
): { kit: GatewayClient; events: GatewayEvent[] } {
  const events: GatewayEvent[] = [];
  const { limits, ...rest } = options;
  const kit = createGatewayClient({
    url,
    key: 'gateway-key',
    gatewayId: 'gateway',
    deadlineMs: 5_000,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    limits: { retryBaseMs: 5, retryMaxMs: 20, ...limits },
    ...rest,
  });
  return { kit, events };
}

export const attempt = {
  time: 1_700_000_000_000,
  agentId: 'a',
  sessionId: 's1',
  callId: 'c1',
  tool: 'pay',
  effect: 'write' as const,
};

export function revoked(version: number, ...sessionIds: string[]): Restriction {
  return {
    tenant: 'default',
    agentId: 'a',
    version,
    revokedSessions: sessionIds.map((sessionId) => ({
      sessionId,
      commandId: `cmd-${sessionId}`,
      expiresAt: Date.now() + 3_600_000,
      reason: 'unusual',
    })),
    frozenTools: [],
  };
}

export function revokeCommand(sessionId: string): Command {
  return {
    id: `cmd-${sessionId}`,
    tenant: 'default',
    action: 'revoke-session',
    agentId: 'a',
    sessionId,
    reason: 'unusual',
    issuedAt: Date.now(),
    expiresAt: Date.now() + 3_600_000,
    dryRun: false,
    state: 'sent',
    acknowledgements: [],
    issuedBy: 'policy',
  };
}

export function auditCall(n: number, tool = 'pay'): WireObservation {
  return {
    id: `call-${n}`,
    time: 1_700_000_000_000 + n,
    agentId: 'a',
    sessionId: 's1',
    callId: `c${n}`,
    stream: 'action',
    kind: 'tool_call',
    tool,
    decision: 'allow',
  };
}

export function auditResult(n: number): WireObservation {
  return {
    id: `result-${n}`,
    time: 1_700_000_000_000 + n,
    agentId: 'a',
    stream: 'action',
    kind: 'tool_result',
    tool: 'pay',
    text: 'done',
  };
}
