import { OverloadError } from '../lib/overload.js';
import type { AttemptObservation } from '../model/observation.js';
import type { Principal } from '../model/principal.js';
import type { CheckAnswer, CheckRequest } from '../model/wire.js';
import { decideLate } from './decision.js';

/** Calls asked about and not yet answered; beyond it gateways are told to come back. */
const MAX_WAITING = 10_000;

export interface CheckerOptions {
  mode: 'observe' | 'act';
  /** Longest wait for scoring, ms. */
  deadlineMs: number;
  /** Answer when the deadline passes. */
  onTimeout: CheckAnswer['decision'];
  /** Makes the observation and commits it to the log; resolves when it is durable. */
  submit: (
    request: CheckRequest,
    principal: Principal,
  ) => { observation: AttemptObservation; logged: Promise<unknown> };
}

/**
 * Answers gateways that ask: the attempt goes into the log like everything else, scoring finds it there, and the
 * answer comes back here. So a check is part of the record, and replay decides the same.
 */
export class Checker {
  readonly #options: CheckerOptions;
  readonly #waiting = new Map<string, Set<(answer: CheckAnswer) => void>>();
  #timedOut = 0;
  #answered = 0;

  constructor(options: CheckerOptions) {
    this.#options = options;
  }

  get deadlineMs(): number {
    return this.#options.deadlineMs;
  }

  stats(): { waiting: number; answered: number; timedOut: number } {
    return { waiting: this.#waiting.size, answered: this.#answered, timedOut: this.#timedOut };
  }

  /** Called by scoring with what it decided. */
  answer(observationId: string, answer: CheckAnswer): void {
    const waiting = this.#waiting.get(observationId);
    if (waiting === undefined) return;
    this.#waiting.delete(observationId);
    for (const resolve of waiting) resolve(answer);
  }

  /** @throws OverloadError when too many calls wait for an answer */
  async check(request: CheckRequest, principal: Principal): Promise<CheckAnswer> {
    if (this.#waiting.size >= MAX_WAITING) {
      throw new OverloadError('too many calls wait for an answer; ask again later', 503, 1);
    }
    const { observation, logged } = this.#options.submit(request, principal);
    const deadlineMs = Math.min(request.deadlineMs ?? this.#options.deadlineMs, this.#options.deadlineMs);
    const answered = this.#answerFor(observation.id, deadlineMs);
    // A log that hangs must not hold the answer beyond the deadline; one that refuses is told at once.
    const answer = await Promise.race([answered, logged.then(() => answered)]);
    this.#answered++;
    if (answer.timedOut) this.#timedOut++;
    return answer;
  }

  #answerFor(id: string, deadlineMs: number): Promise<CheckAnswer> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiting);
      const timer = setTimeout(() => {
        waiting.delete(settle);
        if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
        resolve(decideLate(this.#options.onTimeout, this.#options.mode));
      }, deadlineMs);
      const settle = (answer: CheckAnswer) => {
        clearTimeout(timer);
        resolve(answer);
      };
      waiting.add(settle);
    });
  }
}
