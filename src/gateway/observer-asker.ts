import { DeadlineError, withDeadline } from './deadline.js';
import { parseJson } from './json.js';
import { readCheckAnswer } from './messages.js';
import { describeFault, postJson, type ObserverAddress } from './observer-http.js';
import type { CallAttempt, GatewayDecision, GatewayEvent } from './port.js';
import type { Postures } from './posture.js';

export interface ObserverAskerOptions {
  address: ObserverAddress;
  /** Longest wait for the answer, ms. */
  deadlineMs: number;
  postures: Postures;
  report: (event: GatewayEvent) => void;
}

/** The observer gets this share of the deadline; the rest is for the way there and back. */
const ANSWER_SHARE = 0.8;

/** Asks the observer about one call at a time. Without an answer the posture decides. */
export class ObserverAsker {
  readonly #options: ObserverAskerOptions;
  readonly counts = { asked: 0, answered: 0 };

  constructor(options: ObserverAskerOptions) {
    this.#options = options;
  }

  /** Never throws. @param reason why the gateway's own rules want a person to agree */
  async ask(attempt: CallAttempt, reason?: string): Promise<GatewayDecision> {
    const { address, deadlineMs, postures, report } = this.#options;
    this.counts.asked++;
    let cause = '';
    let timedOut = false;
    try {
      const answerMs = Math.max(1, Math.floor(deadlineMs * ANSWER_SHARE));
      const body = JSON.stringify({ ...attempt, ask: reason, deadlineMs: answerMs });
      const { status, text } = await withDeadline(deadlineMs, undefined, (signal) =>
        postJson(address, '/v1/check', body, signal),
      );
      const answer = status === 200 ? readCheckAnswer(parseJson(text)) : undefined;
      if (answer !== undefined) {
        this.counts.answered++;
        return { ...answer, source: 'observer' };
      }
      cause = status === 200 ? 'the answer could not be read' : `the observer answered ${status}`;
    } catch (fault) {
      timedOut = fault instanceof DeadlineError;
      cause = describeFault(fault);
    }
    const { posture, ...decision } = postures.decide(attempt, `the observer did not decide (${cause})`);
    report({ type: 'check-unanswered', effect: attempt.effect ?? 'unknown', posture, cause });
    return { ...decision, timedOut };
  }
}
