import { loadConfig } from '../config.js';
import { clickhouseClusterSchema } from '../model/clickhouse-settings.js';
import { schemaStatements } from '../store/migrate.js';
import { textOf, UsageError, type CliCommand } from './command.js';

export const clickhouse: CliCommand = {
  name: 'clickhouse',
  usage: 'ddl [--config FILE] [--cluster NAME [--plain]]',
  summary: 'print the statements that make the tables, for a server or for a cluster of them',
  options: {
    config: { type: 'string' },
    cluster: { type: 'string' },
    plain: { type: 'boolean' },
  },
  help: {
    config: 'take database and cluster from this configuration; PARALLAX_CONFIG',
    cluster: 'for this cluster: local tables on each server, and distributed ones over them',
    plain: 'with --cluster: without replicas, which need a Keeper',
  },
  run: async (context) => {
    const [verb, ...rest] = context.positionals;
    if (verb !== 'ddl' || rest.length > 0) throw new UsageError(`parallax clickhouse ${clickhouse.usage}`);
    const { database, cluster: configured } = loadConfig(
      textOf(context, 'config') ?? context.env['PARALLAX_CONFIG'],
      context.env,
    ).clickhouse;
    const cluster = clusterOf(textOf(context, 'cluster'), context.values['plain'] === true) ?? configured;
    const statements = schemaStatements(cluster === undefined ? { database } : { database, cluster });
    const about = cluster === undefined ? 'one server' : `the cluster ${cluster.name}`;
    context.console.out(`-- The schema of Parallax for ${about}. Every statement may be repeated.\n\n`);
    const [first = '', ...others] = statements;
    const inside = cluster === undefined ? [`USE ${database}`] : [];
    for (const statement of [first, ...inside, ...others]) context.console.out(`${statement};\n\n`);
    return Promise.resolve(0);
  },
};

function clusterOf(name: string | undefined, plain: boolean) {
  if (name === undefined && plain) throw new UsageError('--plain goes with --cluster NAME');
  if (name === undefined) return undefined;
  const parsed = clickhouseClusterSchema.safeParse({ name, replicated: !plain });
  if (!parsed.success) throw new UsageError(`--cluster ${name}: use letters, digits and _ only`);
  return parsed.data;
}
