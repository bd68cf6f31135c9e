import type { ClusterConfig } from '../model/kafka-settings.js';
import { wrongCount } from './init-topics.js';
import { errorType, explain } from './kafka-errors.js';
import type { KafkaClient, TopicDescription } from './port.js';
import { topicsOf, wantedTopics, type WantedTopic } from './topics.js';

/** One thing that was looked at. */
export interface Finding {
  level: 'fine' | 'warning' | 'problem';
  what: string;
  /** What to do about it. */
  fix?: string;
}

const RUN_INIT = 'run "parallax kafka init"';
/** A reader that is so far back in what is kept will soon miss something. */
const NEAR_END_SHARE = 0.1;

/** Looks at everything that cluster mode needs of Kafka. Writes nothing. */
export async function examine(kafka: KafkaClient, cluster: ClusterConfig): Promise<Finding[]> {
  const findings: Finding[] = [];
  let brokers: number;
  try {
    const found = await kafka.admin.brokers();
    brokers = found.length;
    const where = found.map(({ nodeId, host, port }) => `${nodeId} at ${host}:${port}`).join(', ');
    findings.push({ level: 'fine', what: `${brokers} ${brokers === 1 ? 'broker' : 'brokers'}: ${where}` });
  } catch (error) {
    return [unreachable(error, cluster)];
  }
  if (brokers < cluster.replicationFactor) {
    findings.push({
      level: 'problem',
      what: `cluster.replicationFactor is ${cluster.replicationFactor}, and ${brokers} of the brokers can be seen`,
      fix: 'bring the others back, or lower cluster.replicationFactor',
    });
  }
  if (cluster.replicationFactor < 3) {
    findings.push({
      level: 'warning',
      what: `${cluster.replicationFactor} ${cluster.replicationFactor === 1 ? 'copy' : 'copies'} of everything: a lost disk may lose what was acknowledged`,
      fix: 'use three brokers and cluster.replicationFactor: 3 outside of trials',
    });
  }
  const wanted = wantedTopics(cluster);
  let described: Map<string, TopicDescription>;
  try {
    described = new Map(
      (await kafka.admin.describe(wanted.map(({ topic }) => topic))).map((each) => [each.topic, each]),
    );
  } catch (error) {
    return [
      ...findings,
      { level: 'problem', what: `the topics cannot be seen: ${explain(error)}`, fix: permissionFix(cluster) },
    ];
  }
  for (const topic of wanted) findings.push(...(await examineTopic(kafka, cluster, topic, described.get(topic.topic))));
  findings.push(...(await examineGroup(kafka, cluster, described)));
  return findings;
}

/** Why nothing at all can be asked. */
function unreachable(error: unknown, { kafka: { brokers, sasl, tls } }: ClusterConfig): Finding {
  const reason = explain(error);
  const what = `no broker answers at ${brokers.join(', ')}: ${reason}`;
  if (errorType(error) === 'SASL_AUTHENTICATION_FAILED' || /sasl|authenticat/i.test(reason)) {
    const variable =
      sasl === undefined
        ? 'cluster.kafka.sasl, which is not set'
        : `cluster.kafka.sasl.username and the variable ${sasl.passwordEnv}`;
    return { level: 'problem', what, fix: `check ${variable}` };
  }
  if (/certificate|TLS|SSL|EPROTO/i.test(reason)) {
    return {
      level: 'problem',
      what,
      fix: 'check cluster.kafka.tls: caFile must hold the authority that signed the brokers’ certificates',
    };
  }
  if (/closed connection|ECONNRESET|disconnected/i.test(reason) && tls === undefined) {
    return {
      level: 'problem',
      what,
      fix: 'the listener may expect TLS: set cluster.kafka.tls; or it may be another protocol’s port',
    };
  }
  return {
    level: 'problem',
    what,
    fix: 'check cluster.kafka.brokers, names and firewalls; the brokers’ advertised.listeners must be reachable from here too',
  };
}

async function examineTopic(
  kafka: KafkaClient,
  cluster: ClusterConfig,
  wanted: WantedTopic,
  found: TopicDescription | undefined,
): Promise<Finding[]> {
  const { topic } = wanted;
  if (found === undefined) {
    return [
      {
        level: 'problem',
        what: `${topic} does not exist, or may not be seen`,
        fix: `${RUN_INIT}; ${permissionFix(cluster)}`,
      },
    ];
  }
  const findings: Finding[] = [];
  const problem = (what: string, fix: string): void =>
    void findings.push({ level: 'problem', what: `${topic} ${what}`, fix });
  const { partitions } = found;
  if (partitions.length !== wanted.partitions) {
    findings.push({ level: 'problem', what: `${topic} ${wrongCount(wanted, partitions.length)}` });
  }
  const leaderless = partitions.filter(({ leader }) => leader < 0).map(({ partition }) => partition);
  if (leaderless.length > 0)
    problem(`has no leader for partitions ${leaderless.join(', ')}`, 'bring back the brokers that hold them');
  const behind = partitions
    .filter(({ isr, replicas }) => isr.length < replicas.length)
    .map(({ partition }) => partition);
  if (behind.length > 0) {
    findings.push({
      level: 'warning',
      what: `${topic} has copies that lag or are away, of partitions ${behind.join(', ')}`,
      fix: 'see which broker is missing above',
    });
  }
  const copies = Math.min(...partitions.map(({ replicas }) => replicas.length));
  if (copies < cluster.replicationFactor) {
    problem(
      `has ${copies} copies instead of ${cluster.replicationFactor}`,
      'add copies with kafka-reassign-partitions',
    );
  }
  let policy: string | undefined;
  try {
    const config = await kafka.admin.topicConfig(topic);
    policy = config['cleanup.policy'];
    for (const [name, value] of Object.entries(wanted.config)) {
      if (config[name] !== value)
        problem(`has ${name}=${config[name] ?? '(hidden)'} instead of ${value}${WHY[name] ?? ''}`, RUN_INIT);
    }
    if (Number(config['min.insync.replicas'] ?? 1) >= copies && copies > 1) {
      problem('cannot be written while any broker is away: min.insync.replicas equals its copies', RUN_INIT);
    }
  } catch (error) {
    findings.push({
      level: 'warning',
      what: `the settings of ${topic} cannot be seen: ${explain(error)}`,
      fix: 'allow DescribeConfigs on it',
    });
  }
  const refusal = policy?.includes('compact') === true ? await writeRefusal(kafka, topic) : undefined;
  if (refusal !== undefined) problem(`may not be written: ${refusal}`, permissionFix(cluster));
  if (findings.length === 0)
    findings.push({ level: 'fine', what: `${topic}: ${partitions.length} partitions, ${copies} copies` });
  return findings;
}

const WHY: Readonly<Record<string, string>> = {
  'unclean.leader.election.enable': ': a copy that lags may become leader, and what was acknowledged is lost',
  'min.insync.replicas': ': records could be acknowledged that are on too few machines',
  'cleanup.policy': ': what has to be kept would be dropped, or what should go would stay',
  'retention.ms': ': cluster.retentionHours says otherwise',
  'max.message.bytes': ': large batches would be refused',
  'min.compaction.lag.ms': ': state could be compacted while another node restores it',
};

/**
 * Why writing to a compacted topic is not allowed, without writing: such a topic refuses a record without a key, and
 * looks at the permission first. Any other topic would take it.
 */
async function writeRefusal(kafka: KafkaClient, topic: string): Promise<string | undefined> {
  try {
    await kafka.produce([{ topic, partition: 0, value: Buffer.alloc(0) }]);
  } catch (error) {
    return errorType(error) === 'INVALID_RECORD' ? undefined : explain(error);
  }
  return undefined;
}

async function examineGroup(
  kafka: KafkaClient,
  cluster: ClusterConfig,
  described: ReadonlyMap<string, TopicDescription>,
): Promise<Finding[]> {
  const { groupId } = cluster;
  const { observations } = topicsOf(cluster.topicPrefix);
  if (!described.has(observations)) return [];
  try {
    const { state, members } = await kafka.admin.describeGroup(groupId);
    const offsets = await kafka.topicOffsets(observations);
    const committed = new Map(
      (await kafka.admin.committed(groupId, [observations])).map((c) => [c.partition, c.offset]),
    );
    const findings: Finding[] = [];
    const lag = offsets.reduce(
      (sum, { partition, low, high }) => sum + high - Math.max(low, committed.get(partition) ?? low),
      0,
    );
    findings.push(
      members.length === 0
        ? {
            level: 'warning',
            what: `group ${groupId} has no members (${state}), ${lag} observations wait`,
            fix: 'start a node with the role worker',
          }
        : { level: 'fine', what: `group ${groupId}: ${state}, ${members.length} members, ${lag} observations behind` },
    );
    for (const { partition, low, high } of offsets) {
      const at = committed.get(partition);
      if (at === undefined) continue;
      if (at < low) {
        findings.push({
          level: 'problem',
          what: `partition ${partition} of ${observations} lost ${low - at} observations to retention before they were scored`,
          fix: 'raise cluster.retentionHours, and see why the workers are behind',
        });
      } else if (high - at > 0 && at - low < (high - low) * NEAR_END_SHARE && low > 0) {
        findings.push({
          level: 'warning',
          what: `partition ${partition} of ${observations} is scored at ${at}, and retention has reached ${low}`,
          fix: 'add workers, or raise cluster.retentionHours before observations are lost',
        });
      }
    }
    return findings;
  } catch (error) {
    return [
      { level: 'problem', what: `group ${groupId} cannot be seen: ${explain(error)}`, fix: permissionFix(cluster) },
    ];
  }
}

function permissionFix({ topicPrefix, groupId, kafka }: ClusterConfig): string {
  const who = kafka.sasl?.username ?? 'the certificate’s name';
  return `where there are permissions, allow ${who} Read, Write, Describe and DescribeConfigs on topics with the prefix ${topicPrefix}., and Read on the groups ${groupId} and ${topicPrefix}*`;
}
