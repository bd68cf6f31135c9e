import type { ClusterConfig } from '../model/kafka-settings.js';
import type { TopicSpec } from './port.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MIB = 1024 * 1024;
/** One call stays one batch: the largest request of intake (`http.maxBodyBytes`), and what is derived from it. */
const MAX_BATCH_BYTES = 24 * MIB;
const COMMAND_EVENT_DAYS = 90;

/** Names of the topics of an install. */
export interface TopicNames {
  /** The log: what all nodes take in, by agent. */
  observations: string;
  /** Changelog of the scoring state of each partition of the log. */
  state: string;
  /** What was decided, in one order for all nodes. */
  commandEvents: string;
  /** What each agent is restricted in now. */
  commands: string;
  /** Each incident as it stands. */
  incidents: string;
  /** Small facts that all nodes share: owners, public keys, epochs. */
  nodes: string;
  /** What each partition has learned of each class of agents, for the others. */
  profiles: string;
}

/** @param prefix `cluster.topicPrefix` */
export function topicsOf(prefix: string): TopicNames {
  return {
    observations: `${prefix}.observations`,
    state: `${prefix}.state`,
    commandEvents: `${prefix}.command-events`,
    commands: `${prefix}.commands`,
    incidents: `${prefix}.incidents`,
    nodes: `${prefix}.nodes`,
    profiles: `${prefix}.profiles`,
  };
}

/** A topic as it should be. */
export interface WantedTopic extends TopicSpec {
  kind: keyof TopicNames;
}

/** All topics as they should be, with the settings that promises rest on. */
export function wantedTopics(cluster: ClusterConfig): WantedTopic[] {
  const { partitions, replicationFactor } = cluster;
  const names = topicsOf(cluster.topicPrefix);
  // What is acknowledged is on two machines, and one of three may be away.
  const safety = {
    'min.insync.replicas': String(replicationFactor >= 3 ? 2 : 1),
    'unclean.leader.election.enable': 'false',
    'max.message.bytes': String(MAX_BATCH_BYTES),
  };
  const compacted = { ...safety, 'cleanup.policy': 'compact' };
  const make = (kind: keyof TopicNames, count: number, config: Record<string, string>): WantedTopic => ({
    kind,
    topic: names[kind],
    partitions: count,
    replicationFactor,
    config,
  });
  return [
    make('observations', partitions, {
      ...safety,
      'cleanup.policy': 'delete',
      'retention.ms': String(cluster.retentionHours * HOUR_MS),
    }),
    make('state', partitions, {
      ...compacted,
      // Longer than a change of owner takes: who restores must see what the owner before wrote, deletions included.
      'min.compaction.lag.ms': String(DAY_MS),
      'delete.retention.ms': String(DAY_MS),
      'segment.ms': String(DAY_MS),
      'segment.bytes': String(128 * MIB),
    }),
    make('commandEvents', 1, {
      ...safety,
      'cleanup.policy': 'delete',
      'retention.ms': String(COMMAND_EVENT_DAYS * DAY_MS),
    }),
    make('commands', 1, compacted),
    make('incidents', 1, compacted),
    make('nodes', 1, { ...compacted, 'segment.ms': String(HOUR_MS), 'min.cleanable.dirty.ratio': '0.01' }),
    // Whoever begins to lead reads all of it, and every contribution replaces a large one.
    make('profiles', 1, { ...compacted, 'segment.ms': String(HOUR_MS), 'segment.bytes': String(128 * MIB) }),
  ];
}
