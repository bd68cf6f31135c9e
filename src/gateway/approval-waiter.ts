import type { Clock } from '../lib/clock.js';
import { backoffMs, pause, type Backoff } from './backoff.js';
import { bodyChunks } from './body-chunks.js';
import { withDeadline } from './deadline.js';
import { readCheckAnswer } from './messages.js';
import { postJson, type ObserverAddress } from './observer-http.js';
import type { CallAttempt, GatewayClient, GatewayDecision } from './port.js';

export interface ApprovalWaiterOptions {
  address: ObserverAddress;
  /** Knows the restrictions in force here. */
  kit: Pick<GatewayClient, 'restrictionOn'>;
  clock: Clock;
  /** Monotonic, ms. */
  elapsedMs: () => number;
  backoff: Backoff;
  /** Longest wait for an answer beyond what was asked for, ms. */
  requestMs: number;
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
    const { elapsedMs, clock, backoff } = this.#options;
    let outcome: ApprovalOutcome = { outcome: 'undecided' };
    for (let n = 1, failures = 0; !signal.aborted; n++) {
      // A question of its own each time: one that was lost may not be mistaken for one that was answered.
      const question = { ...attempt, id: `${attempt.callId}-ask-${n}`, time: clock.now() };
      const decision = await this.#ask(question, { ask, signal });
      const settled = settledBy(decision, { ask, forbidden: this.#forbidden(attempt) });
      if (settled !== undefined) return settled;
      const holdId = decision?.holdId;
      if (holdId !== undefined) {
        outcome = { outcome: 'undecided', holdId };
        const hold = await this.#decisionOf(holdId, { attempt, end, signal });
        if (hold === 'over') return forbiddenOr(this.#forbidden(attempt), outcome);
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

  #forbidden({ agentId, sessionId, tool, effect }: CallAttempt): GatewayDecision | undefined {
    const restricted = this.#options.kit.restrictionOn(agentId, sessionId, tool, effect);
    return restricted?.decision === 'deny' ? restricted : undefined;
  }

  /** What the observer says; undefined where it does not answer. */
  async #ask(
    attempt: CallAttempt,
    { ask, signal }: { ask: string | undefined; signal: AbortSignal },
  ): Promise<GatewayDecision | undefined> {
    const { address, requestMs } = this.#options;
    const body = JSON.stringify({ ...attempt, ask });
    try {
      const post = (inner: AbortSignal) => postJson(address, '/v1/check', body, inner);
      const { status, text } = await withDeadline(requestMs, signal, post);
      const answer = status === 200 ? readCheckAnswer(JSON.parse(text)) : undefined;
      return answer === undefined ? undefined : { ...answer, source: 'observer' };
    } catch {
      return undefined;
    }
  }

  /** What became of a held call. `over`: there is no more waiting; undefined: the observer cannot be asked now. */
  async #decisionOf(
    holdId: string,
    { attempt, end, signal }: { attempt: CallAttempt; end: number; signal: AbortSignal },
  ): Promise<Decided | 'over' | undefined> {
    const { address, elapsedMs, requestMs, backoff } = this.#options;
    for (;;) {
      const waitMs = Math.floor(Math.min(LOOK_MS, end - elapsedMs()));
      if (waitMs <= 0 || signal.aborted || this.#forbidden(attempt) !== undefined) return 'over';
      try {
        const path = `/v1/holds/${encodeURIComponent(holdId)}?waitMs=${waitMs}`;
        const look = (inner: AbortSignal) => getHold(address, path, inner);
        const before = elapsedMs();
        const hold = await withDeadline(waitMs + requestMs, signal, look);
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
  decision: GatewayDecision | undefined,
  { ask, forbidden }: { ask: string | undefined; forbidden: GatewayDecision | undefined },
): ApprovalOutcome | undefined {
  if (forbidden !== undefined) return { outcome: 'denied', decision: forbidden };
  if (decision === undefined) return undefined;
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

const MAX_HOLD_BYTES = 64 * 1024;

/** Reads a held call. @returns undefined where it cannot be read @throws whatever `fetch` throws */
async function getHold(address: ObserverAddress, path: string, signal: AbortSignal): Promise<Decided | undefined> {
  const headers = { authorization: `Bearer ${address.key}` };
  const response = await address.fetch(address.url + path, { headers, signal, redirect: 'error' });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of bodyChunks(response, signal)) {
    bytes += chunk.byteLength;
    if (bytes > MAX_HOLD_BYTES) return undefined;
    chunks.push(chunk);
  }
  return response.status === 200 ? readHold(JSON.parse(Buffer.concat(chunks).toString())) : undefined;
}

function readHold(value: unknown): Decided | undefined {
  if (typeof value !== 'object' || value === null || !('state' in value) || typeof value.state !== 'string') {
    return undefined;
  }
  const by = 'decidedBy' in value && typeof value.decidedBy === 'string' ? value.decidedBy : '';
  const reason = 'decisionReason' in value && typeof value.decisionReason === 'string' ? value.decisionReason : '';
  return { state: value.state, by, reason };
}
