import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { TERM } from './baseline/evidence.js';
import { MEASURES } from './baseline/measures.js';
import { loadLearning, quarantineMs } from './baseline/learning.js';
import { loadPrior } from './baseline/prior.js';
import { BaselineRegistry } from './baseline/registry.js';
import type { BaselineSetup, Budgets } from './baseline/port.js';
import type { Config } from './config.js';
import { BlastNotices } from './correlate/blast-notice.js';
import { ACTIVITY_PREFIX, type ActiveAgent } from './correlate/class-activity.js';
import { openDoors, type Doors } from './core-doors.js';
import { MAX_INCIDENTS, openViews, type Views } from './core-views.js';
import { AlarmLedger, type RealisedRate } from './correlate/alarm-ledger.js';
import { Correlator } from './correlate/correlator.js';
import type { CauseState } from './correlate/fleet-cause.js';
import { CAUSE_PREFIX } from './correlate/fleet-shifts.js';
import { PeerComparison } from './correlate/peer-comparison.js';
import { DetectorMemory } from './detect/detector-memory.js';
import type { DetectorFile } from './detect/detector-file.js';
import { tryDetectors } from './detect/folder-set.js';
import { DetectorError, type DetectorSet } from './detect/loader.js';
import { IndexedDetectorRunner } from './detect/runner.js';
import { DetectorArchive } from './detect/set-archive.js';
import { discover } from './governance/discovery.js';
import { Entitlements } from './governance/entitlements.js';
import { loadLibrary } from './governance/library-loader.js';
import { DEFAULT_CLASS, type DiscoveryQuery, type DiscoveryReport } from './governance/port.js';
import type { ReferenceLibrary } from './governance/reference-library.js';
import { EventTimeJoin } from './join/event-time-join.js';
import type { Clock } from './lib/clock.js';
import { contentPath } from './lib/package-root.js';
import { decodeState } from './lib/state-table.js';
import { EmbeddedEnvironment } from './log/embedded-environment.js';
import { EmbeddedLog } from './log/embedded-log.js';
import { EmbeddedScoringStore } from './log/embedded-scoring-store.js';
import { installSeed } from './log/install-seed.js';
import { decodeRecord, encodeRecord } from './log/record-codec.js';
import type { Command, Restriction } from './model/command.js';
import type { FleetLift } from './model/fleet-lift.js';
import type { Hold } from './model/hold.js';
import type { Incident } from './model/incident.js';
import type { LogRecord } from './model/log-record.js';
import type { OutboxEntry } from './model/effect.js';
import { Scoring, type Scored, type ScoringParts } from './pipeline.js';
import { classPolicies } from './respond/class-policy.js';
import { Holds } from './respond/holds.js';
import { Responder } from './respond/responder.js';
import { timelineEntry } from './correlate/timeline.js';

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

export interface CoreOptions {
  config: Config;
  clock: Clock;
  /** Something an operator should know. */
  notice: (message: string, facts: Record<string, unknown>) => void;
  /** The log or the scoring store failed for good: the process cannot go on. */
  failed: (error: unknown) => void;
  /** Instead of the one in the baselines folder. */
  library?: ReferenceLibrary;
  /** The data directory is thrown away in the end: nothing waits for the disk. */
  isTemporary?: boolean;
  /** Most records taken from the log at once; 64. */
  sliceRecords?: number;
  /** Longest time between two checkpoints while there is work, ms; 30,000. */
  checkpointMs?: number;
  /** Most records between two checkpoints; 20,000. */
  checkpointRecords?: number;
  scored?: (result: Scored) => void;
  windowScored?: NonNullable<ScoringParts['windowScored']>;
  sessionScored?: NonNullable<ScoringParts['sessionScored']>;
  /** Committed effects, after the core's own views took them in. */
  committed?: (entries: OutboxEntry[]) => void;
}

/**
 * Intake, log and scoring put together on the embedded log. The service, the evaluation and the detectors' own cases
 * all run on this one, so that none of them sees a pipeline of its own.
 */
export interface Core extends Doors, Omit<Views, 'apply'> {
  log: EmbeddedLog;
  store: EmbeddedScoringStore;
  scoring: Scoring;
  baselines: BaselineRegistry;
  /** What baselines are made with: so can others be that are to be like them. */
  setup: BaselineSetup;
  /** Classes of agents, what is expected of them, and the tools inventory. */
  library: ReferenceLibrary;
  entitlements: Entitlements;
  /** Declared against observed, as it is now. */
  discover: (query: DiscoveryQuery) => Promise<DiscoveryReport>;
  detectors: IndexedDetectorRunner;
  /** Absolute path of the folder with the detectors. */
  detectorsDir: string;
  /** Keeps the set's text and asks for it in the log: it is at work from that record on. */
  activateDetectors: (set: DetectorSet, files: readonly DetectorFile[]) => Promise<void>;
  join: EventTimeJoin;
  responder: Responder;
  peers: PeerComparison;
  blastNotices: BlastNotices;
  /** False alarms of a tenant's classes of agents against their budgets. */
  realisedRates: (tenant: string) => RealisedRate[];
  /** Appends records that are not observations. */
  record: (...records: LogRecord[]) => Promise<number>;
  /** Resolves when all that is in the log now has been scored and its effects are out, or scoring has failed. */
  settled: () => Promise<void>;
  close: () => Promise<void>;
}

/**
 * Opens the data directory and starts scoring.
 *
 * @throws ConfigError, DetectorError, LibraryError, LearningError, DirectoryHeldError
 */
export function openCore(options: CoreOptions): Core {
  const { config, clock, notice } = options;
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const seed = installSeed(config.dataDir);
  const baselinesDir = contentPath(config.detection.baselinesDir);
  const library = options.library ?? loadLibrary(baselinesDir);
  const prior = loadPrior(join(baselinesDir, 'prior.json'));
  const learning = loadLearning(join(baselinesDir, 'learning.yaml'));

  const environment = EmbeddedEnvironment.open({
    directory: join(config.dataDir, 'log'),
    clock,
    maxBytes: config.log.mapBytes,
    reserveBytes: config.log.reserveBytes,
    isTemporary: options.isTemporary ?? false,
  });
  const log = new EmbeddedLog(environment);
  const store = new EmbeddedScoringStore(environment);
  const load = (key: string) => store.get(key);
  const stored = (prefix: string) =>
    [...store.entries(prefix)].map(({ key, value }) => ({ key, value: decodeState(value) }));

  const join_ = new EventTimeJoin({ ...config.join, seed });
  join_.restore(stored('join/'));
  const budgets = budgetsOf(library, config.detection.falseAlarmBudget);
  const baselines = new BaselineRegistry({
    seed,
    budgets,
    prior,
    learning,
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
  const detectorsDir = contentPath(config.detection.detectorsDir);
  const archive = new DetectorArchive(join(config.dataDir, 'detector-sets'), MEASURES);
  const folder = tryDetectors(detectorsDir, MEASURES);
  const active = archive.find(memory.activeHash);
  if (folder instanceof DetectorError) {
    if (active === undefined) throw folder;
    notice('the detectors were refused; the set that was active before acts on', { problems: folder.message });
  }
  const firstSet = active ?? (folder instanceof DetectorError ? undefined : folder.set);
  if (firstSet === undefined) throw new Error('no detector set: neither the folder nor the archive has one');
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
  correlator.restore(incidents);
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

  const views = openViews({
    store,
    maxAgents: config.detection.maxAgents,
    stored: { incidents, commands, restrictions, lifts, holds: storedHolds },
  });
  const doors = openDoors({ config, clock, notice, log, seed });
  const { checker } = doors;
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
    answer: (id, answer) => checker.answer(id, answer),
    committed: (entries) => {
      views.apply(entries);
      options.committed?.(entries);
    },
    drainMore: (puts, deletes) => memory.drain(puts, deletes),
    notice,
    seen: (observation, riskNats) => views.agents.note(observation, riskNats),
    ...(options.scored === undefined ? {} : { scored: options.scored }),
    ...(options.windowScored === undefined ? {} : { windowScored: options.windowScored }),
    ...(options.sessionScored === undefined ? {} : { sessionScored: options.sessionScored }),
    detectorSet: (hash) => archive.find(hash),
  });
  const activateDetectors = async (set: DetectorSet, files: readonly DetectorFile[]): Promise<void> => {
    archive.keep(set, files);
    const activation = { time: clock.now(), tenant: '', what: 'detectors' as const, value: set.hash };
    await log.append([encodeRecord({ type: 'activation', value: activation })]);
  };
  // In the log before anything else: what is scored from here on is scored by this set, in a replay too.
  if (!(folder instanceof DetectorError) && folder.set.hash !== memory.activeHash) {
    activateDetectors(folder.set, folder.files).catch(options.failed);
  }
  let isScoring = true;
  scoring.start((error) => {
    isScoring = false;
    options.failed(error);
  });

  return {
    log,
    store,
    ...doors,
    scoring,
    baselines,
    setup: { seed, budgets, prior, learning },
    library,
    entitlements,
    discover: (query) =>
      discover(
        {
          library,
          baselines,
          grants: entitlements,
          heard: views.agents,
          incidents: (tenant) => views.incidents.list({ tenant, limit: MAX_INCIDENTS }),
          clock,
        },
        query,
      ),
    detectors,
    detectorsDir,
    activateDetectors,
    join: join_,
    ...views,
    responder,
    peers,
    blastNotices,
    realisedRates: (tenant) => {
      const { standard, classes } = budgets;
      return alarms.rates(
        tenant,
        library.classes.map((name) => ({ name, budget: classes.get(name) ?? standard })),
      );
    },
    record: (...records) => log.append(records.map(encodeRecord)),
    settled: () => settled(log, scoring, () => isScoring),
    close: async () => {
      await scoring.stop();
      await log.close();
      store.close();
      await environment.close();
    },
  };
}

/** Waits for scoring to reach the log's present end; gives up when scoring has failed, since it never will. */
async function settled(log: EmbeddedLog, scoring: Scoring, isScoring: () => boolean): Promise<void> {
  const head = log.head;
  while (scoring.effectsPosition <= head && isScoring()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function timelineAt(log: EmbeddedLog, position: number) {
  if (position < log.tail) return [];
  const [entry] = log.read(position, 1);
  if (entry === undefined || entry.type !== 'observation') return [];
  const record = decodeRecord(entry);
  return record.type === 'observation' ? [timelineEntry(record.value)] : [];
}

/** The budget of a class is its profile's, where that asks for one. */
function budgetsOf(library: ReferenceLibrary, standard: number): Budgets {
  const of = (agentId: string) => library.profileOf(agentId).falseAlarmBudget ?? standard;
  return { standard, classes: library.falseAlarmBudgets(), of };
}
