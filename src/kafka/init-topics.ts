import type { ClusterConfig } from '../model/kafka-settings.js';
import { KafkaError } from './kafka-errors.js';
import type { KafkaAdmin } from './port.js';
import { wantedTopics, type WantedTopic } from './topics.js';

/** What was done about one topic. */
export interface TopicOutcome {
  topic: string;
  did: 'created' | 'updated' | 'unchanged' | 'failed';
  /** What was changed, or what a person has to do. */
  detail: string;
}

/** Creates the topics that are missing and corrects the settings of the others. May be run again at any time. */
export async function initTopics(admin: KafkaAdmin, cluster: ClusterConfig): Promise<TopicOutcome[]> {
  const brokers = await admin.brokers();
  if (cluster.replicationFactor > brokers.length) {
    throw new KafkaError(
      'KAFKA_REFUSED',
      `cluster.replicationFactor is ${cluster.replicationFactor}, but there ${brokers.length === 1 ? 'is 1 broker' : `are ${brokers.length} brokers`}; ` +
        `start more brokers, or set cluster.replicationFactor: ${brokers.length} (with fewer than 3 copies a lost disk may lose what was acknowledged)`,
    );
  }
  const wanted = wantedTopics(cluster);
  const existing = new Map((await admin.describe(wanted.map(({ topic }) => topic))).map((each) => [each.topic, each]));
  const outcomes: TopicOutcome[] = [];
  for (const topic of wanted) {
    const found = existing.get(topic.topic);
    if (found === undefined) outcomes.push(await create(admin, topic));
    else if (found.partitions.length === topic.partitions) outcomes.push(await correct(admin, topic));
    else outcomes.push({ topic: topic.topic, did: 'failed', detail: wrongCount(topic, found.partitions.length) });
  }
  return outcomes;
}

/** Why a topic with another number of partitions is not simply changed, and what to do. */
export function wrongCount({ kind, topic, partitions }: WantedTopic, found: number): string {
  if (partitions === 1)
    return `has ${found} partitions and needs exactly 1, for a total order; delete ${topic} and run "parallax kafka init"`;
  return (
    `has ${found} partitions, the configuration says ${partitions}; where an ${kind === 'observations' ? 'agent’s records lie' : 'entry lies'} follows from the number, ` +
    `so set cluster.partitions: ${found}, or begin anew under another cluster.topicPrefix`
  );
}

async function create(
  admin: KafkaAdmin,
  { topic, partitions, replicationFactor, config }: WantedTopic,
): Promise<TopicOutcome> {
  try {
    await admin.createTopics([{ topic, partitions, replicationFactor, config }]);
    return { topic, did: 'created', detail: `${partitions} partitions, ${replicationFactor} copies` };
  } catch (error) {
    return { topic, did: 'failed', detail: error instanceof Error ? error.message : String(error) };
  }
}

async function correct(admin: KafkaAdmin, { topic, config }: WantedTopic): Promise<TopicOutcome> {
  try {
    const found = await admin.topicConfig(topic);
    const wrong = Object.entries(config).filter(([name, value]) => found[name] !== value);
    if (wrong.length === 0) return { topic, did: 'unchanged', detail: 'as it should be' };
    await admin.setTopicConfig(topic, Object.fromEntries(wrong));
    const changes = wrong.map(([name, value]) => `${name} ${found[name] ?? '(unset)'} -> ${value}`);
    return { topic, did: 'updated', detail: changes.join(', ') };
  } catch (error) {
    return { topic, did: 'failed', detail: error instanceof Error ? error.message : String(error) };
  }
}
