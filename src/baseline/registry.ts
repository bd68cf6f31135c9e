import type { Assessment, Measure, WindowMeasures } from '../detect/port.js';
import type { GovernanceFacts } from '../governance/port.js';
import type { Snapshot } from '../lib/journaled-table.js';
import { decodeState, StateTable } from '../lib/state-table.js';
import type { CallObservation, MetricObservation, Observation } from '../model/observation.js';
import type { Window } from '../model/window.js';
import type { Activation } from '../model/log-record.js';
import { AdoptedProfiles, type StoredProfile } from './adopted-profiles.js';
import { Agents, type StoredChange } from './agents.js';
import { Assessor } from './assessor.js';
import { sumOf } from './evidence.js';
import { callsPerMinute } from './call-rates.js';
import type { CallFact, SessionRecord } from './facts.js';
import { FactReader } from './fact-reader.js';
import { finishedSession, PACKAGE_KIND, withHabits } from './finished-session.js';
import { Habits } from './habits.js';
import { History, type StoredPast } from './history.js';
import { DEFAULT_LEARNING, quarantineMs, type Learning } from './learning.js';
import { OpenSessions, type SessionKey } from './open-sessions.js';
import type {
  AgentUsage,
  CallNovelty,
  ClosedResult,
  LearningMode,
  RegistryOptions,
  RegistryStats,
  SessionOutcome,
  Threshold,
} from './port.js';
import { KeptVersions, type StoredVersions } from './kept-versions.js';
import { METRIC_MEASURE, MetricStreams } from './metric-series/metric-streams.js';
import { noveltyOf } from './novelty.js';
import { PublishedVersions } from './published-versions.js';
import { Quarantine, type HeldIncident, type HeldSession } from './quarantine.js';
import { recordOf } from './session-record.js';
import { SessionState, type PlainSession } from './session-state.js';
import { Thresholds } from './thresholds.js';

/**
 * What is normal, for all agents: assesses observations, follows sessions, learns from closed ones, calibrates.
 *
 * Call `assess` before `apply`. Holds no clock; the same calls in the same order give the same state, and a restart
 * between two of them changes nothing.
 */
export class BaselineRegistry {
  readonly settings: Learning;
  /** What was published of each agent, and the ways back to it. */
  readonly published: PublishedVersions;
  /** What is learned here for other partitions, and what was taken up from them. */
  readonly profiles: AdoptedProfiles;
  readonly #options: RegistryOptions;
  readonly #reader: FactReader;
  readonly #agents: Agents;
  readonly #sessions: OpenSessions;
  readonly #history: History;
  readonly #quarantine: Quarantine;
  readonly #thresholds: Thresholds;
  readonly #assessor: Assessor;
  readonly #learning: StateTable<LearningMode>;
  readonly #habits: Habits;
  readonly #kept: KeptVersions;
  readonly #metrics: MetricStreams;
  /** The latest call that was read: `apply` mostly follows `assess` of the same observation. */
  #latest: { observation: Observation; session: SessionState; call: CallFact; riskNats: number } | undefined;
  readonly #packageKind: number;
  #discarded = 0;
  #unreviewed = 0;

  constructor(options: RegistryOptions) {
    const { seed, budgets, prior, limits, load, learning = DEFAULT_LEARNING } = options;
    this.#options = options;
    this.settings = learning;
    this.#reader = new FactReader(seed);
    this.#packageKind = this.#reader.name(PACKAGE_KIND);
    this.#history = new History(learning.history, load, (tenant, agentId) => this.#agents.isWarm(tenant, agentId));
    this.#agents = new Agents({
      maxAgents: limits.maxAgents,
      learning,
      peersOf: options.peersOf ?? (() => ''),
      load,
      onDrop: (tenant, agentId) => {
        this.#history.forgetAgent(tenant, agentId);
        this.#habits.forget(tenant, agentId);
        this.#kept.forgetAgent(tenant, agentId);
      },
    });
    this.#sessions = new OpenSessions({ maxSessions: limits.maxSessions, load });
    this.#quarantine = new Quarantine(load, learning.quarantine);
    this.profiles = new AdoptedProfiles({ ...options, agents: this.#agents, learning });
    this.#thresholds = new Thresholds({
      learning,
      adopted: this.profiles,
      budgets,
      models: prior,
      agents: this.#agents,
      history: this.#history,
      load,
    });
    this.#assessor = new Assessor(this.#agents, this.#reader, prior);
    this.#learning = new StateTable({ prefix: 'learning/', capacity: TENANTS_IN_MEMORY, load });
    this.#habits = new Habits(load, learning);
    this.#kept = new KeptVersions(load);
    this.#metrics = new MetricStreams(load);
    this.published = new PublishedVersions({
      agents: this.#agents,
      history: this.#history,
      thresholds: this.#thresholds,
      habits: this.#habits,
      kept: this.#kept,
      learning: (tenant) => this.learning(tenant),
    });
  }

  /** After a restart, before anything else: finds out what the store holds. */
  restore(): void {
    // Only this class writes under these prefixes.
    this.#agents.restore(
      this.#stored('agent/') as Iterable<Snapshot>,
      this.#stored('agent-change/') as Iterable<StoredChange[]>,
    );
    this.#sessions.restore(this.#stored('session/') as Iterable<PlainSession>);
    this.#history.restore(this.#stored('history/') as Iterable<StoredPast>);
    this.#quarantine.restore(this.#stored('quarantine/') as Iterable<HeldIncident>);
    this.#kept.restore(this.#stored('kept-versions/') as Iterable<StoredVersions>);
    this.#metrics.restore(this.#options.entries);
    this.profiles.restore(this.#stored('adopted-profile/') as Iterable<StoredProfile>);
  }

  learning(tenant: string): LearningMode {
    return this.#learning.get(tenant) ?? 'on';
  }

  setLearning(tenant: string, mode: LearningMode): void {
    this.#learning.set(tenant, mode);
  }

  /** Lets go of what is known of an agent, as an erasure wants it; where it goes on, it is a new one. */
  forget(tenant: string, agentId: string): void {
    this.profiles.forgetAgent(tenant, agentId);
    this.#sessions.forgetAgent(tenant, agentId);
    this.published.forget(tenant, agentId);
    this.#metrics.forgetAgent(tenant, agentId);
    this.#latest = undefined;
  }

  /** Agents of a tenant that have a baseline, in order of their names. */
  agents(tenant: string): string[] {
    return this.#agents.of(tenant);
  }

  /** What the learned sessions of an agent used; undefined for an agent without baseline. Changes nothing. */
  usage(tenant: string, agentId: string): AgentUsage | undefined {
    const baseline = this.#agents.peek(tenant, agentId);
    if (baseline === undefined) return undefined;
    const tools = new Map<string, number>();
    let unnamedTools = 0;
    for (const [hash, sessions] of baseline.tools.entries()) {
      const name = baseline.names.get(hash);
      if (name === undefined) unnamedTools++;
      else tools.set(name, sessions);
    }
    return { sessions: baseline.sessions, tools, unnamedTools };
  }

  /**
   * What the baselines say about an observation. A call has measures and terms the first time it is seen, as attempt
   * or as audit record; its second observation and all other kinds have none.
   *
   * `session.contained` is false here: the caller knows and fills it in.
   */
  assess(observation: Observation, governance?: GovernanceFacts): Assessment {
    const session = this.#sessions.find(observation) ?? newSession(observation);
    const assessment = this.#assessor.assess(observation, session, this.#callOf(observation, session), governance);
    if (this.#latest?.observation === observation) this.#latest.riskNats = sumOf(assessment.terms);
    withHabits(assessment, session, this.#habits);
    return observation.stream === 'metric' ? this.#withMetrics(assessment, observation) : assessment;
  }

  /** What of a call the user did not name; call it between `assess` and `apply`, and only where it is needed. */
  novelty(observation: CallObservation): CallNovelty {
    const session = this.#sessions.find(observation) ?? newSession(observation);
    const call = this.#callOf(observation, session);
    if (call === undefined) return { targets: [], words: [] };
    return noveltyOf(call, this.#agents.read(observation.tenant, observation.agentId), session.scoring);
  }

  /** Agents of a tenant that are known well enough to be judged. */
  knownAgents(tenant: string): number {
    return this.#agents.countWarm(tenant);
  }

  /** Takes the observation into the session's state. */
  apply(observation: Observation): void {
    const session = this.#sessions.change(observation);
    session.apply(observation, this.#reader, this.#callOf(observation, session));
    if (this.#latest?.observation === observation) session.activity.risk(this.#latest.riskNats);
    this.#latest = undefined;
    if (observation.stream === 'metric' && this.learning(observation.tenant) !== 'frozen')
      this.#metrics.learn(observation);
  }

  /**
   * Ends a session and learns from it, or not. Calibrates where that is due.
   *
   * @param at `extraNats`: risk from signals other than the calls' own, part of what the threshold is calibrated on;
   *   `nowMs`: processing time, epoch ms, from which a quarantine counts
   */
  closeSession(
    key: SessionKey,
    outcome: SessionOutcome,
    { extraNats, nowMs }: { extraNats: number; nowMs: number } = { extraNats: 0, nowMs: 0 },
  ): ClosedResult {
    const { tenant, agentId } = key;
    const session = this.#sessions.close(key);
    if (session === undefined || session.trace.isEmpty) return NOT_LEARNED;
    const mode = this.learning(tenant);
    const record = recordOf(session.trace.facts);
    const finished = finishedSession(session, record, {
      own: this.#agents.read(tenant, agentId),
      packageKind: this.#packageKind,
    });
    const isVouched = mode === 'vouched';
    const isLearned = isVouched || (mode === 'on' && outcome === 'learn');
    // What was flagged has had its alarm; what is vouched for is no drift.
    const isTested = !isVouched && outcome === 'learn';
    const measures = isTested ? this.#habits.testDrift(finished, isLearned) : NOTHING_MEASURED;
    const { features } = finished;
    const baselineVersion = this.#agents.read(tenant, agentId).version;
    const facts = isTested ? { features, measures, emitters: session.allEmitters(), baselineVersion } : undefined;
    const held: HeldSession = { tenant, agentId, facts: session.trace.facts, extraNats, finished };
    if (isLearned) {
      this.#learn(held, record, isVouched);
      const calibrated = this.#calibrateIfDue(tenant, session.latest);
      const publicationDue = this.#agents.read(tenant, agentId).sessions % this.settings.publish.everySessions === 0;
      return { learned: true, calibrated, publicationDue, finished: facts };
    }
    if (typeof outcome === 'object') this.#quarantine.hold(outcome.quarantine, held, nowMs);
    else this.#discarded++;
    return { ...NOT_LEARNED, finished: facts };
  }

  /**
   * A verdict on an incident: its sessions and windows are learned or discarded.
   *
   * @param nowMs when, epoch ms
   * @returns sessions learned
   */
  release(incidentId: string, learn: boolean, nowMs = 0): number {
    const { sessions, windows } = this.#quarantine.release(incidentId);
    for (const { tenant, agentId, ...rate } of windows) {
      if (learn && this.learning(tenant) !== 'frozen') this.#agents.learnRate(tenant, agentId, rate);
    }
    const learned = sessions.filter(({ tenant }) => learn && this.learning(tenant) !== 'frozen');
    this.#discarded += sessions.length - learned.length;
    for (const session of learned) this.#learn(session, recordOf(session.facts), false);
    for (const tenant of new Set(learned.map((session) => session.tenant))) this.#calibrateIfDue(tenant, nowMs);
    return learned.length;
  }

  /** Discards sessions whose incident nobody judged in time. @returns sessions discarded */
  expireQuarantine(nowMs: number): number {
    const dropped = this.#quarantine.expire(nowMs, quarantineMs(this.settings));
    this.#discarded += dropped;
    this.#unreviewed += dropped;
    return dropped;
  }

  /** Recomputes a tenant's thresholds now. @param time epoch ms @returns false where nothing was learned yet */
  calibrate(tenant: string, time = 0): boolean {
    const isDone = this.#thresholds.calibrate(tenant);
    if (isDone) this.published.keepTenant(tenant, time);
    return isDone;
  }

  /**
   * Takes up what other partitions have learned of a class: new agents lean on it, thresholds rest on it.
   *
   * @returns false where it is not for here, is there already, or the tenant learns nothing now
   * @throws RangeError where it is damaged
   */
  adoptProfile(order: Activation): boolean {
    if (this.learning(order.tenant) === 'frozen' || !this.profiles.adopt(order)) return false;
    this.#thresholds.recalibrate(order.tenant);
    return true;
  }

  threshold(tenant: string, agentId: string): Threshold {
    return this.#thresholds.of(tenant, agentId);
  }

  /** One sentence for people: which budget the tenant's history supports. */
  promise(tenant: string): string {
    return this.#thresholds.promise(tenant);
  }

  /** What the baselines say about a joined window: its call rate. */
  callRate(window: Window): WindowMeasures {
    const { callRates, version } = this.#agents.read(window.tenant, window.agentId);
    const rate = callsPerMinute(window);
    const nats = callRates.surprise(rate, window.start);
    const usual = callRates.usual(window.start);
    const measure: Measure = {
      nats,
      sampleSize: usual.windows,
      observed: nats > 0 ? `${rate.toFixed(1)} calls a minute` : '',
      expected: nats > 0 ? `about ${usual.centre.toFixed(1)} a minute` : '',
    };
    return { measures: new Map([['callRate', measure]]), baselineVersion: version };
  }

  /** Learns the call rate of a closed window, or not. @param nowMs processing time, from which a quarantine counts */
  learnWindow(window: Window, outcome: SessionOutcome = 'learn', nowMs = 0): void {
    const { tenant, agentId, start } = window;
    const mode = this.learning(tenant);
    const rate = { rate: callsPerMinute(window), rateAt: start };
    if (mode === 'vouched') this.#agents.learnRate(tenant, agentId, { ...rate, rateVouched: true });
    else if (typeof outcome === 'object')
      this.#quarantine.holdWindow(outcome.quarantine, { tenant, agentId, ...rate }, nowMs);
    else if (mode === 'on' && outcome === 'learn') this.#agents.learnRate(tenant, agentId, rate);
  }

  /** Adds everything that changed since the last call, to be written in one transaction with the position. */
  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#sessions.drain(puts, deletes);
    this.#agents.drain(puts, deletes);
    this.#history.drain(puts, deletes);
    this.#quarantine.drain(puts, deletes);
    this.#thresholds.drain(puts, deletes);
    this.#learning.drain(puts, deletes);
    this.#habits.drain(puts, deletes);
    this.#kept.drain(puts, deletes);
    this.#metrics.drain(puts, deletes);
    this.profiles.drain(puts, deletes);
  }

  stats(): RegistryStats {
    return {
      agents: this.#agents.size,
      agentsDropped: this.#agents.dropped,
      openSessions: this.#sessions.size,
      sessionsEvicted: this.#sessions.evicted,
      sessionsDiscarded: this.#discarded,
      sessionsUnreviewed: this.#unreviewed,
      incidentsInQuarantine: this.#quarantine.size,
      quarantineDropped: this.#quarantine.dropped,
      versionsKept: this.#kept.size,
      versionBytes: this.#kept.bytes,
      versionsDropped: this.#kept.dropped,
      metricSeries: this.#metrics.size,
      metricSeriesEvicted: this.#metrics.evicted,
    };
  }

  #withMetrics(assessment: Assessment, observation: MetricObservation): Assessment {
    const measure = this.#metrics.measure(observation);
    if (measure !== undefined) assessment.measures = new Map([...assessment.measures, [METRIC_MEASURE, measure]]);
    return assessment;
  }

  #calibrateIfDue(tenant: string, time: number): boolean {
    const isDone = this.#options.learnsOnly !== true && this.#thresholds.calibrateIfDue(tenant);
    if (isDone) this.published.keepTenant(tenant, time);
    return isDone;
  }

  #learn({ finished, ...session }: HeldSession, record: SessionRecord, isVouched: boolean): void {
    const { tenant, agentId } = session;
    const isNewlyWarm = this.#agents.learn(tenant, agentId, record);
    const peers = this.#agents.peersOf(agentId);
    this.#history.add(peers === '' ? session : { ...session, peers }, this.#agents.read(tenant, agentId).changes);
    if (finished !== undefined) this.#habits.learn(finished, isVouched);
    if (!isNewlyWarm) return;
    // What it did while it was unknown counts for its neighbours from now on.
    for (const { facts, peers: earlier = '' } of this.#history.warmUp(tenant, agentId)) {
      this.#agents.pools.learn(tenant, { record: recordOf(facts), peers: earlier });
    }
  }

  #callOf(observation: Observation, session: SessionState): CallFact | undefined {
    if (observation.kind !== 'tool_attempt' && observation.kind !== 'tool_call') return undefined;
    const latest = this.#latest;
    if (latest?.observation === observation && latest.session === session) return latest.call;
    const call = this.#reader.call(observation, session.provenance);
    this.#latest = { observation, session, call, riskNats: 0 };
    return call;
  }

  *#stored(prefix: string): Generator {
    for (const { value } of this.#options.entries(prefix)) yield decodeState(value);
  }
}

const NOTHING_MEASURED: ReadonlyMap<string, Measure> = new Map();
const NOT_LEARNED: ClosedResult = { learned: false, calibrated: false, publicationDue: false, finished: undefined };
/** Tenants whose learning mode is held in memory. */
const TENANTS_IN_MEMORY = 1_024;

function newSession({ tenant, agentId, sessionId = '' }: Observation): SessionState {
  return new SessionState({ tenant, agentId, sessionId });
}
