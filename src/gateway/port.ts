import type { CommandAction } from '../model/command.js';
import type { Effect } from '../model/observation.js';
import type { CheckRequest, WireObservation } from '../model/wire.js';

/** A call that a gateway is about to execute. */
export type CallAttempt = Omit<CheckRequest, 'deadlineMs' | 'ask'>;

/** What a gateway does with a call when the observer does not answer. */
export type Posture = 'open' | 'closed';

/** What the gateway shall do with a call, and who says so. */
export interface GatewayDecision {
  /** `hold`: do not execute until a person has decided. */
  decision: 'allow' | 'hold' | 'deny';
  /**
   * `memory`: a restriction in force; `passed`: this effect is not asked about; `observer`: it answered;
   * `posture`: it did not answer in time, or has been silent for too long.
   */
  source: 'memory' | 'passed' | 'observer' | 'posture';
  reason: string;
  /** What the observer would have answered in `act` mode. */
  wouldBe?: 'allow' | 'hold' | 'deny';
  incidentId?: string;
  /** The command that stands in the way; goes into the audit record's rule as `parallax:<command id>`. */
  commandId?: string;
  /** The held call in the observer's queue of approvals. */
  holdId?: string;
  /** A person let this call through; goes into the audit record. */
  approvalId?: string;
  restriction?: CommandAction;
  riskNats?: number;
  thresholdNats?: number;
  /** True when no answer came before the deadline, here or at the observer. */
  timedOut: boolean;
}

/** What a gateway confirms about a command: the state that is effective now. */
export type EffectiveState = 'enforced' | 'lifted' | 'rejected';

/**
 * Why a message was not taken in. `malformed`: no JWS, or claims that cannot be read; `algorithm`: not the key's own;
 * `type`: made for something else; `unknown-key`: signed with a key that the observer does not publish, or its keys
 * could not be fetched; `signature`, `issuer`, `audience`, `expired`; `not-yet`: from the future; `older-epoch`: from
 * before the observer last started; `unknown-epoch`: from a new start, before its full state; `replayed`: it was here.
 */
export const REFUSAL_REASONS = [
  'malformed',
  'algorithm',
  'type',
  'unknown-key',
  'signature',
  'issuer',
  'audience',
  'expired',
  'not-yet',
  'older-epoch',
  'unknown-epoch',
  'replayed',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** Everything the kit has to say, for the gateway's own log. */
export type GatewayEvent =
  | { type: 'stream-connected'; resumedAfter: string | undefined }
  | { type: 'stream-lost'; cause: string; retryMs: number }
  | { type: 'state-in-force'; sequence: string; agents: number; restrictions: number }
  | { type: 'state-kept'; restrictions: number }
  | { type: 'kept-state-unusable'; cause: string }
  | { type: 'state-not-kept'; cause: string }
  | { type: 'observer-went-back'; sequence: number; before: number }
  | { type: 'observer-silent'; silentMs: number }
  | { type: 'observer-heard'; silentMs: number }
  | { type: 'message-refused'; reason: RefusalReason; detail: string }
  | { type: 'restriction-in-force'; agentId: string; version: number; restrictions: number }
  | { type: 'restriction-ignored'; agentId: string; sequence: number; heldSequence: number }
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
  /** Calls that the posture decided without asking, because the observer was silent; also in the two above. */
  whileSilent: number;
  /** Times that the observer fell silent. */
  silences: number;
  streamConnects: number;
  streamLosses: number;
  restrictionsHeld: number;
  restrictionsIgnored: number;
  restrictionsRejected: number;
  /** Messages that were not taken in; `refusals` has the reasons. */
  messagesRefused: number;
  /** Times that the state could not be written to disk. */
  stateNotKept: number;
  acknowledged: number;
  acknowledgementsDropped: number;
  auditPending: number;
  auditDelivered: number;
  auditDropped: number;
  auditRefused: number;
  hookErrors: number;
}

/** How a gateway waits for a person. */
export interface ApprovalRequest {
  /** Why the gateway's own rules want a person to agree; without it only what the observer holds is waited for. */
  ask?: string;
  /** How long to wait, ms. */
  withinMs: number;
  /** Whoever made the call gave up. */
  signal?: AbortSignal;
}

/**
 * What came of waiting. `approved` without an id: the observer holds the call no more. `denied`: a restriction or the
 * observer forbids it by now. `undecided`: nobody decided in time; the call stays in the queue for when it is tried again.
 */
export type ApprovalOutcome =
  | { outcome: 'approved'; reason: string; approvalId?: string }
  | { outcome: 'rejected'; by: string; reason: string; holdId: string }
  | { outcome: 'denied'; decision: GatewayDecision }
  | { outcome: 'undecided'; holdId?: string };

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
  /**
   * What can be said about a call at once, without asking: a restriction in force, or the posture while the observer is
   * silent. Undefined: nothing stands in its way here.
   */
  localDecision(
    attempt: Pick<CallAttempt, 'agentId' | 'sessionId' | 'tool' | 'effect' | 'tier'>,
  ): GatewayDecision | undefined;
  /** What to do with the call. Never throws: without an answer the posture decides. */
  check(attempt: CallAttempt): Promise<GatewayDecision>;
  /** Waits until a person has decided about a call. Never throws. */
  awaitApproval(attempt: CallAttempt, request: ApprovalRequest): Promise<ApprovalOutcome>;
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
  /** Messages that were not taken in, by reason. */
  refusals(): Record<RefusalReason, number>;
  /** Sends what is left (for at most `withinMs`), then lets go of every timer and connection. */
  close(withinMs?: number): Promise<void>;
}
