import { packState } from '../baseline/packed-state.js';
import { DEFAULT_LEARNING, quarantineMs } from '../baseline/learning.js';
import type { BaselineSetup } from '../baseline/port.js';
import type { JoinOptions } from '../join/held-state.js';
import { BoundedMap } from '../lib/bounded-map.js';
import type { Clock } from '../lib/clock.js';
import type { Ordered, RebuildOrder, RebuildStatus } from '../model/baseline.js';
import type { Incident } from '../model/incident.js';
import type { Activation } from '../model/log-record.js';
import type { StoreQueries } from '../store/port.js';
import { flaggedSessions } from './flagged-sessions.js';
import { rebuildBaseline, type RebuildCounts } from './rebuild.js';

/** Most observations of one rebuild. */
const MAX_OBSERVATIONS = 2_000_000;
/** Stored incidents of one agent that are looked at, newest first. */
const MAX_INCIDENTS = 10_000;
/** Agents whose latest rebuild is remembered. */
const MAX_REMEMBERED = 256;
/** Beyond every event time there is; epoch ms. */
const END_OF_TIME_MS = 8_640_000_000_000_000;

export interface RebuildsOptions {
  queries: () => StoreQueries | undefined;
  setup: BaselineSetup;
  join: JoinOptions;
  /** Event time up to which a tenant's sessions are over, epoch ms. */
  watermark: (tenant: string) => number;
  /** Incidents as they are now: those that people judged just now among them. */
  incidents: (tenant: string) => readonly Incident[];
  classOf: (agentId: string) => string;
  activate: (activation: Activation) => Promise<void>;
  clock: Clock;
  maxObservations?: number;
}

/** Makes baselines anew from what is stored, one at a time, and has scoring adopt them by a record of the log. */
export class Rebuilds {
  readonly #options: RebuildsOptions;
  readonly #statuses = new BoundedMap<string, RebuildStatus>(MAX_REMEMBERED);
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: RebuildsOptions) {
    this.#options = options;
  }

  /** How far the latest rebuild of an agent is; undefined where there was none since the start. */
  status(tenant: string, agentId: string): RebuildStatus | undefined {
    return this.#statuses.peek(keyOf(tenant, agentId));
  }

  /** Begins a rebuild; `status` tells how it goes. */
  start(order: RebuildOrder): Ordered {
    const queries = this.#options.queries();
    if (queries === undefined) return STORE_AWAY;
    if (this.#running !== undefined) {
      const fix = 'wait until it is through; one is done at a time';
      return { ok: false, cause: 'busy', message: 'another baseline is being made anew', fix };
    }
    const status: RebuildStatus = {
      state: 'running',
      by: order.by,
      startedAt: this.#options.clock.now(),
      expected: 0,
      observations: 0,
      sessions: 0,
      leftOut: 0,
    };
    this.#statuses.set(keyOf(order.tenant, order.agentId), status);
    this.#running = this.#run(order, queries, status)
      .then(
        () => void (status.state = 'done'),
        (error: unknown) => {
          status.state = 'failed';
          status.message = error instanceof Error ? error.message : String(error);
        },
      )
      .finally(() => {
        this.#running = undefined;
      });
    return { ok: true, recorded: true };
  }

  /** Gives up what is under way. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the observer was stopped'));
    await this.#running;
  }

  async #run(order: RebuildOrder, queries: StoreQueries, status: RebuildStatus): Promise<void> {
    const { tenant, agentId, since, until, by, reason } = order;
    const { setup, join, watermark, classOf, activate, clock, maxObservations = MAX_OBSERVATIONS } = this.#options;
    const filter = { tenant, agentId, since: since ?? 0, until: until ?? END_OF_TIME_MS };
    const { history } = queries;
    const hours = await history.hours(filter);
    status.expected = hours.reduce((sum, { observations }) => sum + observations, 0);
    if (status.expected > maxObservations) {
      throw new Error(
        `${status.expected} observations are more than ${maxObservations}; narrow it with since and until`,
      );
    }
    const known = new Map<string, Incident>();
    for (const one of await queries.incidents({ tenant, agentId, limit: MAX_INCIDENTS })) known.set(one.id, one);
    for (const one of this.#options.incidents(tenant)) known.set(one.id, one);
    const settings = setup.learning ?? DEFAULT_LEARNING;
    const { warmUp } = settings;
    const agent = { agentId, agentClass: classOf(agentId), quarantineMs: quarantineMs(settings) };
    const rebuilt = await rebuildBaseline({
      ...filter,
      hours,
      history,
      setup,
      join,
      isFlagged: flaggedSessions([...known.values()], agent),
      watermark: watermark(tenant),
      progress: (counts: RebuildCounts) => void Object.assign(status, counts),
      signal: this.#stopping.signal,
    });
    if (rebuilt === undefined || status.sessions < warmUp.sessions) {
      const found = `${status.sessions} sessions that may be learned from`;
      throw new Error(
        `${found} are fewer than the ${warmUp.sessions} a known agent needs; the baseline stays as it is`,
      );
    }
    const { observations, sessions, leftOut } = status;
    const made = {
      observations,
      sessions,
      leftOut,
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until }),
    };
    const state = packState(rebuilt);
    await activate({ time: clock.now(), tenant, what: 'rebuild', value: '', state, made, agentId, by, reason });
  }
}

export const STORE_AWAY: Extract<Ordered, { ok: false }> = {
  ok: false,
  cause: 'store-away',
  message: 'ClickHouse, which has the history, does not answer',
  fix: 'try again; GET /v1/status says why',
};

function keyOf(tenant: string, agentId: string): string {
  return JSON.stringify([tenant, agentId]);
}
