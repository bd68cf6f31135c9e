import type { ApiCounters } from './api/context.js';
import { backlogOf, type RunningParts } from './app-views.js';
import { sumRates } from './correlate/alarm-ledger.js';
import type { Clock } from './lib/clock.js';
import { packageVersion } from './lib/package-root.js';
import { COMMAND_STATES, isConfirmed, isInForce } from './model/command.js';
import type { Readiness } from './model/health.js';
import { SEVERITIES } from './model/incident.js';
import type { Notifier } from './notify/notifier.js';
import type { HostedPartition } from './observer.js';
import type { DeliveryFigures, Figures } from './telemetry/figures.js';
import type { HeartbeatSource } from './telemetry/heartbeat.js';
import type { ScoringProgress } from './telemetry/scoring-progress.js';

const ALL = Number.POSITIVE_INFINITY;

export interface FigureSources {
  parts: RunningParts;
  clock: Clock;
  progress: ScoringProgress;
  heartbeat: HeartbeatSource;
  readiness: () => Readiness;
  /** Of the API; absent before it stands. */
  api: () => ApiCounters | undefined;
  tenants: readonly string[];
}

/** Gathers the numbers of the whole process, from the same counters that `/v1/status` shows. */
export function gatherFigures(sources: FigureSources): Figures {
  const { parts, clock, progress, heartbeat, readiness } = sources;
  const { observer, telling, config } = parts;
  const { ready, draining, parts: states } = readiness();
  const nowMs = clock.now();
  const hosted = observer.hosted();
  const intake = observer.intake.counters();
  const detectors = hosted.map((one) => one.detectors.status());
  const checks = observer.checker.stats();
  return {
    version: packageVersion(),
    mode: config.mode,
    nowMs,
    isReady: ready,
    isDraining: draining,
    parts: states,
    log: { head: sum(hosted.map(({ log }) => log.head)), storedBytes: sum(hosted.map(({ log }) => log.storedBytes)) },
    scoring: {
      backlog: backlogOf(observer),
      lagMs: progress.lagMs,
      ticks: progress.through.count,
      watermarkDelayMs: watermarkDelayMs(sources, nowMs),
      ...scored(hosted),
    },
    held: held(hosted),
    evicted: { ...evicted(hosted), incidents: observer.incidents.evicted },
    intake: {
      accepted: intake.accepted,
      refused: intake.refused,
      deadLetters: intake.deadLetters,
      bytes: intake.bytes,
      pendingBytes: intake.pendingBytes,
      requestsRefused: {
        overloaded: intake.overloaded,
        log_full: intake.logFull,
        draining: sources.api()?.turnedAway ?? 0,
      },
      shedObservations: sum(intake.shed.map((shed) => shed.observations)),
      shedPayloads: sum(intake.shed.map((shed) => shed.payloads)),
    },
    detectorFailures: sum(detectors.flat().map(({ failures }) => failures)),
    detectorsDisabled: new Set(detectors.flat().flatMap(({ id, state }) => (state === 'disabled' ? [id] : []))).size,
    ...acted(sources, nowMs),
    falseAlarms: worstRates(sources),
    checks: { waiting: checks.waiting, timedOut: checks.timedOut },
    ...httpFigures(sources.api()),
    store: storeFigures(parts, nowMs),
    topics: topicFigures(parts),
    webhooks: Object.fromEntries(
      Object.entries(telling?.webhooks.status() ?? {}).map(
        ([id, { delivered, retries, failingSince }]): [string, DeliveryFigures] => [
          id,
          { delivered, retries, missed: 0, failingSince },
        ],
      ),
    ),
    mail: mailFigures(telling?.mail),
    heartbeat: { results: heartbeat.results, lastSentMs: heartbeat.lastSentMs },
  };
}

function topicFigures({ topics }: RunningParts): Figures['topics'] {
  const reports = topics?.report() ?? [];
  const by = (pick: (report: (typeof reports)[number]) => number) =>
    Object.fromEntries(reports.map((report) => [report.id, pick(report)]));
  return {
    lag: by(({ partitions }) => sum(partitions.map(({ lag }) => lag))),
    records: by(({ records }) => records),
    failed: by(({ state }) => (state === 'failed' ? 1 : 0)),
  };
}

/** How far the slowest tenant's complete event time is behind; undefined before any event. */
function watermarkDelayMs({ parts, tenants }: FigureSources, nowMs: number): number | undefined {
  const marks = parts.observer
    .hosted()
    .flatMap(({ join }) => tenants.map((tenant) => join.watermark(tenant)))
    .filter(Number.isFinite);
  return marks.length === 0 ? undefined : nowMs - Math.min(...marks);
}

function scored(hosted: readonly HostedPartition[]) {
  const all = addUp(hosted.map(({ scoring }) => ({ ...scoring.counters })));
  const of = (name: keyof HostedPartition['scoring']['counters']): number => all[name] ?? 0;
  return {
    records: of('records'),
    observations: of('observations'),
    checkpoints: of('checkpoints'),
    incidents: of('incidents'),
    sessionsLearned: of('sessionsLearned'),
    sessionsQuarantined: of('sessionsQuarantined'),
    dropped: {
      duplicate: of('duplicates'),
      late: of('late'),
      future: of('future'),
      fault: of('faults'),
      damaged: of('damaged'),
    },
  };
}

/** What memory holds. */
function held(hosted: readonly HostedPartition[]): Record<string, number> {
  return addUp(
    hosted.map(({ join, baselines }) => {
      const joined = join.stats();
      const learned = baselines.stats();
      return {
        sessions: joined.openSessions,
        windows: joined.openWindows,
        agents: joined.knownAgents,
        emitters: joined.emitters,
        baselines: learned.agents,
        metric_series: learned.metricSeries,
        quarantined_incidents: learned.incidentsInQuarantine,
      };
    }),
  );
}

/** What gave way: every cap counts. */
function evicted(hosted: readonly HostedPartition[]): Record<string, number> {
  return addUp(
    hosted.map(({ join, baselines, entitlements, responder }) => {
      const joined = join.stats();
      const learned = baselines.stats();
      const entitled = entitlements.stats();
      const commands = responder.stats();
      return {
        sessions: joined.sessionsEvicted,
        windows: joined.windowsEvicted,
        agents: joined.agentsEvicted,
        emitters: joined.emittersEvicted,
        closed_sessions: joined.closedForgotten,
        calls: joined.callsForgotten,
        baselines: learned.agentsDropped,
        baseline_sessions: learned.sessionsEvicted,
        baseline_versions: learned.versionsDropped,
        quarantine: learned.quarantineDropped,
        metric_series: learned.metricSeriesEvicted,
        entitlements: entitled.agentsEvicted,
        grants: entitled.entriesEvicted,
        commands: commands.forgotten,
        restrictions: commands.restrictionsEvicted,
      };
    }),
  );
}

/** What was decided and done, as people are shown it. */
function acted(
  { parts: { observer, config }, tenants }: FigureSources,
  nowMs: number,
): Pick<Figures, 'incidentsOpen' | 'commands' | 'commandsUnconfirmed' | 'approvalsWaiting'> {
  const commands = tenants.flatMap((tenant) => observer.commands.list({ tenant, limit: ALL }));
  const open = tenants.flatMap((tenant) => observer.incidents.list({ tenant, limit: ALL }));
  const held = tenants.flatMap((tenant) => observer.holds.list({ tenant, limit: ALL }));
  const givenOutBy = nowMs - config.respond.acknowledgeMs;
  return {
    incidentsOpen: count(
      SEVERITIES,
      open.flatMap(({ status, severity }) => (status === 'closed' ? [] : [severity])),
    ),
    commands: count(
      COMMAND_STATES,
      commands.map(({ state }) => state),
    ),
    commandsUnconfirmed: commands.filter(
      (command) => isInForce(command) && command.issuedAt < givenOutBy && !isConfirmed(command),
    ).length,
    approvalsWaiting: held.filter(({ state }) => state === 'waiting').length,
  };
}

/** By class of agents; of several tenants the one that is furthest above its budget. */
function worstRates({ parts, tenants }: FigureSources): Figures['falseAlarms'] {
  const worst = new Map<string, Figures['falseAlarms'][number]>();
  for (const rate of tenants.flatMap((tenant) =>
    sumRates(parts.observer.hosted().flatMap((one) => one.realisedRates(tenant))),
  )) {
    const { agentClass, low, budget } = rate;
    const known = worst.get(agentClass);
    if (known === undefined || low - budget > known.low - known.budget) worst.set(agentClass, rate);
  }
  return [...worst.values()];
}

function httpFigures(api: ApiCounters | undefined): Pick<Figures, 'http' | 'streamsOpened'> {
  if (api === undefined) return { http: {}, streamsOpened: 0 };
  const { requests, unauthenticated, forbidden, rejected, failed, streamsOpened } = api;
  const refused = Math.max(0, rejected - unauthenticated - forbidden);
  const answered = Math.max(0, requests - rejected - failed);
  return { http: { answered, unauthenticated, forbidden, refused, failed }, streamsOpened };
}

function storeFigures({ link, upkeeps }: RunningParts, nowMs: number): Figures['store'] {
  const engineRestarts = link.store?.embedded()?.restarts ?? 0;
  const stores = [...upkeeps.values()].map(({ storing }) => storing.status());
  const open = stores.flatMap((store) => ('logBacklog' in store ? [store] : []));
  const failing = open.flatMap(({ failingSince }) => failingSince ?? []);
  // While it is being opened nothing is stored either.
  if (link.store === undefined) failing.push(Math.min(nowMs, link.opening.since));
  return {
    isUp: failing.length === 0,
    failingSince: failing.length === 0 ? undefined : Math.min(...failing),
    logBacklog: sum(open.map(({ logBacklog }) => logBacklog)),
    outboxBacklog: sum(open.map(({ outboxBacklog }) => outboxBacklog)),
    rows: sum(open.map(({ storedRows }) => storedRows)),
    retries: sum(open.map(({ retries }) => retries)),
    refusedRows: sum(open.map(({ refusedRows }) => refusedRows)),
    lostRecords: sum(open.map(({ lostRecords }) => lostRecords)),
    engineRestarts,
  };
}

function mailFigures(mail: Notifier | undefined): DeliveryFigures | undefined {
  if (mail === undefined) return undefined;
  const { sent, retries, missed, forgotten, failingSince } = mail.status();
  return { delivered: sent, retries, missed: missed + forgotten, failingSince };
}

function count<T extends string>(names: readonly T[], found: readonly T[]): Record<string, number> {
  const counts: Record<string, number> = Object.fromEntries(names.map((name) => [name, 0]));
  for (const name of found) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** Adds counters up, name by name. */
function addUp(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const [name, value] of all.flatMap((one) => Object.entries(one))) total[name] = (total[name] ?? 0) + value;
  return total;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
