import { TERM } from './baseline/evidence.js';
import { quarantineMs } from './baseline/learning.js';
import { BaselineRegistry } from './baseline/registry.js';
import type { BaselineSetup } from './baseline/port.js';
import type { Config } from './config.js';
import type { SharedParts } from './core-shared.js';
import { BlastNotices } from './correlate/blast-notice.js';
import { ACTIVITY_PREFIX, type ActiveAgent } from './correlate/class-activity.js';
import { MAX_INCIDENTS, type StoredViews } from './core-views.js';
import { AlarmLedger, type RealisedRate } from './correlate/alarm-ledger.js';
import { Correlator, ORDER_PREFIX, type IncidentPlace } from './correlate/correlator.js';
import type { CauseState } from './correlate/fleet-cause.js';
import { CAUSE_PREFIX } from './correlate/fleet-shifts.js';
import { PeerComparison } from './correlate/peer-comparison.js';
import { timelineEntry } from './correlate/timeline.js';
import { DetectorMemory } from './detect/detector-memory.js';
import { IndexedDetectorRunner } from './detect/runner.js';
import { Entitlements } from './governance/entitlements.js';
import { DEFAULT_CLASS } from './governance/port.js';
import { EventTimeJoin } from './join/event-time-join.js';
import type { Clock } from './lib/clock.js';
import { decodeState } from './lib/state-table.js';
import type { Log, ScoringStore } from './log/port.js';
import { decodeRecord } from './log/record-codec.js';
import type { PartitionPlace } from './model/allowance.js';
import type { Command, Restriction } from './model/command.js';
import type { OutboxEntry } from './model/effect.js';
import type { FleetLift } from './model/fleet-lift.js';
import type { Hold } from './model/hold.js';
import type { Incident } from './model/incident.js';
import { Scoring, type ScoringParts } from './pipeline.js';
import { classPolicies } from './respond/class-policy.js';
import { Holds } from './respond/holds.js';
import { Responder } from './respond/responder.js';

/** Records scored at once; small, so that a check never waits behind a long slice. */
const SLICE_RECORDS = 64;
/** The join gives up the oldest session first and says so: a baseline that forgot it before could not learn it. */
const SESSION_ROOM = 1.25;
/** Longest time between checkpoints under load: most of what changes in it changes again, and is written once. */
const CHECKPOINT_MS = 30_000;
/** Scored again in some seconds after a crash. */
const CHECKPOINT_RECORDS = 20_000;
/** Longest rest between two moves of effects into the outbox, ms: people wait for what was found in it. */
const MAX_EFFECTS_REST_MS = 1_000;

export interface ScoringCoreOptions extends Partial<
  Pick<
    ScoringParts,
    'sliceRecords' | 'checkpointMs' | 'checkpointRecords' | 'scored' | 'windowScored' | 'sessionScored' | 'seen'
  >
> {
  config: Config;
  clock: Clock;
  /** Something an operator should know. */
  notice: (message: string, facts: Record<string, unknown>) => void;
  /** The log or the scoring store failed for good: scoring cannot go on. */
  failed: (error: unknown) => void;
  /** The log of one partition, and what scoring has made of it so far. */
  log: Log;
  store: ScoringStore;
  /** Which partition it is, of how many; the only one where it is left out. */
  place?: PartitionPlace;
  /** Per-install secret, 32 bit: keys every hash that is derived from content. */
  seed: number;
  shared: SharedParts;
  /** Nothing waits for the disk. */
  isTemporary?: boolean;
  answer: ScoringParts['answer'];
  /** Committed effects, in order. */
  committed: (entries: OutboxEntry[]) => void;
}

/** Scoring of one partition's log, put together. */
export interface ScoringCore {
  scoring: Scoring;
  baselines: BaselineRegistry;
  /** What baselines are made with: so can others be that are to be like them. */
  setup: BaselineSetup;
  entitlements: Entitlements;
  detectors: IndexedDetectorRunner;
  /** Hash of the detector set that the log activated last; empty before the first. */
  activeSet: string;
  join: EventTimeJoin;
  responder: Responder;
  peers: PeerComparison;
  blastNotices: BlastNotices;
  /** What the last checkpoint holds of what people are shown. */
  stored: StoredViews;
  /** False alarms of a tenant's classes of agents against their budgets. */
  realisedRates: (tenant: string) => RealisedRate[];
  start: () => void;
  /** Resolves when all that is in the log now has been scored and its effects are out, or scoring has failed. */
  settled: () => Promise<void>;
}

/** Builds scoring from what the store holds. It reads nothing before `start`. */
export function openScoringCore(options: ScoringCoreOptions): ScoringCore {
  const { config, clock, notice, log, store, seed, shared } = options;
  const { library, prior, learning, budgets } = shared;
  const load = (key: string) => store.get(key);
  const stored = (prefix: string) =>
    [...store.entries(prefix)].map(({ key, value }) => ({ key, value: decodeState(value) }));

  const join_ = new EventTimeJoin({ ...config.join, seed });
  join_.restore(stored('join/'));
  const baselines = new BaselineRegistry({
    seed,
    budgets,
    prior,
    learning,
    ...(options.place === undefined ? {} : { place: options.place }),
    peersOf: (agentId) => {
      const name = library.classOf(agentId);
      return name === DEFAULT_CLASS ? '' : name;
    },
    limits: {
      maxAgents: config.detection.maxAgents,
      maxSessions: Math.ceil(config.join.maxSessions * SESSION_ROOM),
    },
    load,
    entries: (prefix) => store.entries(prefix),
  });
  baselines.restore();
  const entitlements = new Entitlements({
    library,
    maxAgents: config.detection.maxAgents,
    load,
    entries: (prefix) => store.entries(prefix),
  });
  entitlements.restore();

  const memory = new DetectorMemory();
  memory.restore((prefix) => store.entries(prefix));
  const firstSet = shared.setAtStart(memory.activeHash, notice);
  const detectors = new IndexedDetectorRunner({
    set: firstSet,
    memory,
    onFailure: (detectorId, error, disabled) =>
      notice('a detector failed', { detectorId, error: String(error), disabled }),
  });

  const alarms = new AlarmLedger(load);
  const classOf = (agentId: string) => library.classOf(agentId);
  const correlator = new Correlator({
    capacity: config.join.maxSessions,
    maxIncidents: MAX_INCIDENTS,
    load,
    timeline: (positions) => positions.flatMap((position) => timelineAt(log, position)),
  });
  // Under these prefixes lies what the correlator and the responder put there.
  const incidents = stored('incident/').map(({ value }) => value as Incident);
  const commands = stored('command/').map(({ value }) => value as Command);
  const restrictions = stored('restriction/').map(({ value }) => value as Restriction);
  correlator.restore(
    incidents,
    stored(ORDER_PREFIX).map(({ value }) => value as IncidentPlace),
  );
  const peers = new PeerComparison({
    ...config.fleet,
    openMs: quarantineMs(learning),
    maxAgents: config.detection.maxAgents,
    classOf,
    unclassed: DEFAULT_CLASS,
    labels: TERM,
    correlator,
  });
  // Only peer comparison writes under these prefixes.
  peers.restore(
    stored(ACTIVITY_PREFIX).map(({ value }) => value as ActiveAgent),
    stored(CAUSE_PREFIX).map(({ value }) => value as CauseState),
  );
  const blastNotices = new BlastNotices(load);
  const responder = new Responder({
    mode: config.mode,
    ...config.respond,
    ...(options.place === undefined ? {} : { place: options.place }),
    classOf,
    policyOf: classPolicies(config.respond, (agentId) => library.profileOf(agentId)),
    knownAgents: (tenant) => baselines.knownAgents(tenant),
    load,
  });
  const lifts = stored('fleet-lift/').map(({ value }) => value as FleetLift);
  responder.restore(commands, lifts);

  const holds = new Holds({ ...config.approvals, load });
  const storedHolds = stored('hold/').map(({ value }) => value as Hold);
  holds.restore(storedHolds);

  const scoring = new Scoring({
    log,
    store,
    join: join_,
    baselines,
    entitlements,
    detectors,
    correlator,
    alarms,
    classOf,
    peers,
    blastNotices,
    responder,
    holds,
    clock,
    mode: config.mode,
    checkpointMs: options.checkpointMs ?? CHECKPOINT_MS,
    checkpointRecords: options.checkpointRecords ?? CHECKPOINT_RECORDS,
    // The clock of a trial leaps, so that a move seems to have taken a day; and it writes to no disk.
    maxEffectsRestMs: options.isTemporary === true ? 0 : MAX_EFFECTS_REST_MS,
    sliceRecords: options.sliceRecords ?? SLICE_RECORDS,
    answer: options.answer,
    committed: options.committed,
    drainMore: (puts, deletes) => memory.drain(puts, deletes),
    notice,
    ...(options.seen === undefined ? {} : { seen: options.seen }),
    ...(options.scored === undefined ? {} : { scored: options.scored }),
    ...(options.windowScored === undefined ? {} : { windowScored: options.windowScored }),
    ...(options.sessionScored === undefined ? {} : { sessionScored: options.sessionScored }),
    detectorSet: (hash) => shared.archive.find(hash),
  });
  let isScoring = true;
  return {
    scoring,
    baselines,
    setup: { seed, budgets, prior, learning },
    entitlements,
    detectors,
    activeSet: memory.activeHash,
    join: join_,
    responder,
    peers,
    blastNotices,
    stored: { incidents, commands, restrictions, lifts, holds: storedHolds },
    realisedRates: (tenant) => {
      const { standard, classes } = budgets;
      return alarms.rates(
        tenant,
        library.classes.map((name) => ({ name, budget: classes.get(name) ?? standard })),
      );
    },
    start: () =>
      scoring.start((error) => {
        isScoring = false;
        options.failed(error);
      }),
    settled: () => settled(log, scoring, () => isScoring),
  };
}

/** Waits for scoring to reach the log's present end; gives up when scoring has failed, since it never will. */
async function settled(log: Log, scoring: Scoring, isScoring: () => boolean): Promise<void> {
  const head = log.head;
  while (scoring.effectsPosition <= head && isScoring()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function timelineAt(log: Log, position: number) {
  if (position < log.tail) return [];
  const [entry] = log.read(position, 1);
  if (entry === undefined || entry.position !== position || entry.type !== 'observation') return [];
  const record = decodeRecord(entry);
  return record.type === 'observation' ? [timelineEntry(record.value)] : [];
}
