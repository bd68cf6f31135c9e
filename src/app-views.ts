import { keyHint } from './api/first-keys.js';
import type { BaselineBoard } from './api/port.js';
import type { Config } from './config.js';
import type { ConsoleSources } from './console/port.js';
import type { DetectorReloader } from './detect/reloader.js';
import type { Clock } from './lib/clock.js';
import { sumRates } from './correlate/alarm-ledger.js';
import { isInForce } from './model/command.js';
import type { Ordered } from './model/baseline.js';
import type { Principal } from './model/principal.js';
import type { HostedPartition, Observer } from './observer.js';
import type { PartitionUpkeep } from './partition-upkeep.js';
import type { StoreLink } from './store/store-link.js';
import type { Telling } from './telling.js';
import type { TopicIntake } from './topic-intake.js';

/** What runs, for those who show it. */
export interface RunningParts {
  observer: Observer;
  link: StoreLink;
  upkeeps: Map<HostedPartition, PartitionUpkeep>;
  /** Absent where another process tells people and gateways. */
  telling: Telling | undefined;
  topics: TopicIntake | undefined;
  config: Config;
}

/** Outbox sequences up to which those beside storing have read a partition's effects. */
export function toldUpTo({ telling }: RunningParts, hosted: HostedPartition): number[] {
  if (telling?.effects !== hosted.store || telling.mail === undefined) return [];
  return [telling.mail.cursor];
}

/** What the page shows. */
export function consoleSources(parts: RunningParts, clock: Clock): ConsoleSources {
  const { observer, config } = parts;
  return {
    ...observer,
    thresholdNats: (tenant, agentId) =>
      observer.partitionOf(tenant, agentId)?.baselines.threshold(tenant, agentId).nats ?? Number.POSITIVE_INFINITY,
    classOf: (_tenant, agentId) => observer.library.classOf(agentId),
    health: () => {
      const stores = [...parts.upkeeps.values()].map(({ storing }) => storing.status());
      const open = stores.filter((store) => 'logBacklog' in store);
      const failing = open.flatMap(({ failingSince }) => failingSince ?? []);
      return {
        mode: config.mode,
        scoringBacklog: backlogOf(observer),
        storeBacklog:
          open.length < stores.length
            ? undefined
            : open.reduce((sum, { logBacklog, outboxBacklog }) => sum + logBacklog + outboxBacklog, 0),
        ...(failing.length === 0 ? {} : { storeFailingSince: Math.min(...failing) }),
      };
    },
    clock,
    keyHint: keyHint(config),
  };
}

/** Baselines of the agents that are scored here; of others nothing is known here. */
export function baselineBoard(parts: RunningParts): BaselineBoard {
  const deskOf = (tenant: string, agentId: string) => {
    const hosted = parts.observer.partitionOf(tenant, agentId);
    return hosted === undefined ? undefined : parts.upkeeps.get(hosted)?.desk;
  };
  const elsewhere: Ordered = {
    ok: false,
    cause: 'busy',
    message: 'the agent is not scored here now',
    fix: 'ask again in a moment: its partition is on its way from one process to another',
  };
  return {
    features: async (filter) => deskOf(filter.tenant, filter.agentId)?.features(filter),
    kept: (tenant, agentId) => deskOf(tenant, agentId)?.kept(tenant, agentId) ?? [],
    archived: async (tenant, agentId) => deskOf(tenant, agentId)?.archived(tenant, agentId),
    restore: async (order) => deskOf(order.tenant, order.agentId)?.restore(order) ?? elsewhere,
    rebuild: (order) => deskOf(order.tenant, order.agentId)?.rebuild(order) ?? elsewhere,
    rebuildStatus: (tenant, agentId) => deskOf(tenant, agentId)?.rebuildStatus(tenant, agentId),
  };
}

/** What `/v1/status` shows: what came in, how far each reader is, what was lost to whom, what detectors do. */
export function statusOf(parts: RunningParts, reloader: DetectorReloader): Record<string, unknown> {
  const { observer, link, telling, config } = parts;
  const partitions = observer.hosted().map((hosted) => [hosted.partition, partitionStatus(parts, hosted)] as const);
  const [only] = partitions;
  return {
    mode: config.mode,
    falseAlarmBudget: config.detection.falseAlarmBudget,
    intake: observer.intake.counters(),
    otlp: observer.otlp.counters(),
    mappings: observer.mappings.status(),
    topics: parts.topics?.report() ?? [],
    ...(observer.cluster === undefined && only !== undefined
      ? only[1]
      : { partitions: Object.fromEntries(partitions) }),
    ...(observer.cluster === undefined ? {} : { cluster: observer.cluster() }),
    incidents: { forgotten: observer.incidents.evicted },
    checks: observer.checker.stats(),
    detectorSet: { active: observer.detectorsHash(), ...reloader.status() },
    notify: { mail: telling?.mail?.status() ?? 'off' },
    webhooks: telling?.webhooks.status() ?? {},
    clickhouse: link.store?.embedded() ?? { url: config.clickhouse.url },
    memory: { residentBytes: process.memoryUsage.rss() },
  };
}

function partitionStatus({ upkeeps, observer }: RunningParts, hosted: HostedPartition): Record<string, unknown> {
  const { log, store, scoring, join, baselines, entitlements, responder, peers, blastNotices, detectors } = hosted;
  const upkeep = upkeeps.get(hosted);
  return {
    log: { head: log.head, tail: log.tail, storedBytes: log.storedBytes },
    scoring: {
      position: scoring.position - 1,
      // Scored, with all effects in the outbox; and with the state, from which a restart goes on.
      effects: scoring.effectsPosition - 1,
      checkpoint: store.nextPosition - 1,
      backlog: log.head - scoring.effectsPosition + 1,
      ...scoring.counters,
    },
    join: join.stats(),
    baselines: { ...baselines.stats(), archive: upkeep?.desk.archiveStatus() },
    entitlements: entitlements.stats(),
    fleet: { ...peers.stats(), ...blastNotices.stats() },
    commands: { ...responder.stats(), forgottenByView: observer.commands.evicted },
    detectors: detectors.status(),
    storing: upkeep?.storing.status(),
  };
}

/** What somebody sees who does not oversee the install: nothing that other tenants' traffic or the host would show. */
export function tenantStatusOf({ observer, config }: RunningParts, { tenant }: Principal): Record<string, unknown> {
  const incidents = observer.incidents.list({ tenant, limit: Number.POSITIVE_INFINITY });
  const commands = observer.commands.list({ tenant, limit: Number.POSITIVE_INFINITY });
  return {
    mode: config.mode,
    falseAlarmBudget: config.detection.falseAlarmBudget,
    tenant,
    agents: observer.hosted().reduce((sum, { baselines }) => sum + baselines.agents(tenant).length, 0),
    openIncidents: incidents.filter(({ status }) => status !== 'closed').length,
    commandsInForce: commands.filter(isInForce).length,
    proposals: commands.filter(({ state, dryRun }) => state === 'proposed' && !dryRun).length,
    scoring: { backlog: backlogOf(observer) },
  };
}

/** What false-alarm budget the history supports, and what came of it. */
export function promisesOf(observer: Observer, tenant: string): Record<string, unknown> {
  const hosted = observer.hosted();
  const [only] = hosted;
  if (observer.cluster === undefined && only !== undefined) {
    return { promise: only.baselines.promise(tenant), falseAlarms: only.realisedRates(tenant) };
  }
  return {
    promises: Object.fromEntries(hosted.map(({ partition, baselines }) => [partition, baselines.promise(tenant)])),
    falseAlarms: sumRates(hosted.flatMap((one) => one.realisedRates(tenant))),
  };
}

/** Records that are in the logs and not scored yet. */
export function backlogOf(observer: Observer): number {
  return observer.hosted().reduce((sum, { log, scoring }) => sum + log.head - scoring.effectsPosition + 1, 0);
}
