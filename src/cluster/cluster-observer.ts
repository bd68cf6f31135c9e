import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Owners } from '../api/port.js';
import { ConfigError, type Config } from '../config.js';
import { openDoors } from '../core-doors.js';
import { loadShared } from '../core-shared.js';
import { MAX_INCIDENTS, openViews } from '../core-views.js';
import { discover } from '../governance/discovery.js';
import { KafkaConnection } from '../kafka/client.js';
import { partitionOf } from '../kafka/partitioner.js';
import { topicsOf } from '../kafka/topics.js';
import type { Clock } from '../lib/clock.js';
import { encodeRecord } from '../log/record-codec.js';
import type { OutboxEntry } from '../model/effect.js';
import type { Observer } from '../observer.js';
import type { Epochs, SigningKeys } from '../signing/port.js';
import { awaitTopics } from './await-topics.js';
import { AudienceEpochs } from './audience-epochs.js';
import { destinationOf } from './destination.js';
import { joinInstall } from './install.js';
import { JournalOutbox } from './journal-outbox.js';
import { LeaseDesk } from './lease-desk.js';
import { ProfileExchange } from './profile-exchange.js';
import { Registry } from './registry.js';
import { RoutedLog } from './routed-log.js';
import { SharedDetectors } from './shared-detectors.js';
import { SharedView } from './shared-view.js';
import { publishedByAll } from './published-keys.js';
import { Workers } from './workers.js';

export interface ClusterOptions {
  config: Config;
  env: NodeJS.ProcessEnv;
  clock: Clock;
  notice: (message: string, facts: Record<string, unknown>) => void;
  /** Effects that left an outbox of a partition that is scored here. */
  committed?: (entries: readonly OutboxEntry[]) => void;
  /** This process cannot go on. */
  failed: (error: unknown) => void;
}

/** What a node of a cluster has beside what every observer has. */
export interface ClusterObserver extends Observer {
  cluster: () => Record<string, unknown>;
  owners: Owners;
  epochs: Epochs;
  /** The keys of this node, published together with those of all others. */
  publishKeys: (own: SigningKeys) => Promise<SigningKeys>;
}

/**
 * One node of a cluster over Kafka. Resolves when it has read what all nodes share; partitions come when the group of the
 * workers assigns them.
 *
 * @throws ConfigError, LibraryError, LearningError, and an error of Kafka's that waiting cannot help
 */
export async function openClusterObserver(options: ClusterOptions): Promise<ClusterObserver> {
  const { config, env, clock, notice, failed } = options;
  const { cluster } = config;
  if (cluster === undefined) throw new ConfigError('cluster: is not set');
  if (config.keys.length === 0) {
    throw new ConfigError(
      'keys: are needed in a cluster; give all nodes the same, since they ask each other with them',
    );
  }
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const nodeId = cluster.node.id ?? hostname();
  const run = randomUUID();
  const topics = topicsOf(cluster.topicPrefix);
  const client = new KafkaConnection(cluster.kafka, {
    env,
    compression: cluster.compression,
    log: (level, message, facts) => {
      if (level === 'warn' || level === 'error') notice(message, { ...facts });
    },
  });
  try {
    await awaitTopics(client, Object.values(topics), notice);
  } catch (error) {
    await client.close();
    throw error;
  }
  let detectors: SharedDetectors | undefined;
  const registry = new Registry({ client, topic: topics.nodes, changed: (key) => detectors?.changed(key) });
  const effects = new JournalOutbox(registry);
  const shared = loadShared(config);
  detectors = new SharedDetectors(registry, shared.archive);

  const views = openViews({
    store: { outbox: () => [], outboxHead: 0, checkpointOutboxHead: 0 },
    maxAgents: config.detection.maxAgents,
    stored: { incidents: [], commands: [], restrictions: [], lifts: [], holds: [] },
  });
  let leases: LeaseDesk | undefined;
  let isShown = false;
  const view = new SharedView({
    client,
    topics,
    groupId: `${cluster.groupId}-node-${nodeId}-${run}`,
    sessionTimeoutMs: cluster.sessionTimeoutMs,
    registry,
    told: (entries, position) => {
      effects.apply(entries, position);
      leases?.apply(entries);
      if (isShown) views.apply([...entries]);
    },
    notice,
    failed,
  });
  try {
    const atStart = await view.caughtUp();
    views.incidents.restore(atStart.incidents.sort((a, b) => a.updatedAt - b.updatedAt));
    views.commands.restore({ commands: [], restrictions: atStart.restrictions }, 0, []);
    views.apply(effects.outbox(0, Number.MAX_SAFE_INTEGER));
    isShown = true;
    const install = await joinInstall(registry, clock);
    const log = new RoutedLog(client, topics.observations, cluster.partitions);
    const doors = openDoors({ config, clock, notice, log, seed: install.seed });
    leases = new LeaseDesk({
      partitions: cluster.partitions,
      caps: config.respond.caps,
      run,
      clock,
      log,
      notice,
    });
    leases.apply(effects.outbox(0, Number.MAX_SAFE_INTEGER));
    const workers = new Workers({
      config,
      cluster,
      nodeId,
      run,
      clock,
      client,
      topics,
      registry,
      seed: install.seed,
      shared,
      log,
      detectors,
      effects,
      answer: (id, answer) => doors.checker.answer(id, answer),
      seen: (observation, riskNats) => views.agents.note(observation, riskNats),
      committed: (entries) => options.committed?.(entries),
      notice,
      failed,
    });
    const desk = leases;
    let probing: Promise<unknown> | undefined;
    /** Where no time is written anywhere, Kafka is asked for something else: whoever waits for it must hear that it is back. */
    const probe = async (): Promise<void> => {
      probing ??= client.admin.brokers().finally(() => (probing = undefined));
      await probing;
    };
    workers.onLeading(() => {
      desk.lead();
      return async () => desk.stop();
    });
    const { caps } = shared.learning;
    const profiles = new ProfileExchange({
      client,
      topic: topics.profiles,
      groupId: `${cluster.groupId}-profiles-${nodeId}-${run}`,
      sessionTimeoutMs: cluster.sessionTimeoutMs,
      partitions: cluster.partitions,
      cadence: cluster.profiles,
      limits: { entries: caps.peerCounts, requests: caps.requests },
      seed: install.seed,
      clock,
      log,
      hosted: () => workers.hosted(),
      notice,
    });
    workers.onHosted((partition) => profiles.begin(partition));
    workers.onLeading(() => profiles.lead());
    const { library, detectorsDir, folder } = shared;
    const observer: ClusterObserver = {
      ...doors,
      ...views,
      seed: install.seed,
      library,
      detectorsDir,
      detectorsHash: () => folder?.set.hash ?? '',
      activateDetectors: async (set, files) => {
        await detectors.share(set, files);
        await observer.record({
          type: 'activation',
          value: { time: clock.now(), tenant: '', what: 'detectors', value: set.hash },
        });
      },
      hosted: () => workers.hosted(),
      partitionOf: (tenant, agentId) => workers.partition(partitionOf(tenant, agentId, cluster.partitions)),
      onHosted: (begin) => workers.onHosted(begin),
      onLeading: (begin) => workers.onLeading(begin),
      discover: (query) => {
        const hosted = workers.hosted();
        const here = (agentId: string) => workers.partition(partitionOf(query.tenant, agentId, cluster.partitions));
        return discover(
          {
            library,
            baselines: {
              agents: (tenant) => hosted.flatMap(({ baselines }) => [...baselines.agents(tenant)]),
              usage: (tenant, agentId) => here(agentId)?.baselines.usage(tenant, agentId),
            },
            grants: {
              agents: (tenant) => hosted.flatMap(({ entitlements }) => [...entitlements.agents(tenant)]),
              grantsOf: (tenant, agentId) => here(agentId)?.entitlements.grantsOf(tenant, agentId) ?? [],
            },
            heard: views.agents,
            incidents: (tenant) => views.incidents.list({ tenant, limit: MAX_INCIDENTS }),
            clock,
          },
          query,
        );
      },
      record: async (...records) => {
        for (const record of records) {
          const destination = destinationOf(record, views);
          const raw = encodeRecord(record);
          if (destination === 'everywhere') await log.appendTo(allOf(cluster.partitions), raw);
          else await log.append([{ ...raw, key: destination.key }]);
        }
      },
      tick: async () => {
        const own = workers.hosted().map(({ partition }) => partition);
        if (own.length === 0) return probe();
        await log.appendTo(own, encodeRecord({ type: 'tick', value: { now: clock.now() } }));
      },
      startedAt: atStart.position,
      cluster: () => ({
        nodeId,
        kafka: client.health,
        ...view.status(),
        ...workers.status(),
        leases: desk.standing(),
        profiles: profiles.status(),
      }),
      logUnansweredMs: () => client.health.unansweredMs,
      owners: {
        urlOf: (tenant, agentId) => workers.urlOf(partitionOf(tenant, agentId, cluster.partitions)),
      },
      epochs: new AudienceEpochs(registry, install, { nodeId, run }),
      publishKeys: (own) => publishedByAll(registry, nodeId, own, clock),
      close: async () => {
        await workers.stop();
        await view.stop();
        await client.close();
      },
    };
    if (cluster.roles.includes('worker')) workers.start();
    return observer;
  } catch (error) {
    await view.stop();
    await client.close();
    throw error;
  }
}

function allOf(partitions: number): number[] {
  return Array.from({ length: partitions }, (_, partition) => partition);
}
