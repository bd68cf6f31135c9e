import type { PartState, Readiness } from '../model/health.js';
import type { ScoringProgress } from './scoring-progress.js';

export interface ReadinessParts {
  progress: Pick<ScoringProgress, 'lagMs' | 'standsStillMs' | 'refusedMs'>;
  /** How long a log outside of this process has not answered, ms. */
  logUnansweredMs?: () => number;
  store: () => 'ok' | 'away';
  /** Scoring that has not moved for so long, with work before it, hangs; ms. */
  stallMs: number;
}

/** A log that takes nothing for a moment, such as while a disk is slow, is no reason to send everybody away, ms. */
const LOG_REFUSES_MS = 2_000;
/** Scoring that is so late answers questions by the deadline's posture; ms. */
const BEHIND_MS = 5_000;

/** What this process can do now. */
export class ServiceHealth {
  readonly #parts: ReadinessParts;
  #draining = false;

  constructor(parts: ReadinessParts) {
    this.#parts = parts;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  drain(): void {
    this.#draining = true;
  }

  /** Requests are welcome while the log takes records and scoring moves, late or not. */
  readiness(): Readiness {
    const parts: Readiness['parts'] = { log: this.#log, scoring: this.#scoring, store: this.#parts.store() };
    const ready = !this.#draining && parts.log !== 'failing' && parts.scoring !== 'failing';
    return { ready, draining: this.#draining, parts };
  }

  /**
   * Whether starting the process anew could help: not where the log's disk is full, and not where ClickHouse is away.
   * That it is asked at all shows that the event loop turns.
   */
  isAlive(): boolean {
    return this.#scoring !== 'failing' || this.#log === 'failing';
  }

  get #log(): PartState {
    const { progress, logUnansweredMs = () => 0 } = this.#parts;
    return Math.max(progress.refusedMs, logUnansweredMs()) > LOG_REFUSES_MS ? 'failing' : 'ok';
  }

  get #scoring(): PartState {
    const { progress, stallMs } = this.#parts;
    if (progress.standsStillMs > stallMs) return 'failing';
    return progress.lagMs > BEHIND_MS ? 'behind' : 'ok';
  }
}
