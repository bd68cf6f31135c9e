import type { Kafka as KafkaJs } from 'kafkajs';
import type { KafkaConfig } from '../model/kafka-settings.js';
import { Administration } from './admin.js';
import { connectKafka, type KafkaLog } from './connect.js';
import { KafkaGroupMember } from './group.js';
import { explain, KafkaError } from './kafka-errors.js';
import type {
  KafkaAdmin,
  KafkaClient,
  KafkaGroup,
  KafkaGroupOptions,
  KafkaHealth,
  KafkaRecord,
  PartitionOffsets,
} from './port.js';
import { GroupedProducer, type ProducerOptions } from './producer.js';

export interface KafkaClientOptions extends Omit<ProducerOptions, 'onOutcome'> {
  /** Where passwords are; usually `process.env`. */
  env: NodeJS.ProcessEnv;
  log?: KafkaLog;
}

/** The connection to one Kafka cluster; nothing is connected before it is asked for something. */
export class KafkaConnection implements KafkaClient {
  readonly #kafka: KafkaJs;
  readonly #log: KafkaLog;
  readonly #admin: Administration;
  readonly #producer: GroupedProducer;
  readonly #groups = new Set<KafkaGroupMember>();
  #state: KafkaHealth['state'] = 'unknown';
  #reason: string | undefined;
  /** When Kafka last answered, or was last asked with nothing else waiting; monotonic. */
  #answeredAt = performance.now();

  /** @throws KafkaError when a password's variable or a certificate's file is missing */
  constructor(config: KafkaConfig, { env, log = () => {}, ...options }: KafkaClientOptions) {
    this.#log = log;
    this.#kafka = connectKafka(config, env, log);
    const onOutcome = (error: unknown): void => {
      this.#state = error === undefined ? 'up' : 'down';
      if (error === undefined) this.#answeredAt = performance.now();
      this.#reason = error === undefined ? undefined : explain(error);
    };
    this.#admin = new Administration(this.#kafka, onOutcome);
    this.#producer = new GroupedProducer(this.#kafka, (topics) => this.#admin.leaders(topics), {
      ...options,
      onOutcome,
    });
  }

  get admin(): KafkaAdmin {
    return this.#admin;
  }

  get health(): KafkaHealth {
    const { pendingBytes } = this.#producer;
    const isWaiting = this.#state === 'down' || pendingBytes > 0;
    const unansweredMs = isWaiting ? Math.round(performance.now() - this.#answeredAt) : 0;
    const health = { state: this.#state, pendingBytes, unansweredMs };
    return this.#reason === undefined ? health : { ...health, reason: this.#reason };
  }

  produce(records: readonly KafkaRecord[]): Promise<number> {
    if (this.#state !== 'down' && this.#producer.pendingBytes === 0) this.#answeredAt = performance.now();
    return this.#producer.produce(records);
  }

  topicOffsets(topic: string): Promise<PartitionOffsets[]> {
    return this.#admin.topicOffsets(topic);
  }

  async partitionCount(topic: string): Promise<number> {
    const [found] = await this.#admin.describe([topic]);
    if (found === undefined)
      throw new KafkaError('KAFKA_REFUSED', `There is no topic ${topic}, or it may not be seen.`);
    return found.partitions.length;
  }

  openGroup(options: KafkaGroupOptions): KafkaGroup {
    const group = new KafkaGroupMember(this.#kafka, options, this.#log);
    this.#groups.add(group);
    return group;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#groups].map((group) => group.stop()));
    await this.#producer.close();
    await this.#admin.close();
  }
}
