import type { Admin, Kafka as KafkaJs } from 'kafkajs';
import { RETRY } from './connect.js';
import { errorType, explain, isHopeless, KafkaError } from './kafka-errors.js';
import { ConfigResourceTypes, ConfigSource } from './kafkajs-mended.js';
import type { KafkaAdmin, OffsetCommit, PartitionOffsets, TopicDescription, TopicSpec } from './port.js';

const CREATE_TIMEOUT_MS = 20_000;

/** {@link KafkaAdmin} over the library's admin client; connects when first asked, and anew after a failure. */
export class Administration implements KafkaAdmin {
  readonly #kafka: KafkaJs;
  readonly #onOutcome: (error: unknown) => void;
  #admin: Promise<Admin> | undefined;

  constructor(kafka: KafkaJs, onOutcome: (error: unknown) => void = () => {}) {
    this.#kafka = kafka;
    this.#onOutcome = onOutcome;
  }

  brokers(): Promise<{ nodeId: number; host: string; port: number }[]> {
    return this.#ask('the brokers', async (admin) => (await admin.describeCluster()).brokers);
  }

  topicNames(): Promise<string[]> {
    return this.#ask('the topics', (admin) => admin.listTopics());
  }

  async describe(topics: readonly string[]): Promise<TopicDescription[]> {
    const existing = new Set(await this.topicNames());
    const asked = topics.filter((topic) => existing.has(topic));
    if (asked.length === 0) return [];
    return this.#ask(`the topics ${asked.join(', ')}`, async (admin) => {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: asked });
      return found.map(({ name, partitions }) => ({
        topic: name,
        partitions: partitions
          .map(({ partitionId, leader, replicas, isr }) => ({ partition: partitionId, leader, replicas, isr }))
          .sort((a, b) => a.partition - b.partition),
      }));
    });
  }

  /** The node that leads each partition, by `topic/partition`. */
  leaders(topics: readonly string[]): Promise<Map<string, number>> {
    return this.#ask(`the topics ${topics.join(', ')}`, async (admin) => {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: [...topics] });
      return new Map(
        found.flatMap(({ name, partitions }) =>
          partitions.map(({ partitionId, leader }) => [`${name}/${partitionId}`, leader] as const),
        ),
      );
    });
  }

  topicOffsets(topic: string): Promise<PartitionOffsets[]> {
    return this.#ask(`the offsets of ${topic}`, async (admin) =>
      (await admin.fetchTopicOffsets(topic))
        .map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }))
        .sort((a, b) => a.partition - b.partition),
    );
  }

  async topicConfig(topic: string): Promise<Record<string, string>> {
    return Object.fromEntries(
      (await this.#settings(topic)).map(({ configName, configValue }) => [configName, configValue]),
    );
  }

  async createTopics(topics: readonly TopicSpec[]): Promise<void> {
    const names = topics.map(({ topic }) => topic);
    await this.#ask(`to create ${names.join(', ')}`, (admin) =>
      admin.createTopics({
        // The library gives up when a broker does not know a topic yet that another has just made.
        waitForLeaders: false,
        timeout: CREATE_TIMEOUT_MS,
        topics: topics.map(({ topic, partitions, replicationFactor, config }) => ({
          topic,
          numPartitions: partitions,
          replicationFactor,
          configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
        })),
      }),
    );
    await this.#until(`topics ${names.join(', ')} were made, but are`, () => this.#areLed(names));
  }

  async #areLed(names: readonly string[]): Promise<boolean> {
    try {
      const found = await this.describe(names);
      const isLed = ({ partitions }: TopicDescription): boolean =>
        partitions.length > 0 && partitions.every(({ leader }) => leader >= 0);
      return found.length === names.length && found.every(isLed);
    } catch (error) {
      if (NOT_YET.has(errorType(error))) return false;
      throw error;
    }
  }

  async setTopicConfig(topic: string, config: Readonly<Record<string, string>>): Promise<void> {
    // The request replaces all settings of the topic: those that stay have to be in it.
    const own = (await this.#settings(topic)).filter(({ configSource }) => configSource === ConfigSource.TOPIC_CONFIG);
    const all = {
      ...Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue])),
      ...config,
    };
    await this.#ask(`to set ${topic}`, async (admin) => {
      await admin.alterConfigs({
        validateOnly: false,
        resources: [
          {
            type: ConfigResourceTypes.TOPIC,
            name: topic,
            configEntries: Object.entries(all).map(([name, value]) => ({ name, value })),
          },
        ],
      });
    });
    // The brokers learn of it one after the other; what is asked next should not be answered with what was before.
    await this.#until(`settings of ${topic} were made, but are`, async () => {
      const found = await this.topicConfig(topic);
      return Object.entries(config).every(([name, value]) => found[name] === value);
    });
  }

  async #until(what: string, isDone: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + CREATE_TIMEOUT_MS;
    while (!(await isDone())) {
      if (performance.now() > end) throw new KafkaError('KAFKA_UNAVAILABLE', `The ${what} not seen everywhere yet.`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  addPartitions(topic: string, total: number): Promise<void> {
    return this.#ask(`to add partitions to ${topic}`, async (admin) => {
      await admin.createPartitions({ topicPartitions: [{ topic, count: total }] });
    });
  }

  deleteTopics(topics: readonly string[]): Promise<void> {
    return this.#ask(`to delete ${topics.join(', ')}`, (admin) => admin.deleteTopics({ topics: [...topics] }));
  }

  deleteRecords(topic: string, before: readonly { partition: number; offset: number }[]): Promise<void> {
    return this.#ask(`to delete records of ${topic}`, (admin) =>
      admin.deleteTopicRecords({
        topic,
        partitions: before.map(({ partition, offset }) => ({ partition, offset: String(offset) })),
      }),
    );
  }

  committed(groupId: string, topics: readonly string[]): Promise<OffsetCommit[]> {
    return this.#ask(`the offsets of group ${groupId}`, async (admin) => {
      const found = await admin.fetchOffsets({ groupId, topics: [...topics] });
      return found.flatMap(({ topic, partitions }) =>
        partitions
          .filter(({ offset }) => Number(offset) >= 0)
          .map(({ partition, offset, metadata }) => ({
            topic,
            partition,
            offset: Number(offset),
            ...(metadata === null || metadata === '' ? {} : { metadata }),
          })),
      );
    });
  }

  describeGroup(groupId: string): Promise<{ state: string; members: { memberId: string; host: string }[] }> {
    return this.#ask(`group ${groupId}`, async (admin) => {
      const [group] = (await admin.describeGroups([groupId])).groups;
      return {
        state: group?.state ?? 'Dead',
        members: (group?.members ?? []).map(({ memberId, clientHost }) => ({ memberId, host: clientHost })),
      };
    });
  }

  async close(): Promise<void> {
    const admin = await this.#admin?.catch(() => undefined);
    this.#admin = undefined;
    await admin?.disconnect().catch(() => {});
  }

  #settings(topic: string) {
    return this.#ask(`the settings of ${topic}`, async (admin) => {
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }],
      });
      return resources[0]?.configEntries ?? [];
    });
  }

  async #ask<T>(what: string, ask: (admin: Admin) => Promise<T>): Promise<T> {
    try {
      const answer = await ask(await this.#connected());
      this.#onOutcome(undefined);
      return answer;
    } catch (cause) {
      this.#onOutcome(cause);
      const isFinal = isHopeless(cause) || REFUSALS.has(errorType(cause));
      throw new KafkaError(
        isFinal ? 'KAFKA_REFUSED' : 'KAFKA_UNAVAILABLE',
        `Kafka was asked for ${what}: ${explain(cause)}`,
        { cause },
      );
    }
  }

  #connected(): Promise<Admin> {
    this.#admin ??= (async () => {
      const admin = this.#kafka.admin({ retry: RETRY });
      try {
        await admin.connect();
      } catch (error) {
        this.#admin = undefined;
        throw error;
      }
      return admin;
    })();
    return this.#admin;
  }
}

/** Of a topic that was just made. */
const NOT_YET = new Set(['LEADER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION']);
const REFUSALS = new Set([
  'INVALID_CONFIG',
  'INVALID_PARTITIONS',
  'INVALID_REPLICATION_FACTOR',
  'OFFSET_OUT_OF_RANGE',
  'POLICY_VIOLATION',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);
