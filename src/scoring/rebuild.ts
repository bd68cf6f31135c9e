import { setImmediate } from 'node:timers/promises';
import { BaselineRegistry } from '../baseline/registry.js';
import type { RebuiltState } from '../baseline/packed-state.js';
import type { BaselineSetup } from '../baseline/port.js';
import { EventTimeJoin } from '../join/event-time-join.js';
import type { JoinOptions } from '../join/held-state.js';
import type { ClosedSession, JoinOutput } from '../join/port.js';
import type { Observation } from '../model/observation.js';
import type { ObservationFilter, ObservationHour, ObservationReads } from '../store/port.js';
import type { StatePut } from '../lib/state-table.js';

/** Observations read at once, and taken in before others have their turn. */
const PAGE = 500;
const SLICE = 64;
/** Observations between two tidyings of what is held. */
const TIDY_EVERY = 10_000;
/** Emitter of the moves of time, which no key can be named. */
const TIME_AGENT = '';

/** What a rebuild has come to. */
export interface RebuildCounts {
  observations: number;
  sessions: number;
  leftOut: number;
}

export interface RebuildOptions extends ObservationFilter {
  history: ObservationReads;
  /** Hours that have observations. */
  hours: readonly ObservationHour[];
  setup: BaselineSetup;
  join: JoinOptions;
  /** Whether a session's incident is open, or was judged true. */
  isFlagged: (session: Pick<ClosedSession, 'sessionId' | 'firstTime' | 'lastTime'>) => boolean;
  /** Event time up to which sessions are over where scoring is now, epoch ms. */
  watermark: number;
  /** Told after every page. */
  progress: (counts: RebuildCounts) => void;
  /** A person gave it up, or the service ends. */
  signal: AbortSignal;
}

/**
 * Learns an agent's stored observations again, through the join and the baselines that scoring has, and nothing of its
 * state: sessions and windows come out as they did then, and those that are flagged are left out. Works in slices, beside
 * scoring.
 *
 * @returns undefined where nothing could be learned
 * @throws whatever keeps the store from answering
 */
export async function rebuildBaseline(options: RebuildOptions): Promise<RebuiltState | undefined> {
  const { tenant, agentId, history, since, until, signal } = options;
  const filter = { tenant, agentId, since, until };
  const learner = new Learner(options);
  for (const { from } of options.hours) {
    for (let after = { minute: 0, position: 0 }; ;) {
      const page = await history.page({ ...filter, hour: from, after, limit: PAGE });
      for (let at = 0; at < page.observations.length; at += SLICE) {
        learner.take(page.observations.slice(at, at + SLICE));
        await setImmediate();
        signal.throwIfAborted();
      }
      options.progress(learner.counts);
      if (page.observations.length === 0) break;
      after = page.next;
    }
  }
  learner.finish();
  options.progress(learner.counts);
  return learner.result();
}

/** The part of scoring that learns, over one agent's observations. */
class Learner {
  readonly counts: RebuildCounts = { observations: 0, sessions: 0, leftOut: 0 };
  readonly #options: RebuildOptions;
  readonly #join: EventTimeJoin;
  readonly #registry: BaselineRegistry;
  readonly #held = new Map<string, Uint8Array>();
  /** The latest observation of each emitter: they move time in the end. */
  readonly #emitters = new Map<string, Observation>();
  #untilTidy = TIDY_EVERY;

  constructor(options: RebuildOptions) {
    this.#options = options;
    this.#join = new EventTimeJoin(options.join);
    this.#registry = new BaselineRegistry({
      ...options.setup,
      learnsOnly: true,
      limits: { maxAgents: 2, maxSessions: options.join.maxSessions },
      load: (key) => this.#held.get(key),
      entries: () => [],
    });
  }

  take(observations: readonly Observation[]): void {
    for (const observation of observations) {
      this.#emitters.set(observation.principalId, observation);
      this.#push([
        { type: 'tick', value: { now: observation.observedAt } },
        { type: 'observation', value: observation },
      ]);
    }
    this.counts.observations += observations.length;
    this.#untilTidy -= observations.length;
    if (this.#untilTidy > 0) return;
    this.#untilTidy = TIDY_EVERY;
    this.#tidy();
  }

  /** Closes what is over where scoring is now; what is still going on is learned when it ends. */
  finish(): void {
    const { watermark, join } = this.#options;
    if (!Number.isFinite(watermark)) return;
    for (const [principalId, { tenant }] of this.#emitters) {
      const time = watermark + join.outOfOrderMs;
      this.#push([{ type: 'observation', value: timeMove({ tenant, principalId, time }) }]);
    }
  }

  result(): RebuiltState | undefined {
    const { tenant, agentId } = this.#options;
    return this.#registry.published.snapshot(tenant, agentId);
  }

  #push(inputs: Parameters<EventTimeJoin['push']>[0]): void {
    for (const output of this.#join.push(inputs)) this.#learn(output);
  }

  #learn(output: JoinOutput): void {
    const { isFlagged } = this.#options;
    switch (output.type) {
      case 'observation':
        if (output.value.agentId !== TIME_AGENT) this.#registry.apply(output.value);
        return;
      case 'window': {
        const { agentId, sessionId, start, end, revision } = output.value;
        if (agentId === TIME_AGENT || revision > 0) return;
        if (!isFlagged({ ...(sessionId !== undefined && { sessionId }), firstTime: start, lastTime: end })) {
          this.#registry.learnWindow(output.value);
        }
        return;
      }
      case 'session-closed':
        return this.#close(output.value);
      case 'late':
        if (output.cause === 'session-closed') this.#registry.closeSession(output.value, 'discard');
        return;
      default:
        return;
    }
  }

  #close(closed: ClosedSession): void {
    if (closed.agentId === TIME_AGENT) return;
    const isFlagged = this.#options.isFlagged(closed);
    const { learned } = this.#registry.closeSession(closed, isFlagged ? 'discard' : 'learn');
    if (learned) this.counts.sessions++;
    if (isFlagged) this.counts.leftOut++;
  }

  /** Lets go of what is over, as a checkpoint would. */
  #tidy(): void {
    this.#join.drainChanges();
    const puts: StatePut[] = [];
    const deletes: string[] = [];
    this.#registry.drain(puts, deletes);
    // In this order: reading a put may add to the deletes.
    for (const { key, value } of puts) this.#held.set(key, value);
    for (const key of deletes) this.#held.delete(key);
  }
}

function timeMove(of: { tenant: string; principalId: string; time: number }): Observation {
  return {
    ...of,
    id: `time-${of.principalId}-${of.time}`,
    schemaVersion: 1,
    observedAt: of.time,
    agentId: TIME_AGENT,
    stream: 'metric',
    kind: 'sample',
    values: {},
  };
}
