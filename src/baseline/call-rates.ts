import { median, medianAbsoluteDeviation } from 'simple-statistics';
import type { Window } from '../model/window.js';
import { HourSeason, type PlainSeason } from './hour-season.js';
import { DEFAULT_LEARNING, type Learning } from './learning.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Spread of a Laplace distribution by its median absolute deviation. */
const LAPLACE_SCALE = 1 / Math.LN2;

export type CallRateSettings = Learning['callRate'];

/** Where rates lie; calls a minute. */
export interface RateLevel {
  centre: number;
  /** Scale of a Laplace distribution. */
  scale: number;
  /** Windows behind it. */
  windows: number;
}

export interface PlainCallRates {
  recent: number[];
  reference: number[];
  followed: number;
  followedAt: number;
  season: PlainSeason;
}

/**
 * How often an agent calls tools, judged by median and spread. The latest windows are the fast horizon; the first ones
 * are the slow horizon, which bounds how far the fast one can be walked. An hour of the week that is known well enough
 * has a level of its own.
 */
export class CallRates {
  readonly #settings: CallRateSettings;
  readonly #recent: number[];
  readonly #reference: number[];
  /** How far the slow horizon has followed the fast one, on the scale of ratios, and up to which event time. */
  #followed: number;
  #followedAt: number;
  readonly #season: HourSeason;
  #fast: RateLevel | undefined;
  #slow: RateLevel | undefined;

  /** @param plain a list of calls a minute, oldest first, where an earlier version of this program stored it */
  constructor(plain: PlainCallRates | readonly number[] = [], settings = DEFAULT_LEARNING.callRate) {
    this.#settings = settings;
    const { recent, reference, followed, followedAt, season } = isList(plain) ? fromList(plain) : plain;
    this.#recent = recent.slice(-settings.windows);
    this.#reference = reference.slice(0, settings.referenceWindows);
    this.#followed = followed;
    this.#followedAt = followedAt;
    this.#season = new HourSeason({ weeks: settings.seasonWeeks, windows: settings.seasonWindows }, season);
  }

  get size(): number {
    return this.#recent.length;
  }

  /**
   * @param at event time of the window, epoch ms
   * @param isVouched an operator vouches for the traffic: it is what the slow horizon is made of
   */
  learn(ratePerMinute: number, at = 0, isVouched = false): void {
    if (!Number.isFinite(ratePerMinute)) return;
    this.#recent.push(ratePerMinute);
    if (this.#recent.length > this.#settings.windows) this.#recent.shift();
    this.#fast = undefined;
    if (isVouched && this.#isReferenceFull) this.#reference.shift();
    if (this.#isReferenceFull) this.#follow(at);
    else {
      this.#reference.push(ratePerMinute);
      this.#slow = undefined;
    }
    if (isVouched) this.#followed = 0;
    this.#season.learn(ratePerMinute, at, isVouched);
  }

  /** What is usual now, the hour of the week left aside. */
  summary(): RateLevel {
    const fast = this.#fastLevel();
    if (!this.#isReferenceFull) return fast;
    const slow = this.#slowLevel();
    return {
      centre: Math.min(fast.centre, this.#limit(slow.centre)),
      scale: Math.min(fast.scale, this.#limit(slow.scale)),
      windows: fast.windows,
    };
  }

  /** The slow horizon. */
  reference(): RateLevel {
    const { centre, scale, windows } = this.#slowLevel();
    return { centre: centre * Math.exp(this.#followed), scale, windows };
  }

  /** Hours of the week that have a level of their own. */
  knownHours(): number {
    return this.#season.knownHours();
  }

  /** What is usual at a time. @param at event time, epoch ms */
  usual(at: number): RateLevel {
    const hour = this.#season.at(at);
    if (hour === undefined) return this.summary();
    const most = this.#limit(hour.slowCentre);
    return {
      centre: Math.min(hour.centre, most),
      scale: Math.max(this.#settings.leastSpread, Math.min(hour.scale, most)),
      windows: hour.windows,
    };
  }

  /**
   * Surprise of a rate this high, nats; 0 at or below what is usual. The Laplace tail is heavy, which suits rates that
   * come in bursts.
   *
   * @param at event time, epoch ms
   */
  surprise(ratePerMinute: number, at = 0): number {
    if (this.#recent.length === 0) return 0;
    const { centre, scale } = this.usual(at);
    return Math.max(0, (ratePerMinute - centre) / scale);
  }

  toPlain(): PlainCallRates {
    return {
      recent: [...this.#recent],
      reference: [...this.#reference],
      followed: this.#followed,
      followedAt: this.#followedAt,
      season: this.#season.toPlain(),
    };
  }

  get #isReferenceFull(): boolean {
    return this.#reference.length >= this.#settings.referenceWindows;
  }

  /** The slow horizon goes after the fast one: a step a day at most. */
  #follow(at: number): void {
    if (at - this.#followedAt < DAY_MS) return;
    this.#followedAt = at;
    const most = this.#settings.followPerDay;
    const away = Math.log((this.#fastLevel().centre + 1) / (this.reference().centre + 1));
    this.#followed += Math.max(-most, Math.min(most, away));
  }

  /** The most that a level may be by the slow horizon's. */
  #limit(slow: number): number {
    const { aboveReference, leastSpread } = this.#settings;
    return slow * Math.exp(this.#followed) * (1 + aboveReference) + leastSpread;
  }

  #fastLevel(): RateLevel {
    this.#fast ??= levelOf(this.#recent, this.#settings);
    return this.#fast;
  }

  #slowLevel(): RateLevel {
    this.#slow ??= levelOf(this.#reference, this.#settings);
    return this.#slow;
  }
}

function levelOf(rates: number[], { leastSpread }: CallRateSettings): RateLevel {
  if (rates.length === 0) return { centre: 0, scale: leastSpread, windows: 0 };
  return {
    centre: median(rates),
    scale: Math.max(leastSpread, LAPLACE_SCALE * medianAbsoluteDeviation(rates)),
    windows: rates.length,
  };
}

function isList(plain: PlainCallRates | readonly number[]): plain is readonly number[] {
  return Array.isArray(plain);
}

/** Whatever was learned before there was a slow horizon is where it begins. */
function fromList(rates: readonly number[]): PlainCallRates {
  const season = { cells: new Float32Array(0), firstWeek: -1 };
  return { recent: [...rates], reference: [...rates], followed: 0, followedAt: 0, season };
}

/** Calls a minute in a window. */
export function callsPerMinute(window: Window): number {
  return (window.counts.calls * MINUTE_MS) / Math.max(1, window.end - window.start);
}
