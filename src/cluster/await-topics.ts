import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../config.js';
import type { KafkaClient } from '../kafka/port.js';

const RETRY_MS = 2_000;

/**
 * Waits for Kafka, and looks whether all topics are there.
 *
 * @throws ConfigError that names the missing topics and the command that makes them; an error of Kafka's that waiting
 *   cannot help
 */
export async function awaitTopics(
  client: Pick<KafkaClient, 'admin'>,
  topics: readonly string[],
  notice: (message: string, facts: Record<string, unknown>) => void,
): Promise<void> {
  for (let isTold = false; ; isTold = true) {
    try {
      const present = new Set(await client.admin.topicNames());
      const missing = topics.filter((topic) => !present.has(topic));
      if (missing.length === 0) return;
      throw new ConfigError(
        `cluster: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not there, or may not be seen; run "parallax kafka init" with this configuration, or "parallax kafka doctor"`,
      );
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error.code !== 'KAFKA_UNAVAILABLE') throw error;
      if (!isTold) notice('Kafka cannot be reached yet; waiting for it', { reason: error.message });
    }
    await sleep(RETRY_MS);
  }
}
