export const COMMAND_ACTIONS = ['revoke-session', 'freeze-tool'] as const;
export type CommandAction = (typeof COMMAND_ACTIONS)[number];

/** A command's life. Observe-only installs stop at `proposed` with `dryRun`. */
export const COMMAND_STATES = ['proposed', 'sent', 'acknowledged', 'enforced', 'expired', 'undone', 'failed'] as const;
export type CommandState = (typeof COMMAND_STATES)[number];

/** An order to gateways to tighten (or, undone, to loosen again) what an agent may do. */
export interface Command {
  /** Deterministic and the idempotency key: a gateway that sees it twice acts once. */
  id: string;
  tenant: string;
  action: CommandAction;
  agentId: string;
  /** For `revoke-session`. */
  sessionId?: string;
  /** For `freeze-tool`. */
  tool?: string;
  incidentId?: string;
  reason: string;
  issuedAt: number;
  /** Every containment ends by itself, epoch ms. */
  expiresAt: number;
  /** True in observe-only: recorded, shown, never sent. */
  dryRun: boolean;
  state: CommandState;
  /** Per gateway, the effective state it confirmed. */
  acknowledgements: { gatewayId: string; effective: string; time: number }[];
  issuedBy: string;
}

/** One step in a command's life, as stored. */
export interface CommandEvent {
  id: string;
  commandId: string;
  tenant: string;
  agentId: string;
  time: number;
  state: CommandState;
  by: string;
  detail: string;
}

/** What a gateway must enforce for one agent: always the full state, so that a missed change cannot matter. */
export interface Restriction {
  tenant: string;
  agentId: string;
  /** Rises with every change of this agent's restrictions. */
  version: number;
  revokedSessions: { sessionId: string; commandId: string; expiresAt: number; reason: string }[];
  frozenTools: { tool: string; commandId: string; expiresAt: number; reason: string }[];
}
