export const FLEET_LIFT_STATES = ['proposed', 'confirmed', 'rejected', 'expired'] as const;
export type FleetLiftState = (typeof FLEET_LIFT_STATES)[number];

/**
 * The wish to lift containments of many agents at once. It loosens so much that one person alone may not: whoever
 * proposes it, another one confirms it.
 */
export interface FleetLift {
  /** Deterministic. */
  id: string;
  tenant: string;
  /** Class of agents whose containments it lifts; absent where it is about no class. */
  agentClass?: string;
  /** Incidents whose containments it lifts; absent where it lifts whatever there is. */
  incidentIds?: string[];
  state: FleetLiftState;
  /** What it reached when it was proposed; what was lifted once it is confirmed. */
  commands: number;
  agents: number;
  proposedBy: string;
  reason: string;
  /** Only what restricted somebody at that time is lifted; epoch ms. */
  proposedAt: number;
  /** Without a second person by then nothing is lifted; epoch ms. */
  expiresAt: number;
  decidedBy?: string;
  decisionReason?: string;
  decidedAt?: number;
}

/** Nobody confirms their own proposal. */
export function mayConfirm({ proposedBy }: Pick<FleetLift, 'proposedBy'>, by: string): boolean {
  return by !== proposedBy;
}
