import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { BoundedMap } from '../lib/bounded-map.js';
import type { OutboxEntry } from '../model/effect.js';
import type { CheckAnswer } from '../model/wire.js';
import type { Figures } from './figures.js';
import { METRIC_TABLE, type MetricRow, type Reading } from './metric-table.js';

/** Values of one label beyond this are counted together: a folder of detectors may be large, a scrape must not be. */
const MAX_LABEL_VALUES = 500;
const REST = 'other';
const MAX_KNOWN_INCIDENTS = 50_000;
/** Gauges of the library that are named as counters are; the same is there by type under other names. */
const MISNAMED = ['nodejs_active_resources_total', 'nodejs_active_handles_total', 'nodejs_active_requests_total'];
/** Half of what the target of 10 ms allows, up to the deadline of the slowest gateways. */
const CHECK_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export interface MetricsOptions {
  figures: () => Figures;
  /** Class of an agent, by name; classes are configured. */
  classOf: (agentId: string) => string;
  /** Also numbers of the process: memory, CPU, event loop. */
  withProcess: boolean;
}

/**
 * Metrics in the text format of Prometheus. What is read from the service is read when it is asked for; what can only be
 * counted as it happens is counted here. Labels hold what this program or its configuration says, and nothing that came
 * with a record: a flood of invented agents adds no series.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #options: MetricsOptions;
  readonly #signals: Counter;
  readonly #incidents: Counter;
  readonly #commandEvents: Counter;
  readonly #checks: Counter;
  readonly #checkSeconds: Histogram;
  readonly #detectors = new Set<string>();
  /** Incidents that are not closed: the next effect about one of them opens none. */
  readonly #known = new BoundedMap<string, true>(MAX_KNOWN_INCIDENTS);
  /** Read once for all metrics of one scrape. */
  #figures: Figures | undefined;

  constructor(options: MetricsOptions) {
    this.#options = options;
    const registers = [this.#registry];
    for (const row of METRIC_TABLE) this.#register(row);
    this.#signals = new Counter({
      name: 'parallax_signals_total',
      help: 'Signals of detectors that left scoring.',
      labelNames: ['detector'],
      registers,
    });
    this.#incidents = new Counter({
      name: 'parallax_incidents_total',
      help: 'Incidents opened, by severity at the opening and class of the agent.',
      labelNames: ['severity', 'agent_class'],
      registers,
    });
    this.#commandEvents = new Counter({
      name: 'parallax_command_events_total',
      help: 'Steps in the lives of commands, by the state they led to.',
      labelNames: ['state'],
      registers,
    });
    this.#checks = new Counter({
      name: 'parallax_checks_total',
      help: 'Answers to gateways that asked, by decision.',
      labelNames: ['answer'],
      registers,
    });
    this.#checkSeconds = new Histogram({
      name: 'parallax_check_duration_seconds',
      help: 'From the question to the answer, within this process.',
      buckets: CHECK_BUCKETS_SECONDS,
      registers,
    });
    if (!options.withProcess) return;
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
  }

  /** Incidents that were open at the start are not opened again. */
  knows(incidentIds: Iterable<string>): void {
    for (const id of incidentIds) this.#known.set(id, true);
  }

  /** Committed effects, in order. */
  took(entries: readonly OutboxEntry[]): void {
    for (const { effect } of entries) {
      if (effect.type === 'signal') this.#signals.inc({ detector: this.#detector(effect.value.detectorId) });
      else if (effect.type === 'command-event') this.#commandEvents.inc({ state: effect.value.state });
      else if (effect.type === 'incident') {
        const { id, status, severity, agentId } = effect.value;
        const isNew = this.#known.get(id) === undefined;
        if (isNew && status !== 'closed') {
          this.#incidents.inc({ severity, agent_class: this.#options.classOf(agentId) });
          this.#known.set(id, true);
        }
        if (status === 'closed') this.#known.delete(id);
      }
    }
  }

  /** A gateway was answered. */
  checked(answer: CheckAnswer['decision'], seconds: number): void {
    this.#checks.inc({ answer });
    this.#checkSeconds.observe(seconds);
  }

  async expose(): Promise<{ contentType: string; text: string }> {
    this.#figures = this.#options.figures();
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  #register({ name, help, type, labels = [], read }: MetricRow): void {
    const now = (): Reading => read(this.#figures ?? this.#options.figures());
    const common = { name, help, labelNames: [...labels], registers: [] };
    const metric =
      type === 'gauge'
        ? new Gauge({
            ...common,
            collect() {
              clear(this);
              for (const [of, value] of rows(now())) this.set(of, value);
            },
          })
        : new Counter({
            ...common,
            collect() {
              clear(this);
              for (const [of, value] of rows(now())) this.inc(of, value);
            },
          });
    this.#registry.registerMetric(metric);
  }

  #detector(id: string): string {
    if (!this.#detectors.has(id) && this.#detectors.size >= MAX_LABEL_VALUES) return REST;
    this.#detectors.add(id);
    return id;
  }
}

/** Every metric that is not in the table, for documents and their tests. */
export const COUNTED_METRICS = [
  'parallax_signals_total',
  'parallax_incidents_total',
  'parallax_command_events_total',
  'parallax_checks_total',
  'parallax_check_duration_seconds',
] as const;

/** The library leaves a 0 where there are no labels; what is not known shall not be shown as one. */
function clear(metric: { reset(): void; remove(labels: Record<string, string>): void }): void {
  metric.reset();
  metric.remove({});
}

function rows(reading: Reading): readonly (readonly [Record<string, string>, number])[] {
  if (reading === undefined) return [];
  return (typeof reading === 'number' ? [[{}, reading] as const] : reading).filter(([, value]) =>
    Number.isFinite(value),
  );
}
