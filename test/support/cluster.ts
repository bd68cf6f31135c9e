import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../src/config.js';
import type { KafkaConnection } from '../../src/kafka/client.js';
import { initTopics } from '../../src/kafka/init-topics.js';
import type { ClusterConfig } from '../../src/model/kafka-settings.js';
import { EmbeddedClickHouse, type EmbeddedOptions } from '../../src/store/embedded/supervisor.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { connectTo, uniqueName } from './kafka/connect.js';
import { prepareService, ServiceProcess, type ServiceSetup } from './service-process.js';

const CLICKHOUSE_PASSWORD = 'CLUSTER_CLICKHOUSE_PASSWORD';
const START_MS = 60_000;

export interface TestClusterOptions {
  directory: string;
  brokers: readonly string[];
  partitions?: number;
  replicationFactor?: number;
  /** Settings of every node, over the generated ones. */
  settings?: Record<string, unknown>;
  cluster?: Partial<ClusterConfig>;
  /** The same makes hashes and ids of two clusters the same. */
  seed?: number;
  storeOptions?: Partial<EmbeddedOptions>;
  /** Without a store of their own nodes have nothing to store into. */
  withStore?: boolean;
}

/** A node of a cluster, stopped or running. */
export interface TestNode {
  id: string;
  setup: ServiceSetup;
  service: ServiceProcess;
}

/** What the status of a node says of its partitions, as far as tests look at it. */
export interface NodeStatus {
  partitions: Record<string, { log: { head: number }; scoring: Record<string, number>; storing?: StoringStatus }>;
  cluster: { nodeId: string; generation: number; owners: Record<string, { nodeId: string }> };
  checks: Record<string, number>;
  intake: Record<string, number>;
}

interface StoringStatus {
  logPosition?: number;
  outboxSequence?: number;
  outboxBacklog?: number;
  refusedRows?: number;
  lostRecords?: number;
  lastError?: string;
}

/** Several nodes as processes over one Kafka, and one ClickHouse for all of them. */
export class TestCluster {
  readonly prefix = uniqueName('cluster');
  readonly partitions: number;
  readonly kafka: KafkaConnection;
  readonly nodes: TestNode[] = [];
  readonly store: EmbeddedClickHouse | undefined;
  readonly #options: TestClusterOptions;
  #added = 0;
  /** The same on all nodes. */
  #keys: ServiceSetup['keys'] | undefined;

  /** Makes the topics and starts ClickHouse; nodes are started by `add`. */
  static async open(options: TestClusterOptions): Promise<TestCluster> {
    const store =
      options.withStore === false
        ? undefined
        : await EmbeddedClickHouse.start({
            dataDir: join(options.directory, 'clickhouse'),
            database: 'parallax',
            ...options.storeOptions,
          });
    const cluster = new TestCluster(options, store);
    await initTopics(cluster.kafka.admin, cluster.config('init', 'http://127.0.0.1:1'));
    if (options.seed !== undefined) {
      const value = Buffer.from(JSON.stringify({ seed: options.seed, createdAt: 1 }));
      const key = Buffer.from('install/test');
      await cluster.kafka.produce([{ topic: `${cluster.prefix}.nodes`, partition: 0, key, value }]);
    }
    return cluster;
  }

  private constructor(options: TestClusterOptions, store: EmbeddedClickHouse | undefined) {
    this.#options = options;
    this.partitions = options.partitions ?? 6;
    this.kafka = connectTo(options.brokers);
    this.store = store;
  }

  /** The `cluster` settings of a node. */
  config(id: string, url: string): ClusterConfig {
    const { brokers, replicationFactor = 1, cluster = {} } = this.#options;
    const given = {
      kafka: { brokers: [...brokers] },
      topicPrefix: this.prefix,
      partitions: this.partitions,
      replicationFactor,
      groupId: `${this.prefix}-workers`,
      node: { id, url },
      sessionTimeoutMs: 6_000,
      ...cluster,
    };
    const settings = { PARALLAX_CLUSTER: JSON.stringify(given) };
    const read = loadConfig(undefined, settings).cluster;
    if (read === undefined) throw new Error('no cluster settings');
    return read;
  }

  /** Starts one more node, and waits until it listens. @param settings over those of all nodes */
  async add(settings: Record<string, unknown> = {}, own: Partial<ClusterConfig> = {}): Promise<TestNode> {
    const id = `node-${this.#added++}`;
    const port = await freePort();
    const directory = join(this.#options.directory, id);
    mkdirSync(directory, { recursive: true });
    const { settings: shared = {} } = this.#options;
    const http = { port, ...asObject(shared['http']) };
    const setup = prepareService(
      directory,
      {
        ...shared,
        ...settings,
        http,
        cluster: { ...this.config(id, `http://127.0.0.1:${port}`), ...own },
        ...(this.store === undefined
          ? {}
          : {
              clickhouse: {
                url: this.store.url,
                username: this.store.writer.username,
                passwordEnv: CLICKHOUSE_PASSWORD,
              },
            }),
      },
      this.#keys,
    );
    this.#keys = setup.keys;
    const node = { id, setup, service: await this.#start(setup) };
    this.nodes.push(node);
    return node;
  }

  /** Starts a node again that was stopped or killed, on what it has left. */
  async restart(node: TestNode): Promise<void> {
    node.service = await this.#start(node.setup);
  }

  /** Ends a node in good order, and forgets it. */
  async remove(node: TestNode): Promise<void> {
    this.nodes.splice(this.nodes.indexOf(node), 1);
    const code = await node.service.stop();
    if (code !== 0)
      throw new Error(`${node.id} did not end in good order (${code}):\n${node.service.log.slice(-4_000)}`);
  }

  /** Waits until all partitions are scored, by these nodes and no others. */
  async assigned(nodes: readonly TestNode[] = this.nodes): Promise<void> {
    await eventually(
      'every partition is scored',
      async () => {
        const owned = await Promise.all(
          nodes.map(async ({ service }) => Object.keys((await statusOf(service)).partitions)),
        );
        return new Set(owned.flat()).size === this.partitions && owned.flat().length === this.partitions;
      },
      START_MS,
    ).catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${await factsOf(nodes)}`);
    });
  }

  /** Waits until everything that is in the log now is scored, and its effects are out. */
  async scored(nodes: readonly TestNode[] = this.nodes, limitMs = START_MS): Promise<void> {
    const wanted = await this.kafka.topicOffsets(`${this.prefix}.observations`);
    await eventually(
      'all is scored',
      async () => {
        const found = await partitionsOf(nodes);
        return wanted.every(({ partition, high }) => (found[partition]?.scoring['effects'] ?? -1) >= high);
      },
      limitMs,
    );
  }

  /** Waits until everything that is in the log now is scored and its effects are out, and with a store stored too. */
  async settled(nodes: readonly TestNode[] = this.nodes, limitMs = START_MS): Promise<void> {
    const wanted = await this.kafka.topicOffsets(`${this.prefix}.observations`);
    await this.scored(nodes, limitMs);
    if (this.store === undefined) return;
    // Ticks never end: what counts is what was there.
    const effects = Object.entries(await partitionsOf(nodes)).map(([partition, { storing = {} }]) => ({
      partition,
      sequence: (storing.outboxSequence ?? 0) + (storing.outboxBacklog ?? 0),
    }));
    await eventually(
      'all is stored',
      async () => {
        const found = await partitionsOf(nodes);
        return (
          wanted.every(({ partition, high }) => (found[partition]?.storing?.logPosition ?? -1) >= high) &&
          effects.every(({ partition, sequence }) => (found[partition]?.storing?.outboxSequence ?? -1) >= sequence)
        );
      },
      limitMs,
    );
  }

  /** The node that scores an agent, and one that does not. */
  async around(agentId: string): Promise<{ owner: TestNode; other: TestNode }> {
    const { partitionOf } = await import('../../src/kafka/partitioner.js');
    const partition = String(partitionOf('default', agentId, this.partitions));
    for (const owner of this.nodes) {
      if ((await statusOf(owner.service)).partitions[partition] === undefined) continue;
      const other = this.nodes.find((node) => node !== owner);
      if (other !== undefined) return { owner, other };
    }
    throw new Error(`nobody scores ${agentId}, or there is one node only`);
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map(({ service }) => service.stop()));
    await this.kafka.close();
    await this.store?.stop();
  }

  #start(setup: ServiceSetup): Promise<ServiceProcess> {
    return ServiceProcess.start(setup, { [CLICKHOUSE_PASSWORD]: this.store?.writer.password ?? '' });
  }
}

async function partitionsOf(nodes: readonly TestNode[]): Promise<NodeStatus['partitions']> {
  const states = await Promise.all(nodes.map(({ service }) => statusOf(service)));
  return Object.fromEntries(states.flatMap(({ partitions }) => Object.entries(partitions)));
}

/** What nodes say of themselves, for whoever looks for a mistake. */
async function factsOf(nodes: readonly TestNode[]): Promise<string> {
  const facts = nodes.map(async ({ id, service }) => {
    const { cluster, partitions } = await statusOf(service).catch((error: unknown) => ({
      cluster: String(error),
      partitions: {},
    }));
    return `${id} scores ${Object.keys(partitions).join(', ')}; ${JSON.stringify(cluster)}\n${service.log.slice(-6_000)}`;
  });
  return (await Promise.all(facts)).join('\n');
}

export async function statusOf(service: ServiceProcess): Promise<NodeStatus> {
  // Only the parts that tests look at.
  return (await service.get('/v1/status')) as NodeStatus;
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
