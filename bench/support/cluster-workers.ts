import { join } from 'node:path';
import type { KafkaClient } from '../../src/kafka/port.js';
import { topicsOf } from '../../src/kafka/topics.js';
import { clusterSchema, type ClusterConfig } from '../../src/model/kafka-settings.js';
import { freePort } from '../../test/support/free-port.js';
import { prepareService, ServiceProcess, type ServiceSetup } from '../../test/support/service-process.js';
import { temporaryDirectory } from '../../test/support/temporary-directory.js';
import { until, type Side } from './cluster-side.js';

/** Longer than the side stands still while its input is produced. */
const SESSION_TIMEOUT_MS = 60_000;
const START_MS = 300_000;

export interface WorkersOptions {
  client: KafkaClient;
  brokers: readonly string[];
  topicPrefix: string;
  partitions: number;
  workers: number;
  /** Session timeout, ms; where what happens after a worker's end is measured. */
  sessionTimeoutMs?: number;
  /** Whether workers follow the state of what others own. */
  standby?: boolean;
}

/** What `GET /v1/status` says of the partitions that a node owns; only what is looked at here. */
interface NodeStatus {
  partitions?: Record<
    string,
    {
      log: { head: number };
      scoring: { observations: number; backlog: number };
      storing: { logBacklog: number; outboxBacklog: number };
    }
  >;
  cluster?: {
    owned?: Record<string, { publishing?: { backlog: number }; restored?: { entries: number; bytes: number } }>;
  };
}

/** What a node says of itself. */
export async function nodeStatus(node: ServiceProcess): Promise<NodeStatus> {
  // The route answers with these among others.
  return (await node.get('/v1/status')) as NodeStatus;
}

/** Whether all partitions are owned and scored by these nodes, as evenly as they can be. */
export async function isShared(nodes: readonly ServiceProcess[], partitions: number): Promise<boolean> {
  const statuses = await Promise.all(nodes.map(nodeStatus));
  const counts = statuses.map((status) => Object.keys(status.partitions ?? {}).length);
  const total = counts.reduce((sum, count) => sum + count, 0);
  return total === partitions && Math.max(...counts) - Math.min(...counts) <= 1;
}

/**
 * Whether everything that is in the topic is scored, stored in ClickHouse, and told to all. What a worker has not read yet
 * is not in its backlog, so Kafka is asked how much there is.
 */
export async function isSettled(
  nodes: readonly ServiceProcess[],
  { client, topicPrefix }: Pick<WorkersOptions, 'client' | 'topicPrefix'>,
): Promise<boolean> {
  const offsets = await client.topicOffsets(topicsOf(topicPrefix).observations);
  const missing = new Map(offsets.map(({ partition, high }) => [partition, high]));
  for (const { partitions = {}, cluster } of await Promise.all(nodes.map(nodeStatus))) {
    for (const [partition, { log, scoring, storing }] of Object.entries(partitions)) {
      if (log.head < (missing.get(Number(partition)) ?? 0)) return false;
      missing.delete(Number(partition));
      const unpublished = cluster?.owned?.[partition]?.publishing?.backlog;
      const left = [scoring.backlog, storing?.logBacklog, storing?.outboxBacklog, unpublished];
      // What is not said yet, such as of a store that is still being opened, is not done.
      if (left.some((backlog) => backlog === undefined || backlog > 0)) return false;
    }
  }
  return missing.size === 0;
}

/** The cluster's settings of the workers here. */
export function clusterSettings(
  options: Pick<WorkersOptions, 'brokers' | 'topicPrefix' | 'partitions' | 'sessionTimeoutMs' | 'standby'>,
): ClusterConfig {
  const { brokers, topicPrefix, partitions, sessionTimeoutMs, standby } = options;
  return clusterSchema.parse({
    kafka: { brokers },
    topicPrefix,
    partitions,
    replicationFactor: 1,
    groupId: `${topicPrefix}-workers`,
    sessionTimeoutMs: sessionTimeoutMs ?? SESSION_TIMEOUT_MS,
    standby: standby ?? false,
  });
}

/** Workers of one install, each a `parallax serve` of its own. */
export class ClusterWorkers implements Side {
  readonly nodes: ServiceProcess[];
  readonly #options: WorkersOptions;
  readonly #remove: () => void;

  private constructor(options: WorkersOptions, nodes: ServiceProcess[], remove: () => void) {
    this.#options = options;
    this.nodes = nodes;
    this.#remove = remove;
  }

  /** Resolves when every partition has an owner, and every worker its share. */
  static async start(options: WorkersOptions): Promise<ClusterWorkers> {
    const root = temporaryDirectory();
    let keys: ServiceSetup['keys'] | undefined;
    const starting: Promise<ServiceProcess>[] = [];
    for (let n = 1; n <= options.workers; n++) {
      const setup = await prepareNode(join(root.path, `node-${n}`), `worker-${n}`, options, keys);
      keys ??= setup.keys;
      starting.push(ServiceProcess.start(setup));
    }
    const started = await Promise.allSettled(starting);
    const nodes = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const side = new ClusterWorkers(options, nodes, () => root.remove());
    try {
      for (const each of started) if (each.status === 'rejected') throw each.reason;
      await until(() => isShared(nodes, options.partitions), 250, START_MS);
      return side;
    } catch (error) {
      await side.close();
      throw error;
    }
  }

  get pids(): number[] {
    return this.nodes.map(({ pid }) => pid);
  }

  async done(): Promise<number> {
    const owned = (await Promise.all(this.nodes.map(nodeStatus))).flatMap(({ partitions = {} }) =>
      Object.values(partitions),
    );
    if (owned.length !== this.#options.partitions) throw new Error('a partition changed its owner');
    return owned.reduce((sum, { scoring }) => sum + scoring.observations, 0);
  }

  isThrough(): Promise<boolean> {
    return isSettled(this.nodes, this.#options);
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    this.#remove();
  }
}

/** Folder and configuration of one node. @param keys of the others, since nodes ask each other with them */
export async function prepareNode(
  directory: string,
  id: string,
  options: WorkersOptions,
  keys?: ServiceSetup['keys'],
): Promise<ServiceSetup> {
  const port = await freePort();
  const settings = {
    http: { port },
    mode: 'act',
    logLevel: 'warn',
    cluster: { ...clusterSettings(options), node: { id, url: `http://127.0.0.1:${port}` } },
    // The cap on containments would stop the measurement of how fast they leave.
    respond: { caps: { commandsPerMinute: 10_000, totalCommandsPerMinute: 10_000, maxContainedShare: 1 } },
  };
  return prepareService(directory, settings, keys);
}
