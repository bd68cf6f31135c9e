import { partitionOfKey } from '../kafka/partitioner.js';
import type { KafkaClient, KafkaRecord } from '../kafka/port.js';
import { toKafka } from '../kafka/record-codec.js';
import { OverloadError } from '../lib/overload.js';
import type { RawRecord } from '../log/port.js';

const RETRY_BUSY_SECONDS = 1;
const RETRY_AWAY_SECONDS = 5;

/** What intake appends to where there are many partitions: each record goes to the partition of what it is about. */
export class RoutedLog {
  readonly #client: Pick<KafkaClient, 'produce'>;
  readonly #topic: string;
  readonly #partitions: number;

  constructor(client: Pick<KafkaClient, 'produce'>, topic: string, partitions: number) {
    this.#client = client;
    this.#topic = topic;
    this.#partitions = partitions;
  }

  /**
   * Appends records; those of one partition stand next to each other. Resolves when Kafka has committed all of them. When
   * it rejects, some of them may be in the log: sent again, they are known by their ids.
   *
   * @throws OverloadError 429 when too much waits for Kafka, 503 while Kafka does not answer
   */
  append(records: readonly RawRecord[]): Promise<number> {
    return this.#produce(
      records.map((record) => {
        const key = Buffer.from(record.key ?? '');
        return { topic: this.#topic, partition: partitionOfKey(key, this.#partitions), key, ...toKafka(record) };
      }),
    );
  }

  /** Appends the same record to each of these partitions. @throws as append */
  appendTo(partitions: readonly number[], record: RawRecord): Promise<number> {
    const { value, headers } = toKafka(record);
    return this.#produce(partitions.map((partition) => ({ topic: this.#topic, partition, value, headers })));
  }

  async #produce(records: readonly KafkaRecord[]): Promise<number> {
    try {
      return await this.#client.produce(records);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'KAFKA_BUSY') {
        throw new OverloadError('too much is waiting for Kafka; send again later', 429, RETRY_BUSY_SECONDS);
      }
      if (code === 'KAFKA_UNAVAILABLE') {
        throw new OverloadError('Kafka does not answer; send again later', 503, RETRY_AWAY_SECONDS);
      }
      throw error;
    }
  }
}
