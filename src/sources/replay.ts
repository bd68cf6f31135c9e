import type { Refusal, WireObservation } from '../model/wire.js';
import { callGateway, type CallResult } from './gateway-caller.js';
import { waitUntilScored } from './learn.js';
import { mergeByTime } from './merge.js';
import { ObserverClient } from './observer-client.js';
import type { RecordedToolCall } from './recorded-event.js';
import { readRecordedSteps, toStep, type RecordedStep, type Speaker } from './recorded-session.js';
import { judge, percentile, readLabels, type ReplayReport, type SessionOutcome, type Stop } from './replay-report.js';

/** Keys under which a replay speaks. The gateway speaks to the observer under a key of its own. */
export interface ReplayKeys {
  agentRuntime: string;
  governance: string;
  platform: string;
  /** For calls at the gateway. */
  caller: string;
  /** For listing incidents (role viewer); without it, alarms are known only where the gateway was told of them. */
  viewer?: string;
}

export interface ReplayProgress {
  events: number;
  sessions: number;
  stopped: number;
  elapsedMs: number;
}

/** A call that was not executed because of the observation. */
export interface PlayedCall {
  agentId: string;
  sessionId: string;
  tool: string;
  timeMs: number;
  how: Stop;
  result: CallResult;
}

export interface ReplayOptions {
  observerUrl: string;
  gatewayUrl: string;
  keys: ReplayKeys;
  /** Recordings, each ordered by time. */
  files: readonly string[];
  /** Read only after everything was played. */
  labelsFiles?: readonly string[];
  /** Times as fast as recorded, or as fast as it goes. */
  speed: number | 'max';
  /** The mode the gateway was started in; for the report, and for what counts as a stop. */
  enforce: 'hold' | 'subscribe' | 'none';
  onProgress?: (progress: ReplayProgress) => void;
  /** Told of every call that the observation stopped. */
  onStop?: (stopped: PlayedCall) => void;
  /** Plays only these sessions. */
  sessions?: ReadonlySet<string>;
  /** Ends the replay early; what was played is reported. */
  signal?: AbortSignal;
  fetch?: typeof globalThis.fetch;
  sleep?: (ms: number) => Promise<void>;
  /** Monotonic, ms. */
  elapsedMs?: () => number;
}

/** Most records posted at once. */
const BATCH = 64;
const PROGRESS_EVERY_MS = 1_000;
/** The observer lists so many incidents at once, so they are gathered along the way. */
const INCIDENTS_AT_ONCE = 1_000;
const EVENTS_BETWEEN_LISTS = 1_000;
const SCORED_LIMIT_MS = 60_000;

/**
 * Plays recorded sessions live, in the order of event time over all files: what agents, governance and machines said
 * goes to the observer, every call goes to the gateway.
 *
 * A call is made only after everything before it is acknowledged by the observer. A session whose call is refused
 * because of the observation ends there: the agent was stopped. A call that the recorded gateway's own policy refused
 * ends nothing; the recorded agent knew of it and went on.
 *
 * @throws ReplayError, RecordedDataError
 */
export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  return new Replay(options).run();
}

class Replay {
  readonly #options: ReplayOptions;
  readonly #fetch: typeof globalThis.fetch;
  readonly #sleep: (ms: number) => Promise<void>;
  readonly #elapsedMs: () => number;
  readonly #observer: ObserverClient;
  readonly #outcomes = new Map<string, SessionOutcome>();
  readonly #latenciesMs: number[] = [];
  readonly #refusals: Refusal[] = [];
  #pending: { speaker: Speaker; observations: WireObservation[] }[] = [];
  #events = 0;
  #calls = 0;
  #executed = 0;
  #timedOut = 0;
  #unanswered = 0;
  #stopped = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#fetch = options.fetch ?? globalThis.fetch;
    this.#sleep = options.sleep ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)));
    this.#elapsedMs = options.elapsedMs ?? (() => performance.now());
    this.#observer = new ObserverClient({ url: options.observerUrl, fetch: this.#fetch, sleep: this.#sleep });
  }

  async run(): Promise<ReplayReport> {
    const { files, sessions, signal, onProgress } = this.#options;
    const startMs = this.#elapsedMs();
    let firstTimeMs: number | undefined;
    let reportedMs = startMs;
    for await (const step of mergeByTime(files.map((file) => readRecordedSteps(file)))) {
      if (signal?.aborted === true) break;
      const { sessionId } = step.event;
      if (sessions !== undefined && !sessions.has(sessionId)) continue;
      const outcome = this.#outcomeOf(sessionId);
      if (outcome.stopped !== undefined) continue;
      firstTimeMs ??= step.timeMs;
      await this.#pace(step.timeMs - firstTimeMs, startMs);
      this.#events++;
      await this.#play(step, outcome);
      if (this.#events % EVENTS_BETWEEN_LISTS === 0) await this.#collectIncidents();
      if (onProgress !== undefined && this.#elapsedMs() - reportedMs >= PROGRESS_EVERY_MS) {
        reportedMs = this.#elapsedMs();
        onProgress(this.#progress(startMs));
      }
    }
    await this.#flush();
    const playedMs = this.#elapsedMs() - startMs;
    onProgress?.(this.#progress(startMs));
    await this.#settle();
    return this.#report(playedMs);
  }

  async #play(step: RecordedStep, outcome: SessionOutcome): Promise<void> {
    if (step.event.type === 'tool_call') {
      await this.#flush();
      await this.#call(step.event, outcome);
      return;
    }
    const last = this.#pending.at(-1);
    if (last?.speaker === step.speaker) last.observations.push(...step.observations);
    else this.#pending.push({ speaker: step.speaker, observations: [...step.observations] });
    const waiting = this.#pending.reduce((sum, { observations }) => sum + observations.length, 0);
    if (waiting >= BATCH || this.#options.speed !== 'max') await this.#flush();
  }

  async #flush(): Promise<void> {
    const { agentRuntime, governance, platform } = this.#options.keys;
    const keys = { 'agent-runtime': agentRuntime, governance, platform, gateway: '' };
    for (const { speaker, observations } of this.#pending.splice(0)) {
      this.#refusals.push(...(await this.#observer.post(observations, keys[speaker])));
    }
  }

  async #call(event: RecordedToolCall, outcome: SessionOutcome): Promise<void> {
    const { gatewayUrl, keys } = this.#options;
    const result = await callGateway({ url: gatewayUrl, key: keys.caller, fetch: this.#fetch }, callRequestOf(event));
    this.#calls++;
    if (result.source === 'observer' || result.source === 'posture') {
      if (result.latencyMs !== undefined) this.#latenciesMs.push(result.latencyMs);
      if (result.timedOut) this.#timedOut++;
      if (result.source === 'posture') this.#unanswered++;
    }
    if (result.incidentId !== undefined) outcome.incidentIds.add(result.incidentId);
    if (result.executed) {
      this.#executed++;
      outcome.executed.add(event.seq);
      return;
    }
    const how = stopOf(result);
    if (how === undefined) return;
    outcome.stopped = { seq: event.seq, how, reason: result.reason };
    this.#stopped++;
    const { agentId, sessionId, tool, ts } = event;
    this.#options.onStop?.({ agentId, sessionId, tool, timeMs: Date.parse(ts), how, result });
  }

  async #pace(recordedMs: number, startMs: number): Promise<void> {
    const { speed } = this.#options;
    if (speed === 'max') return;
    const dueMs = recordedMs / speed - (this.#elapsedMs() - startMs);
    if (dueMs > 0) await this.#sleep(dueMs);
  }

  /** What was played last may not be scored yet. */
  async #settle(): Promise<void> {
    const { viewer } = this.#options.keys;
    if (viewer === undefined) return;
    const wait = { key: viewer, limitMs: SCORED_LIMIT_MS, sleep: this.#sleep, elapsedMs: this.#elapsedMs };
    await waitUntilScored(this.#observer, wait);
    await this.#collectIncidents();
  }

  async #collectIncidents(): Promise<void> {
    const { viewer } = this.#options.keys;
    if (viewer === undefined) return;
    for (const { id, sessionId } of await this.#observer.incidents(viewer, INCIDENTS_AT_ONCE)) {
      if (sessionId !== undefined) this.#outcomes.get(sessionId)?.incidentIds.add(id);
    }
  }

  #outcomeOf(sessionId: string): SessionOutcome {
    const known = this.#outcomes.get(sessionId);
    if (known !== undefined) return known;
    const outcome: SessionOutcome = { sessionId, executed: new Set(), incidentIds: new Set() };
    this.#outcomes.set(sessionId, outcome);
    return outcome;
  }

  #progress(startMs: number): ReplayProgress {
    return {
      events: this.#events,
      sessions: this.#outcomes.size,
      stopped: this.#stopped,
      elapsedMs: this.#elapsedMs() - startMs,
    };
  }

  #report(elapsedMs: number): ReplayReport {
    const { enforce, speed, labelsFiles } = this.#options;
    const labels = labelsFiles === undefined || labelsFiles.length === 0 ? undefined : readLabels(labelsFiles);
    const sorted = this.#latenciesMs.sort((a, b) => a - b);
    return {
      enforce,
      speed,
      sessions: this.#outcomes.size,
      events: this.#events,
      calls: this.#calls,
      callsExecuted: this.#executed,
      recordsRefused: this.#refusals.length,
      elapsedMs,
      eventsPerSecond: elapsedMs > 0 ? (1000 * this.#events) / elapsedMs : 0,
      ...judge([...this.#outcomes.values()], labels),
      latency: {
        count: sorted.length,
        p50: percentile(sorted, 0.5),
        p90: percentile(sorted, 0.9),
        p99: percentile(sorted, 0.99),
        max: percentile(sorted, 1),
        timedOut: this.#timedOut,
        unanswered: this.#unanswered,
      },
    };
  }
}

/** The recorded call as the agent would have made it: without what only the recorded gateway knew of its outcome. */
function callRequestOf(event: RecordedToolCall): Record<string, unknown> {
  const [call] = toStep(event).observations;
  if (call?.kind !== 'tool_call') throw new TypeError('a recorded call is a tool_call');
  const { time, agentId, sessionId, callId, seq, tool, effect, args, targets } = call;
  return { time, agentId, sessionId, callId, seq, tool, effect, args, targets };
}

/** How the observation stopped the call; undefined when it was the gateway's own policy. */
function stopOf({ refusedBy, restriction }: CallResult): Stop | undefined {
  if (refusedBy === 'command') return restriction === 'revoke-session' ? 'revoked' : 'frozen';
  if (refusedBy === 'hold' || refusedBy === 'person') return 'held';
  if (refusedBy === 'posture') return 'unanswered';
  return refusedBy === 'observer' ? 'denied' : undefined;
}
