import { BoundedMap } from '../../lib/bounded-map.js';
import type { OtlpPoint } from './model.js';

const MAX_SERIES = 100_000;
/** Attributes whose value becomes a part of the metric's name: what kind of tokens, which model's, which decision. */
const NAMING = ['gen_ai.token.type', 'type', 'decision', 'gen_ai.operation.name', 'outcome'];
const MAX_PART_CHARS = 48;

interface Total {
  startMs: number;
  timeMs: number;
  value: number;
  count: number;
  sum: number;
}

/**
 * What happened since the last report. Emitters report sums since their own start unless told otherwise (cumulative
 * temporality); the first such report says nothing about a span of time and only starts the series. Bounded; a series that
 * gave way starts anew.
 */
export class MetricDeltas {
  readonly #totals = new BoundedMap<string, Total>(MAX_SERIES);

  /**
   * Named values of a data point: of a gauge or sum its value, of a histogram or summary how many and their mean.
   *
   * @param whose distinguishes emitters: their series are counted apart
   */
  valuesOf(point: OtlpPoint, whose: string): Record<string, number> {
    const name = nameOf(point);
    if (point.kind === 'gauge') return { [name]: point.value };
    const delta = point.isDelta ? point : this.#since(point, whose);
    if (delta === undefined) return {};
    if (point.kind === 'sum') return { [name]: delta.value };
    if (delta.count <= 0) return {};
    return { [`${name}.count`]: delta.count, [`${name}.mean`]: delta.sum / delta.count };
  }

  #since(point: OtlpPoint, whose: string): Omit<Total, 'startMs' | 'timeMs'> | undefined {
    const key = JSON.stringify([whose, point.name, point.scope, [...point.attributes]]);
    const before = this.#totals.get(key);
    const { startMs, timeMs, value, count, sum } = point;
    // Sent or read again: a total that falls by that is no new start.
    if (before !== undefined && timeMs <= before.timeMs && startMs <= before.startMs) return undefined;
    this.#totals.set(key, { startMs, timeMs, value, count, sum });
    if (before === undefined) return undefined;
    // A new start, or a total that fell: the emitter began anew.
    const isReset = before.startMs !== startMs || count < before.count || (point.isMonotonic && value < before.value);
    if (isReset) return { value, count, sum };
    return { value: value - before.value, count: count - before.count, sum: sum - before.sum };
  }
}

function nameOf({ name, attributes }: OtlpPoint): string {
  const parts = NAMING.flatMap((attribute) => {
    const value = attributes.get(attribute);
    return typeof value === 'string' && value !== '' ? [value.slice(0, MAX_PART_CHARS)] : [];
  });
  return [name.slice(0, 160), ...parts.slice(0, 2)].join('.').slice(0, 250);
}
