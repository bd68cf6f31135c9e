import type { CommandAction, Restriction } from '../model/command.js';
import type { Effect } from '../model/observation.js';
import type { CheckRequest, WireObservation } from '../model/wire.js';

/** A call that a gateway is about to execute. */
export type CallAttempt = Omit<CheckRequest, 'deadlineMs'>;

/** What a gateway does with a call when the observer does not answer. */
export type Posture = 'open' | 'closed';

/** What the gateway shall do with a call, and who says so. */
export interface GatewayDecision {
  /** `hold`: do not execute until a person has decided. */
  decision: 'allow' | 'hold' | 'deny';
  /**
   * `memory`: a restriction in force; `passed`: this effect is not asked about; `observer`: it answered;
   * `posture`: it did not answer in time.
   */
  source: 'memory' | 'passed' | 'observer' | 'posture';
  reason: string;
  /** What the observer would have answered in `act` mode. */
  wouldBe?: 'allow' | 'hold' | 'deny';
  incidentId?: string;
  /** The command that stands in the way; goes into the audit record's rule as `parallax:<command id>`. */
  commandId?: string;
  restriction?: CommandAction;
  riskNats?: number;
  thresholdNats?: number;
  /** True when no answer came before the deadline, here or at the observer. */
  timedOut: boolean;
}

/** What a gateway confirms about a command: the state that is effective now. */
export type EffectiveState = 'enforced' | 'lifted' | 'rejected';

/** Everything the kit has to say, for the gateway's own log. */
export type GatewayEvent =
  | { type: 'stream-connected'; resumedAfter: string | undefined }
  | { type: 'stream-lost'; cause: string; retryMs: number }
  | { type: 'state-in-force'; sequence: string; agents: number; restrictions: number }
  | { type: 'restriction-in-force'; agentId: string; version: number; restrictions: number }
  | { type: 'restriction-ignored'; agentId: string; version: number; heldVersion: number }
  | { type: 'restriction-rejected'; commandId: string; cause: string }
  | { type: 'acknowledged'; commandId: string; effective: EffectiveState }
  | { type: 'acknowledgement-delayed'; commandId: string; cause: string; retryMs: number }
  | { type: 'acknowledgement-dropped'; commandId: string; cause: string }
  | { type: 'check-unanswered'; effect: Effect; posture: Posture; cause: string }
  | { type: 'audit-delayed'; records: number; cause: string; retryMs: number }
  | { type: 'audit-dropped'; records: number; cause: string }
  | { type: 'audit-refused'; field: string; cause: string };

/** Numbers since the start. `auditDropped` and `auditRefused` are records that the observer will never have. */
export interface GatewayCounters {
  fromMemory: number;
  passed: number;
  asked: number;
  answered: number;
  postureOpen: number;
  postureClosed: number;
  streamConnects: number;
  streamLosses: number;
  restrictionsHeld: number;
  restrictionsIgnored: number;
  restrictionsRejected: number;
  acknowledged: number;
  acknowledgementsDropped: number;
  auditPending: number;
  auditDelivered: number;
  auditDropped: number;
  auditRefused: number;
  hookErrors: number;
}

/** The kit that a gateway holds: ask, enforce, confirm, report. */
export interface GatewayClient {
  /**
   * Restriction in force on this call, from memory alone; undefined when there is none. Its decision is `deny`, or
   * `hold` where a person may let the call through.
   *
   * @param effect of the call; one that is not known counts as a change
   */
  restrictionOn(
    agentId: string,
    sessionId: string | undefined,
    tool: string,
    effect?: Effect,
  ): GatewayDecision | undefined;
  /** What to do with the call. Never throws: without an answer the posture decides. */
  check(attempt: CallAttempt): Promise<GatewayDecision>;
  /** Follows the observer's commands from now on. Resolves true when the full state is in force, false on close. */
  subscribe(): Promise<boolean>;
  /** Hands over audit records. They are sent in order, at least once, in the background. */
  observe(records: readonly WireObservation[]): void;
  /**
   * Waits until everything handed over so far is acknowledged by the observer.
   *
   * @returns false when `withinMs` passed first, or records had to be dropped meanwhile
   */
  flush(withinMs: number): Promise<boolean>;
  counters(): GatewayCounters;
  /** Sends what is left (for at most `withinMs`), then lets go of every timer and connection. */
  close(withinMs?: number): Promise<void>;
}

/** Full restriction state of all agents, as the stream's `state` event carries it. */
export interface StateMessage {
  restrictions: Restriction[];
}
