import { hourOfWeek, HOURS_OF_WEEK, weekOf } from '../lib/hour-of-week.js';
import { addToLevel, newLevel } from '../lib/stats/robust-level.js';

/** Numbers of one hour of the week: centre, spread, windows, weeks it was seen in, the latest of them, slow centre. */
const WIDTH = 6;
/** Share of a new window in its hour's level. */
const RATE = 0.05;

/** Weeks and windows that an hour must have been seen in. */
export interface LeastSeen {
  weeks: number;
  windows: number;
}

/** What one hour of the week usually looks like. */
export interface HourLevel {
  centre: number;
  /** The centre when the hour became known. */
  slowCentre: number;
  /** Mean absolute deviation: the scale of a Laplace distribution. */
  scale: number;
  windows: number;
}

/** The hours of the week of one agent, about 4 KB; begun in the second week it is seen in. */
export class HourSeason {
  readonly #least: LeastSeen;
  /** Flat, so that it is stored as it is. Empty before the second week. */
  #cells: Float32Array;
  #firstWeek: number;

  constructor(least: LeastSeen, plain?: PlainSeason) {
    this.#least = least;
    this.#cells = plain?.cells.slice() ?? new Float32Array(0);
    this.#firstWeek = plain?.firstWeek ?? -1;
  }

  /**
   * @param timeMs event time, epoch ms
   * @param isVouched an operator vouches for it: the slow centre goes along
   */
  learn(value: number, timeMs: number, isVouched: boolean): void {
    const week = weekOf(timeMs);
    if (this.#firstWeek < 0) this.#firstWeek = week;
    if (week === this.#firstWeek) return;
    if (this.#cells.length === 0) this.#cells = new Float32Array(HOURS_OF_WEEK * WIDTH);
    const at = hourOfWeek(timeMs) * WIDTH;
    const [centre = 0, spread = 0, windows = 0, weeks = 0, latest = 0, slow = 0] = this.#cells.subarray(at, at + WIDTH);
    const level = Object.assign(newLevel(), { centre, spread, count: windows });
    addToLevel(level, value, RATE);
    const weeksNow = weeks + (weeks === 0 || week !== latest ? 1 : 0);
    const isFixed = this.#isKnown(windows, weeks) && !isVouched;
    this.#cells.set([level.centre, level.spread, level.count, weeksNow, week, isFixed ? slow : level.centre], at);
  }

  /** The hour's level; undefined until it was seen often enough. */
  at(timeMs: number): HourLevel | undefined {
    if (this.#cells.length === 0) return undefined;
    const at = hourOfWeek(timeMs) * WIDTH;
    const [centre = 0, scale = 0, windows = 0, weeks = 0, , slowCentre = 0] = this.#cells.subarray(at, at + WIDTH);
    return this.#isKnown(windows, weeks) ? { centre, slowCentre, scale, windows } : undefined;
  }

  /** Hours of the week that were seen often enough to be used. */
  knownHours(): number {
    let known = 0;
    for (let at = 0; at < this.#cells.length; at += WIDTH) {
      if (this.#isKnown(this.#cells[at + 2] ?? 0, this.#cells[at + 3] ?? 0)) known++;
    }
    return known;
  }

  #isKnown(windows: number, weeks: number): boolean {
    return weeks >= this.#least.weeks && windows >= this.#least.windows;
  }

  toPlain(): PlainSeason {
    return { cells: this.#cells.slice(), firstWeek: this.#firstWeek };
  }
}

export interface PlainSeason {
  cells: Float32Array;
  firstWeek: number;
}
