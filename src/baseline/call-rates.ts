import { median, medianAbsoluteDeviation } from 'simple-statistics';
import type { Window } from '../model/window.js';

/** Latest windows that count. */
const MAX_WINDOWS = 256;
const MINUTE_MS = 60_000;
/** Spread of a Laplace distribution by its median absolute deviation. */
const LAPLACE_SCALE = 1 / Math.LN2;
/** Least spread, calls a minute: an agent as regular as a clock is allowed one more call. */
const MIN_SCALE = 1;

/** How often an agent calls tools: its latest windows, judged by their median and spread. */
export class CallRates {
  readonly #rates: number[];
  #summary: { centre: number; scale: number } | undefined;

  /** @param rates calls a minute, oldest first */
  constructor(rates: readonly number[] = []) {
    this.#rates = rates.slice(-MAX_WINDOWS);
  }

  get size(): number {
    return this.#rates.length;
  }

  learn(ratePerMinute: number): void {
    if (!Number.isFinite(ratePerMinute)) return;
    this.#rates.push(ratePerMinute);
    if (this.#rates.length > MAX_WINDOWS) this.#rates.shift();
    this.#summary = undefined;
  }

  /** Median, and the scale of a Laplace distribution with this median absolute deviation; calls a minute. */
  summary(): { centre: number; scale: number } {
    if (this.#rates.length === 0) return { centre: 0, scale: MIN_SCALE };
    this.#summary ??= {
      centre: median(this.#rates),
      scale: Math.max(MIN_SCALE, LAPLACE_SCALE * medianAbsoluteDeviation(this.#rates)),
    };
    return this.#summary;
  }

  /**
   * Surprise of a rate this high, nats; 0 at or below the median. The Laplace tail is heavy, which suits rates that
   * come in bursts.
   */
  surprise(ratePerMinute: number): number {
    if (this.#rates.length === 0) return 0;
    const { centre, scale } = this.summary();
    return Math.max(0, (ratePerMinute - centre) / scale);
  }

  toPlain(): number[] {
    return [...this.#rates];
  }
}

/** Calls a minute in a window. */
export function callsPerMinute(window: Window): number {
  return (window.counts.calls * MINUTE_MS) / Math.max(1, window.end - window.start);
}
