import type { Effect } from './observation.js';

/**
 * Where a held call is. `approved`: it may pass once, until `expiresAt`; `used`: it has passed; `lapsed`: nobody decided
 * in time, or an approval was not used in time.
 */
export const HOLD_STATES = ['waiting', 'approved', 'used', 'rejected', 'lapsed'] as const;
export type HoldState = (typeof HOLD_STATES)[number];

/** What happens to a held call that nobody decided about. */
export const HOLD_TIMEOUTS = ['deny', 'allow'] as const;
export type HoldTimeout = (typeof HOLD_TIMEOUTS)[number];

/** A call that waits for a person: what the gateway asked, why it is held, and what was decided. */
export interface Hold {
  /** Deterministic: the same log gives the same id. */
  id: string;
  tenant: string;
  agentId: string;
  sessionId: string;
  callId: string;
  tool: string;
  effect: Effect;
  /** What the call acts on, as names and redacted values; what an agent wrote, so hostile. */
  summary: string;
  /** Keyed hash of the arguments: an approval is for these and no others. */
  argsHash: string;
  /** Why it is held. */
  reason: string;
  incidentId?: string;
  /** The restriction behind it, where it is not held for its incident. */
  commandId?: string;
  /** Principal of the gateway that asked. */
  gatewayId: string;
  /** Processing time, epoch ms. */
  heldAt: number;
  /** Until when a person may decide; once that is done, until when the decision counts. Epoch ms. */
  expiresAt: number;
  onTimeout: HoldTimeout;
  state: HoldState;
  /** When it came into this state, epoch ms. */
  changedAt: number;
  /** The question that it let through. */
  usedBy?: string;
  /** Who decided and why; `policy` where nobody did in time. */
  decidedBy?: string;
  decisionReason?: string;
}

/** Nobody decides about their own call, nor about one that they asked about. */
export function mayDecideHold({ agentId, gatewayId }: Hold, by: string): boolean {
  return by !== agentId && by !== gatewayId;
}
