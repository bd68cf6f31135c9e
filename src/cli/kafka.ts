import { loadConfig, ConfigError } from '../config.js';
import { KafkaConnection } from '../kafka/client.js';
import { examine, type Finding } from '../kafka/examine.js';
import { initTopics } from '../kafka/init-topics.js';
import { inertText } from '../lib/text/inert-text.js';
import type { ClusterConfig } from '../model/kafka-settings.js';
import { textOf, UsageError, type CliCommand, type CommandContext } from './command.js';

const MARKS: Record<Finding['level'], string> = { fine: 'ok   ', warning: 'warn ', problem: 'WRONG' };

export const kafka: CliCommand = {
  name: 'kafka',
  usage: 'init|doctor [--config FILE]',
  summary: 'cluster mode: create and correct the topics, or look at everything that is needed of Kafka',
  options: { config: { type: 'string' } },
  help: { config: 'YAML configuration, with "cluster"' },
  run: async (context) => {
    const [what, ...rest] = context.positionals;
    if ((what !== 'init' && what !== 'doctor') || rest.length > 0) {
      throw new UsageError('say what to do: parallax kafka init, or parallax kafka doctor');
    }
    const { cluster } = loadConfig(textOf(context, 'config') ?? context.env['PARALLAX_CONFIG'], context.env);
    if (cluster === undefined) {
      throw new ConfigError('cluster: is not set; this configuration keeps the log itself and needs no Kafka');
    }
    // Shorter than in service: a person waits.
    const connection = new KafkaConnection(cluster.kafka, { env: context.env, deliveryTimeoutMs: 10_000 });
    try {
      return what === 'init' ? await init(context, connection, cluster) : await doctor(context, connection, cluster);
    } finally {
      await connection.close();
    }
  },
};

async function init({ console }: CommandContext, connection: KafkaConnection, cluster: ClusterConfig): Promise<number> {
  const outcomes = await initTopics(connection.admin, cluster);
  for (const { topic, did, detail } of outcomes)
    console.out(`${did.padEnd(9)} ${topic}: ${inertText(detail, 1_000)}\n`);
  const failed = outcomes.filter(({ did }) => did === 'failed').length;
  console.out(failed === 0 ? 'the topics are ready\n' : `${failed} of ${outcomes.length} topics are not ready\n`);
  return failed === 0 ? 0 : 1;
}

async function doctor(
  { console }: CommandContext,
  connection: KafkaConnection,
  cluster: ClusterConfig,
): Promise<number> {
  const findings = await examine(connection, cluster);
  for (const { level, what, fix } of findings) {
    console.out(`${MARKS[level]} ${inertText(what, 1_000)}\n`);
    if (fix !== undefined) console.out(`      -> ${inertText(fix, 1_000)}\n`);
  }
  const count = (level: Finding['level']): number => findings.filter((each) => each.level === level).length;
  console.out(`${count('problem')} wrong, ${count('warning')} to look at, ${count('fine')} as they should be\n`);
  return count('problem') === 0 ? 0 : 1;
}
