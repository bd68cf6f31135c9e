import type { Measure } from '../../detect/port.js';
import { CappedStateTable, type CappedEntry } from '../../lib/capped-state-table.js';
import type { MetricObservation } from '../../model/observation.js';
import { MetricSeries, type MetricScore } from './metric-series.js';
import { newSeriesState, type SeriesState } from './series-state.js';
import type { MetricFeature } from './settings.js';

/** Name of what is measured here. */
export const METRIC_MEASURE = 'metricAnomaly';

/** Series of all agents, about 5 kB each, and how many of them are held in memory. */
const MAX_SERIES = 16_384;
const SERIES_IN_MEMORY = 4_096;
/** Series of one agent: what it reports beyond them pushes out the youngest, so that a flood of names harms only itself. */
const MAX_SERIES_OF_AGENT = 16;

interface StoredSeries extends CappedEntry {
  state: SeriesState;
}

/** Which series an agent has. Lost, it is made anew: it only keeps count. */
interface AgentNames extends CappedEntry {
  names: string[];
}

type Sample = Pick<MetricObservation, 'tenant' | 'agentId' | 'time' | 'kind' | 'values'>;

/** What the metric samples of all agents say: one series per agent and metric name. */
export class MetricStreams {
  readonly #series: CappedStateTable<StoredSeries>;
  readonly #agents: CappedStateTable<AgentNames>;
  /** Series ready for use; it lives as long as what it was made from is in memory. */
  readonly #ready = new WeakMap<StoredSeries, MetricSeries>();
  #pushedOut = 0;

  constructor(load: (key: string) => Uint8Array | undefined) {
    this.#series = new CappedStateTable({ prefix: 'metric/', cap: MAX_SERIES, inMemory: SERIES_IN_MEMORY, load });
    this.#agents = new CappedStateTable({ prefix: 'metric-names/', cap: MAX_SERIES, inMemory: SERIES_IN_MEMORY, load });
  }

  get size(): number {
    return this.#series.size;
  }

  /** Series that gave way to others. */
  get evicted(): number {
    return this.#series.evicted + this.#pushedOut;
  }

  /**
   * The most anomalous value of a sample; undefined where none is an alarm. A session's summary is no sample of a
   * series and is passed over.
   */
  measure(sample: Sample): Measure | undefined {
    if (sample.kind !== 'sample') return undefined;
    let found: { score: MetricScore; name: string; rows: number } | undefined;
    const names = Object.keys(sample.values);
    for (const name of names) {
      const entry = this.#series.get(keyOf(sample, name));
      if (entry === undefined) continue;
      const score = this.#readyOf(entry).judge(sample.time, sample.values[name] ?? 0);
      if (!score.isAlarm || (found !== undefined && found.score.nats >= score.nats)) continue;
      found = { score, name, rows: entry.state.rows };
    }
    if (found === undefined) return undefined;
    const { score, name, rows } = found;
    // So many questions are asked at once: the answer must be the more surprising (Bonferroni).
    const nats = Math.max(0, score.nats - Math.log(names.length));
    return { nats, sampleSize: rows, ...inWords(name, score) };
  }

  /** Takes the values of a sample into their series. */
  learn(sample: Sample): void {
    if (sample.kind !== 'sample') return;
    for (const name of Object.keys(sample.values)) {
      const key = keyOf(sample, name);
      const entry = this.#series.get(key) ?? this.#begin(sample, { name, key });
      this.#readyOf(entry).learn(sample.time, sample.values[name] ?? 0);
      this.#series.set(entry);
    }
  }

  forgetAgent(tenant: string, agentId: string): void {
    const agentKey = JSON.stringify([tenant, agentId]);
    for (const name of this.#agents.get(agentKey)?.names ?? []) this.#series.delete(keyOf({ tenant, agentId }, name));
    this.#agents.delete(agentKey);
  }

  /** After a restart, before anything else. @param entries everything the store holds under a prefix */
  restore(entries: (prefix: string) => Iterable<{ value: Uint8Array }>): void {
    this.#series.restore(entries('metric/'));
    this.#agents.restore(entries('metric-names/'));
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#series.drain(puts, deletes);
    this.#agents.drain(puts, deletes);
  }

  #begin(sample: Sample, { name, key }: { name: string; key: string }): StoredSeries {
    const agentKey = JSON.stringify([sample.tenant, sample.agentId]);
    const agent = this.#agents.get(agentKey) ?? { key: agentKey, changed: 0, names: [] };
    if (agent.names.length >= MAX_SERIES_OF_AGENT) {
      const youngest = this.#youngest(sample, agent.names);
      agent.names = agent.names.filter((other) => other !== youngest);
      this.#series.delete(keyOf(sample, youngest));
      this.#pushedOut++;
    }
    agent.names.push(name);
    this.#agents.set(agent);
    return { key, changed: 0, state: newSeriesState() };
  }

  #youngest(sample: Sample, names: readonly string[]): string {
    let youngest = { name: '', rows: Number.POSITIVE_INFINITY };
    for (const name of names) {
      const rows = this.#series.get(keyOf(sample, name))?.state.rows ?? 0;
      if (rows < youngest.rows) youngest = { name, rows };
    }
    return youngest.name;
  }

  #readyOf(entry: StoredSeries): MetricSeries {
    const held = this.#ready.get(entry);
    if (held !== undefined) return held;
    const series = new MetricSeries(entry.state);
    this.#ready.set(entry, series);
    return series;
  }
}

function keyOf({ tenant, agentId }: Pick<Sample, 'tenant' | 'agentId'>, name: string): string {
  return JSON.stringify([tenant, agentId, name]);
}

const SEEN: Record<MetricFeature, string> = {
  level: '',
  change: 'a step of ',
  'time of day': 'at this hour ',
  shift: 'of late ',
  spread: 'steps of late of ',
};

function inWords(name: string, { feature, observed, expected }: MetricScore): { observed: string; expected: string } {
  const seen = feature === undefined ? '' : SEEN[feature];
  return { observed: `${name}: ${seen}${shown(observed)}`, expected: `about ${shown(expected)}` };
}

function shown(value: number): string {
  return String(Number(value.toPrecision(3)));
}
