import { randomBytes } from 'node:crypto';
import { KafkaConnection, type KafkaClientOptions } from '../../../src/kafka/client.js';

/** A name that no other test has: topics, groups and prefixes of one broker do not get in each other's way. */
export function uniqueName(what = 'test'): string {
  return `${what}-${randomBytes(6).toString('hex')}`;
}

export function connectTo(brokers: readonly string[], options: Partial<KafkaClientOptions> = {}): KafkaConnection {
  return new KafkaConnection({ brokers: [...brokers], clientId: 'test' }, { env: {}, ...options });
}

/** Makes a topic of its own. @returns its name */
export async function makeTopic(
  kafka: KafkaConnection,
  partitions = 1,
  config: Record<string, string> = {},
  replicationFactor = 1,
): Promise<string> {
  const topic = uniqueName('topic');
  await kafka.admin.createTopics([{ topic, partitions, replicationFactor, config }]);
  return topic;
}
