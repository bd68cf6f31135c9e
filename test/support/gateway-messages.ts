import type { Command, Restriction } from '../../src/model/command.js';

/** Restrictions of an agent with one revoked session. */
export function restrictionOf(agentId: string, version: number, tenant = 'default'): Restriction {
  return {
    tenant,
    agentId,
    version,
    revokedSessions: [{ sessionId: 's1', commandId: 'cmd_1', expiresAt: 9, reason: 'r' }],
    frozenTools: [],
  };
}

/** A command that was sent; tests change what they are about. */
export function commandOf(change: Partial<Command> = {}): Command {
  return {
    id: 'cmd_1',
    tenant: 'default',
    action: 'revoke-session',
    agentId: 'agent-a',
    reason: 'r',
    issuedAt: 1,
    expiresAt: 9,
    dryRun: false,
    state: 'sent',
    acknowledgements: [],
    issuedBy: 'policy',
    ...change,
  };
}
