import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaClient, PartitionOffsets } from '../kafka/port.js';

const RETRY_MS = 250;

/**
 * First offset and end of a partition, asked until Kafka answers.
 *
 * @param isOver whether nobody wants to know any more
 * @returns undefined when it is over before there is an answer, or the topic has no such partition
 */
export async function offsetsOf(
  client: Pick<KafkaClient, 'topicOffsets'>,
  topic: string,
  partition: number,
  isOver: () => boolean,
): Promise<PartitionOffsets | undefined> {
  while (!isOver()) {
    try {
      return (await client.topicOffsets(topic)).find((one) => one.partition === partition);
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error.code !== 'KAFKA_UNAVAILABLE') throw error;
    }
    await sleep(RETRY_MS);
  }
  return undefined;
}
