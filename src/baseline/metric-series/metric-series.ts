import { addToTail, tailNats } from '../../lib/stats/decayed-tail.js';
import { remember, weigh } from './alarm-policy.js';
import { learnRow, newReadings, read, type Readings } from './readings.js';
import { newSeriesState, type SeriesState } from './series-state.js';
import { FEATURES, SETTINGS, type MetricFeature } from './settings.js';

/** Values beyond it count as if they were it: their squares must stay numbers. */
const MOST = 1e100;
/** Highest score of a row that is not an alarm. */
const BELOW_ALARM = 0.499;

/** What one row of a series is worth. */
export interface MetricScore {
  /** Surprise after what the latest alarms have used up, nats; about `-ln p`. */
  nats: number;
  /** 0 to 1 and rising with `nats`; an alarm is 0.5 and more, and nothing else is. */
  anomalyScore: number;
  isAlarm: boolean;
  /** What was most out of line; undefined while too little is known. */
  feature: MetricFeature | undefined;
  /** Seen and expected under that feature, in the series' own unit. */
  observed: number;
  expected: number;
}

interface RowSurprise {
  /** Place of the most surprising feature; -1 where none says anything. */
  first: number;
  /** Its surprise, nats. */
  highest: number;
}

/**
 * One series of numbers: how surprising is the next one? Strictly online: a score rests on the rows before it alone,
 * the same settings serve all series, and what is remembered stays the same size (`SeriesState`).
 */
export class MetricSeries {
  readonly state: SeriesState;
  readonly #readings: Readings = newReadings();

  constructor(state: SeriesState = newSeriesState()) {
    this.state = state;
  }

  get rows(): number {
    return this.state.rows;
  }

  /** Scores a row, then learns it. @param value finite */
  score(timeMs: number, value: number): MetricScore {
    const read = this.#read(timeMs, value);
    const score = this.#scoreOf(read, value);
    this.#learn(read, { timeMs, value, isAlarm: score.isAlarm });
    return score;
  }

  /** Scores a row and changes nothing. */
  judge(timeMs: number, value: number): MetricScore {
    return this.#scoreOf(this.#read(timeMs, value), value);
  }

  /** Takes a row in. */
  learn(timeMs: number, value: number): void {
    const read = this.#read(timeMs, value);
    this.#learn(read, { timeMs, value, isAlarm: weigh(this.state.alarms, read.highest).isAlarm });
  }

  #scoreOf({ first, highest }: RowSurprise, value: number): MetricScore {
    const { nats, isAlarm } = weigh(this.state.alarms, highest);
    const { observed, expected } = this.#readings;
    return {
      nats,
      anomalyScore: scoreOf(nats, isAlarm),
      isAlarm,
      feature: FEATURES[first],
      observed: observed[first] ?? value,
      expected: expected[first] ?? value,
    };
  }

  /** @param read of this very row, the readings still being there */
  #learn({ highest }: RowSurprise, { timeMs, value, isAlarm }: { timeMs: number; value: number; isAlarm: boolean }) {
    const { above, below, alarms } = this.state;
    for (let i = 0; i < FEATURES.length; i++) {
      const off = this.#readings.off[i] ?? Number.NaN;
      if (Number.isNaN(off)) continue;
      const [up, down] = [above[i], below[i]];
      if (up !== undefined) addToTail(up, Math.max(0, off), SETTINGS.tail);
      if (down !== undefined) addToTail(down, Math.max(0, -off), SETTINGS.tail);
    }
    remember(alarms, highest, isAlarm);
    learnRow(this.state, timeMs, bounded(value));
  }

  #read(timeMs: number, value: number): RowSurprise {
    const { state } = this;
    read(state, { timeMs, value: bounded(value), into: this.#readings });
    let first = -1;
    let highest = 0;
    for (let i = 0; i < FEATURES.length; i++) {
      const off = this.#readings.off[i] ?? Number.NaN;
      const tail = off > 0 ? state.above[i] : (state.below[i] ?? state.above[i]);
      if (Number.isNaN(off) || tail === undefined) continue;
      const nats = (SETTINGS.weights[i] ?? 0) * tailNats(tail, Math.abs(off), SETTINGS.tail);
      if (nats > highest) {
        highest = nats;
        first = i;
      }
    }
    return { first, highest };
  }
}

function bounded(value: number): number {
  return Math.max(-MOST, Math.min(MOST, value));
}

function scoreOf(nats: number, isAlarm: boolean): number {
  const score = nats <= 0 ? 0 : nats / (nats + SETTINGS.alarmNats);
  return isAlarm ? score : Math.min(score, BELOW_ALARM);
}
