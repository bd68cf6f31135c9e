import type { Clock } from '../lib/clock.js';
import { backoffMs, pause, type Backoff } from '../lib/backoff.js';
import { withDeadline } from './deadline.js';
import { isRecord, parseJson } from './json.js';
import { getJson, type ObserverAddress } from './observer-http.js';
import type { ApprovalOutcome, ApprovalRequest, CallAttempt, GatewayDecision } from './port.js';

export interface ApprovalWaiterOptions {
  address: ObserverAddress;
  /** Asks the observer about a call; never throws. */
  ask: (attempt: CallAttempt, reason: string | undefined) => Promise<GatewayDecision>;
  /** A restriction in force here that forbids the call. */
  forbidden: (attempt: CallAttempt) => GatewayDecision | undefined;
  clock: Clock;
  /** Monotonic, ms. */
  elapsedMs: () => number;
  backoff: Backoff;
  /** Longest wait for an answer beyond what was asked for, ms. */
  requestMs: number;
}

/** One question for a person's decision, ms: so long it takes to notice that the session was revoked meanwhile. */
const LOOK_MS = 5_000;

/**
 * Waits for people: a call comes into the observer's queue by asking about it, its decision is waited for there, and an
 * approval is taken up by asking once more, so that the observer knows that it was used.
 */
export class ApprovalWaiter {
  readonly #options: ApprovalWaiterOptions;
  readonly #closing = new AbortController();

  constructor(options: ApprovalWaiterOptions) {
    this.#options = options;
  }

  /** Everybody who waits is told that nobody decided. */
  close(): void {
    this.#closing.abort();
  }

  /** Never throws. An observer that does not answer is asked again until the time is over. */
  async wait(attempt: CallAttempt, { ask, withinMs, signal }: ApprovalRequest): Promise<ApprovalOutcome> {
    const gone = new AbortController();
    const leave = (): void => gone.abort();
    const signals = [this.#closing.signal, ...(signal === undefined ? [] : [signal])];
    for (const one of signals) {
      if (one.aborted) leave();
      one.addEventListener('abort', leave);
    }
    try {
      return await this.#wait(attempt, { ask, end: this.#options.elapsedMs() + withinMs, signal: gone.signal });
    } finally {
      for (const one of signals) one.removeEventListener('abort', leave);
    }
  }

  async #wait(
    attempt: CallAttempt,
    { ask, end, signal }: { ask: string | undefined; end: number; signal: AbortSignal },
  ): Promise<ApprovalOutcome> {
    const { elapsedMs, clock, backoff, forbidden } = this.#options;
    let outcome: ApprovalOutcome = { outcome: 'undecided' };
    for (let n = 1, failures = 0; !signal.aborted; n++) {
      // A question of its own each time: one that was lost may not be mistaken for one that was answered.
      const question = { ...attempt, id: `${attempt.callId}-ask-${n}`, time: clock.now() };
      const decision = await this.#options.ask(question, ask);
      const settled = settledBy(decision, { ask, forbidden: forbidden(attempt) });
      if (settled !== undefined) return settled;
      const { holdId } = decision;
      if (holdId !== undefined) {
        outcome = { outcome: 'undecided', holdId };
        const hold = await this.#decisionOf(holdId, { attempt, end, signal });
        if (hold === 'over') return forbiddenOr(forbidden(attempt), outcome);
        if (hold?.state === 'rejected') return { outcome: 'rejected', by: hold.by, reason: hold.reason, holdId };
        if (hold?.state === 'lapsed') return outcome;
        failures = hold === undefined ? failures : 0;
        if (hold !== undefined) continue;
      }
      const retryMs = backoffMs(failures++, backoff);
      if (elapsedMs() + retryMs >= end) return outcome;
      await pause(retryMs, signal);
    }
    return outcome;
  }

  /** What became of a held call. `over`: there is no more waiting; undefined: the observer cannot be asked now. */
  async #decisionOf(
    holdId: string,
    { attempt, end, signal }: { attempt: CallAttempt; end: number; signal: AbortSignal },
  ): Promise<Decided | 'over' | undefined> {
    const { address, elapsedMs, requestMs, forbidden, backoff } = this.#options;
    for (;;) {
      const waitMs = Math.floor(Math.min(LOOK_MS, end - elapsedMs()));
      if (waitMs <= 0 || signal.aborted || forbidden(attempt) !== undefined) return 'over';
      try {
        const path = `/v1/holds/${encodeURIComponent(holdId)}?waitMs=${waitMs}`;
        const ask = (inner: AbortSignal) => getJson(address, path, inner);
        const before = elapsedMs();
        const { status, text } = await withDeadline(waitMs + requestMs, signal, ask);
        const hold = status === 200 ? readHold(parseJson(text)) : undefined;
        if (hold?.state !== 'waiting') return hold;
        // Something on the way that does not let answers wait must not make us ask without end.
        if (elapsedMs() - before < waitMs / 2) await pause(backoff.baseMs, signal);
      } catch {
        return signal.aborted ? 'over' : undefined;
      }
    }
  }
}

interface Decided {
  state: string;
  by: string;
  reason: string;
}

/** What the answer to a question settles; undefined where a person must still decide, or there was no answer. */
function settledBy(
  decision: GatewayDecision,
  { ask, forbidden }: { ask: string | undefined; forbidden: GatewayDecision | undefined },
): ApprovalOutcome | undefined {
  if (forbidden !== undefined) return { outcome: 'denied', decision: forbidden };
  if (decision.source !== 'observer') return undefined;
  const { approvalId, reason } = decision;
  if (decision.decision === 'deny') return { outcome: 'denied', decision };
  if (decision.decision === 'hold') return undefined;
  if (approvalId !== undefined) return { outcome: 'approved', reason, approvalId };
  // What was held is held no more; what the gateway's own rules want needs a person all the same.
  return ask === undefined ? { outcome: 'approved', reason } : undefined;
}

function forbiddenOr(forbidden: GatewayDecision | undefined, outcome: ApprovalOutcome): ApprovalOutcome {
  return forbidden === undefined ? outcome : { outcome: 'denied', decision: forbidden };
}

function readHold(value: unknown): Decided | undefined {
  if (!isRecord(value) || typeof value['state'] !== 'string') return undefined;
  const { state, decidedBy, decisionReason } = value;
  return {
    state,
    by: typeof decidedBy === 'string' ? decidedBy : '',
    reason: typeof decisionReason === 'string' ? decisionReason : '',
  };
}
